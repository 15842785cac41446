"""What a manifest names and what an LMDB holds."""

from __future__ import annotations

import collections
import json
from typing import TYPE_CHECKING

from edgeage.errors import ModelError
from edgeage.inspection.finding import Finding, Table
from edgeage.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["describe_dataset", "describe_lmdb", "describe_manifest"]

_FACTS = (
    *("name", "task", "labels", "outputs", "target"),
    *("precision", "options", "tools", "parity"),
)


def describe_manifest(path: Path) -> Finding:
    """Explain a manifest, or a compiled model's folder, and check the files it names.

    Raises:
        ModelError: when it is no manifest.
    """
    file = path / "model.json" if path.is_dir() else path
    _check_is_manifest(file)
    manifest = Manifest.read(file)
    rows, notes = [], []
    for role, entry in manifest.files.items():
        state = "as hashed" if "sha256" in entry else "not hashed"
        try:
            manifest.file(role)
        except ModelError as error:
            state = "missing or changed"
            notes.append(str(error))
        rows.append((role, entry["name"], entry.get("sha256", "")[:12], state))
    what = f"compiled for {manifest.target}" if manifest.target else "trained"
    what = what if manifest.is_own else "somebody else's"
    fields = manifest.to_dict()
    facts = {name: fields[name] for name in _FACTS if fields.get(name)}
    facts |= {"input": fields["input"], "source": fields["source"]}
    if blob := fields.get("blob"):
        facts["blob"] = blob
    table = Table("files", ("role", "name", "sha256", "state"), tuple(rows))
    summary = f"manifest of {manifest.name}, {what}, {manifest.precision or 'unknown precision'}"
    return Finding(path, "manifest", summary, facts, (table,), tuple(notes))


def _check_is_manifest(file: Path) -> None:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} is not readable JSON: {error}") from None
    if not isinstance(document, dict) or "manifest" not in document:
        raise ModelError(f"{file} is JSON, but no manifest of a model: it has no field «manifest»")


def describe_lmdb(path: Path) -> Finding:
    """Count the pictures and labels of an LMDB of ``Datum``.

    Args:
        path: its folder, or the ``data.mdb`` in it.

    Raises:
        DatasetError: when it is damaged.
        MissingDependencyError: without the package ``lmdb``.
    """
    from edgeage.datasets.store import DatumReader

    folder = path if path.is_dir() else path.parent
    with DatumReader(folder) as reader:
        labels = collections.Counter(reader.get(index)[1] for index in range(len(reader)))
        facts = {
            "records": len(reader),
            "shape": list(reader.shape),
            "first_key": reader.key(0).decode("utf-8", "backslashreplace"),
            "last_key": reader.key(len(reader) - 1).decode("utf-8", "backslashreplace"),
            "bytes": (folder / "data.mdb").stat().st_size,
        }
    table = Table("labels", ("label", "pictures"), tuple(sorted(labels.items())))
    summary = f"LMDB of {facts['records']:,} pictures"
    return Finding(path, "lmdb", summary, facts, (table,))


def describe_dataset(path: Path) -> Finding:
    """List the LMDBs of a data set's folder.

    Raises:
        DatasetError: when one is damaged.
        MissingDependencyError: without the package ``lmdb``.
    """
    from edgeage.datasets.store import DatumReader

    rows = []
    for file in sorted(path.glob("*/data.mdb")):
        with DatumReader(file.parent) as reader:
            shape = "×".join(map(str, reader.shape))
            rows.append((file.parent.name, len(reader), shape, file.stat().st_size))
    others = sorted(file.name for file in path.iterdir() if file.is_file())
    table = Table("lmdbs", ("name", "records", "shape", "bytes"), tuple(rows))
    facts = {"other_files": others}
    return Finding(path, "dataset", f"data set of {len(rows)} LMDBs", facts, (table,))
