"""The manifest: one JSON file beside every trained or compiled model that says all about it.

A trained model ``NAME.caffemodel`` has ``NAME.json`` beside it; a compiled one is a folder with
a ``model.json``. Both have the same fields. Every file a manifest names is hashed, and
:meth:`Manifest.file` refuses one whose bytes changed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

from edgeage.errors import EdgeageError, ModelError, did_you_mean
from edgeage.inputspec import InputSpec
from edgeage.labels import DEFAULT_GROUP_AGES, TASK_LABELS
from edgeage.paths import atomic_file, data_dir, sha256_file

__all__ = ["MANIFEST_VERSION", "Manifest"]

MANIFEST_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Everything needed to run a model and to know where it comes from.

    Attributes:
        name: ``"agenet"``, ``"gendernet"`` or another model's name.
        task: ``"age"`` or ``"gender"``.
        labels: the classes in output order.
        group_ages: for age, the age in years that stands for each class; empty for gender.
        input: how a face becomes the network's input.
        input_name: name of the network's input blob.
        output_name: name of the network's output blob: probabilities of shape (batch, labels).
        files: role (``caffemodel``, ``prototxt``, ``mean``, ``ir_xml``, ``ir_bin``, ``blob``) to
            ``{"name": file name beside the manifest, "sha256": …}``; a ``prototxt`` that is not
            beside it is one of the package's own.
        source: where the weights come from: their hash, data set, licence, recipe.
        target: device the files are for (``"CPU"``, …); empty for a trained model.
        precision: ``"FP32"``, ``"FP16"`` or ``"INT8"``.
        options: what the runtime is told when it opens the device, in its own words.
        tools: name and version of each tool that had a part in it.
        blob: what the header of the blob for a Myriad X says, and the options it was compiled
            with; empty without a blob.
        parity: how far the compiled network is from the trained one, and on what it was measured.
        folder: where the manifest was read from; not stored.
    """

    name: str
    task: str
    labels: tuple[str, ...]
    input: InputSpec
    group_ages: tuple[float, ...] = ()
    input_name: str = "data"
    output_name: str = "prob"
    files: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    source: dict[str, Any] = dataclasses.field(default_factory=dict)
    target: str = ""
    precision: str = "FP32"
    options: dict[str, str] = dataclasses.field(default_factory=dict)
    tools: dict[str, str] = dataclasses.field(default_factory=dict)
    blob: dict[str, Any] = dataclasses.field(default_factory=dict)
    parity: dict[str, Any] = dataclasses.field(default_factory=dict)
    folder: Path = dataclasses.field(default=Path(), compare=False)

    def __post_init__(self) -> None:
        if self.task not in TASK_LABELS:
            raise ModelError(
                f"expected task {' or '.join(f'«{task}»' for task in TASK_LABELS)}, got "
                f"«{self.task}»"
            )
        object.__setattr__(self, "labels", tuple(self.labels))
        ages = tuple(float(age) for age in self.group_ages)
        if self.task == "age" and not ages and self.labels == TASK_LABELS["age"]:
            ages = DEFAULT_GROUP_AGES
        if self.task == "age" and len(ages) != len(self.labels):
            raise ModelError(f"expected {len(self.labels)} group_ages, got {len(ages)}")
        object.__setattr__(self, "group_ages", ages)
        for role, entry in self.files.items():
            _check_file_entry(role, entry)

    def file(self, role: str) -> Path:
        """Return the path of one of the model's files after checking its hash.

        Raises:
            ModelError: when the manifest names no such file, or it is missing or changed.
        """
        if role not in self.files:
            raise ModelError(f"the manifest of {self.name} in {self.folder} names no {role} file")
        entry = self.files[role]
        path = self._locate(role, entry["name"])
        if not path.is_file():
            raise ModelError(f"{path} is missing; {self.name}'s manifest names it as its {role}")
        stat = path.stat()
        found = _sha256(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if found != entry["sha256"]:
            raise ModelError(
                f"{path} does not match its manifest: expected sha256 {entry['sha256'][:12]}…, "
                f"found {found[:12]}…; it is damaged or from another model, make it again"
            )
        return path

    def _locate(self, role: str, name: str) -> Path:
        beside = self.folder / name
        if role == "prototxt" and not beside.is_file():
            with contextlib.suppress(EdgeageError):
                shipped = data_dir("prototxt") / name
                return shipped if shipped.is_file() else beside
        return beside

    def with_files(self, folder: Path, **names: str) -> Manifest:
        """Return a copy that lives in ``folder`` and names these files there, hashed now."""
        files = {
            role: {"name": name, "sha256": sha256_file(folder / name)}
            for role, name in names.items()
        }
        return dataclasses.replace(self, folder=folder, files=files)

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as JSON-ready values, with its format's version."""
        fields = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("folder", "input")
        }
        fields["labels"] = list(self.labels)
        fields["group_ages"] = list(self.group_ages)
        return {"manifest": MANIFEST_VERSION, **fields, "input": self.input.to_dict()}

    def write(self, path: Path) -> None:
        """Write the manifest as JSON, whole or not at all."""
        with atomic_file(path) as temporary:
            text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read a manifest.

        Raises:
            ModelError: when it is missing, not JSON, of another version, or has unknown or
                missing fields.
        """
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ModelError(f"{path} is missing; expected a model's manifest there") from None
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} is not a readable manifest: {error}") from None
        if not isinstance(fields, dict) or fields.pop("manifest", None) != MANIFEST_VERSION:
            raise ModelError(f"{path} is not a manifest of version {MANIFEST_VERSION}")
        known = [field.name for field in dataclasses.fields(cls) if field.name != "folder"]
        for name in fields:
            if name not in known:
                raise ModelError(f"{path}: unknown field «{name}»{did_you_mean(name, known)}")
        try:
            spec = InputSpec.from_dict(fields.pop("input", {}))
            return cls(**fields, input=spec, folder=path.parent)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
        except (AttributeError, TypeError, ValueError) as error:
            raise ModelError(f"{path} is not a manifest edgeage understands: {error}") from None


def _check_file_entry(role: str, entry: Any) -> None:
    """Refuse an entry that does not name a file in the manifest's own folder, with its hash."""
    try:
        name, digest = entry["name"], entry["sha256"]
        sound = Path(name).name == name and len(digest) == 64
    except (KeyError, TypeError):
        sound = False
    if not sound:
        raise ModelError(
            f"expected a plain file name and a sha256 for the {role} file, got {entry!r}"
        )


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, *_state: int) -> str:
    """Hash a file once as long as its inode, size and time of change stay what they are."""
    return sha256_file(path)
