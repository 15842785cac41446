"""The JSON a manifest is kept in, and what may be left out of one written by hand."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Any

from edgeage.errors import ModelError, did_you_mean

__all__ = ["MANIFEST_VERSION", "check_file_entry", "for_others", "read_fields"]

MANIFEST_VERSION = 1

_ROLES = ("ir_xml", "ir_bin", "onnx")
"""The files of somebody else's network; edgeage's own have others."""


def read_fields(path: Path) -> dict[str, Any]:
    """Read a manifest's JSON.

    Returns:
        Its fields, without its version.

    Raises:
        ModelError: when it is missing, not JSON, or of another version.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path} is missing; expected a model's manifest there") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not a readable manifest: {error}") from None
    version = fields.pop("manifest", None) if isinstance(fields, dict) else None
    if version != MANIFEST_VERSION:
        raise ModelError(
            f"{path} is not a manifest of version {MANIFEST_VERSION}; one begins with "
            f'{{"manifest": {MANIFEST_VERSION}, …'
        )
    found: dict[str, Any] = fields
    return found


def for_others(fields: dict[str, Any]) -> dict[str, Any]:
    """Fill in what a manifest of somebody else's network may leave out.

    A file may be its name alone, an ``ir_bin`` is found by the name of its ``ir_xml``, the
    model's name is that of its file, and the input is the network's only one.

    Raises:
        ModelError: when there is not one network, or an unknown role.
    """
    files = fields.get("files")
    if not isinstance(files, dict):
        raise ModelError('expected files, as {"ir_xml": "model.xml"} or {"onnx": "model.onnx"}')
    for role in files:
        if role not in _ROLES:
            raise ModelError(f"unknown role «{role}» of a file{did_you_mean(role, _ROLES)}")
    if ("ir_xml" in files) == ("onnx" in files):
        raise ModelError(f"expected files to have either ir_xml or onnx, got {list(files)}")
    entries = {
        role: {"name": entry} if isinstance(entry, str) else entry for role, entry in files.items()
    }
    network: Any = entries.get("ir_xml", entries.get("onnx"))
    check_file_entry("network", network, hashed=False)
    stem = PurePath(network["name"]).stem
    if "ir_xml" in entries:
        entries.setdefault("ir_bin", {"name": f"{stem}.bin"})
    return {"name": stem, "input_name": "", "precision": "", **fields, "files": entries}


def check_file_entry(role: str, entry: Any, *, hashed: bool) -> None:
    """Refuse an entry that does not name a file in the manifest's own folder.

    Args:
        role: what the file is to the model.
        entry: its name and hash, as the manifest has them.
        hashed: whether there must be a hash.

    Raises:
        ModelError: for anything else.
    """
    needed = {"name", "sha256"} if hashed else {"name"}
    sound = (
        isinstance(entry, dict)
        and needed <= entry.keys() <= {"name", "sha256"}
        and all(isinstance(value, str) for value in entry.values())
        and Path(entry["name"]).name == entry["name"] != ""
        and len(entry.get("sha256", "0" * 64)) == 64
    )
    if not sound:
        wanted = "a plain file name and a sha256" if hashed else "a plain file name"
        raise ModelError(f"expected {wanted} for the {role} file, got {entry!r}")
