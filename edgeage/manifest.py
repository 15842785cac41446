"""The manifest: one JSON file beside every trained or compiled model that says all about it.

A trained model ``NAME.caffemodel`` has ``NAME.json`` beside it; a compiled one is a folder with
a ``model.json``. Both have the same fields. For somebody else's network a short one is written by
hand, in which the hashes may be left out; :meth:`Manifest.file` refuses a file whose bytes are not
those that were hashed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.errors import EdgeageError, ModelError, did_you_mean
from edgeage.manifestfile import MANIFEST_VERSION, check_file_entry, for_others, read_fields
from edgeage.networkinput import NetworkInput, input_from_dict, input_to_dict
from edgeage.outputs import ONE_OUTPUT, Output, outputs_from_fields, outputs_to_fields
from edgeage.paths import atomic_file, data_dir, sha256_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.inputspec import InputSpec

__all__ = ["MANIFEST_VERSION", "Manifest"]

_KINDS = {"str": str, "dict": dict}
_NOT_WRITTEN = ("folder", "network_input")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Everything needed to run a model and to know where it comes from.

    Attributes:
        name: ``"agenet"``, ``"gendernet"`` or another model's name.
        input: how a face becomes the network's input.
        outputs: what each of the network's outputs means, one a task.
        network_input: what the network takes in place of uint8 BGR when edgeage did not compile
            it; None for edgeage's own.
        input_name: name of the network's input; empty for the only one.
        files: role (``caffemodel``, ``prototxt``, ``mean``, ``ir_xml``, ``ir_bin``, ``onnx``,
            ``blob``) to ``{"name": file name beside the manifest, "sha256": …}``; a ``prototxt``
            that is not beside it is one of the package's own. Only files of somebody else's
            network may be without a hash.
        source: where the weights come from: their hash, data set, licence, recipe.
        target: device the files are for (``"CPU"``, …); empty for a trained model.
        precision: ``"FP32"``, ``"FP16"`` or ``"INT8"``.
        options: what the runtime is told when it opens the device, in its own words.
        tools: name and version of each tool that had a part in it.
        blob: what the header of the blob for a Myriad X says, and the options it was compiled
            with; empty without a blob.
        parity: how far the compiled network is from the trained one, and on what it was measured.
        folder: where the manifest was read from; not stored.

    Raises:
        ModelError: for fields that are of another kind or do not go together.
    """

    name: str
    input: InputSpec
    outputs: tuple[Output, ...]
    network_input: NetworkInput | None = None
    input_name: str = "data"
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
        object.__setattr__(self, "outputs", tuple(self.outputs))
        for field in dataclasses.fields(self):
            kind = _KINDS.get(str(field.type).partition("[")[0])
            if kind is not None and not isinstance(value := getattr(self, field.name), kind):
                raise ModelError(f"expected {field.name} as {kind.__name__}, got {value!r}")
        for word, values in (("task", self.tasks), ("name", [o.name for o in self.outputs])):
            if not values or len(set(values)) != len(values):
                raise ModelError(
                    f"expected outputs, each of another {word}, got {list(values) or 'none'}"
                )
        for role, entry in self.files.items():
            check_file_entry(role, entry, hashed=self.is_own)

    @classmethod
    def classifier(
        cls,
        name: str,
        task: str,
        labels: Sequence[str],
        input: InputSpec,  # noqa: A002
        *,
        group_ages: Sequence[float] = (),
        output_name: str = "prob",
        **fields: Any,
    ) -> Manifest:
        """Make the manifest of a network whose one output is a probability a class.

        Args:
            name: the network's name.
            task: ``"age"`` or ``"gender"``.
            labels: the classes in output order.
            input: how a face becomes the network's input.
            group_ages: for age, the years that stand for each class.
            output_name: the output's name in the network.
            fields: the other attributes.

        Returns:
            The manifest, with that one output.

        Raises:
            ModelError: for what does not go together.

        >>> from edgeage import GENDERS, InputSpec
        >>> Manifest.classifier("gendernet", "gender", GENDERS, InputSpec()).tasks
        ('gender',)
        """
        output = Output(output_name, task, "classes", tuple(labels), tuple(group_ages))
        return cls(name, input, (output,), **fields)

    @property
    def is_own(self) -> bool:
        """Whether the network takes bytes as edgeage's own do."""
        return self.network_input is None

    @property
    def tasks(self) -> tuple[str, ...]:
        """What the network answers: ``"age"``, ``"gender"`` or both."""
        return tuple(output.task for output in self.outputs)

    @property
    def task(self) -> str:
        """The task of one of edgeage's own classifications; ModelError for any other network."""
        return self._classification.task

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of one of edgeage's own classifications; ModelError for any other."""
        return self._classification.labels

    @property
    def group_ages(self) -> tuple[float, ...]:
        """Years that stand for each class, of edgeage's own classifications of age."""
        return self._classification.group_ages

    @property
    def output_name(self) -> str:
        """The output's name, of edgeage's own classifications."""
        return self._classification.name

    @property
    def _classification(self) -> Output:
        if not self.is_own or len(self.outputs) > 1 or self.outputs[0].kind != "classes":
            raise ModelError(
                f"{self.name} is not a classification in edgeage's own form, which is needed "
                f"here; it can be used by a Predictor and by «edgeage infer»"
            )
        return self.outputs[0]

    def file(self, role: str) -> Path:
        """Return the path of one of the model's files after checking its hash.

        Args:
            role: what the file is to the model, for example ``"ir_xml"`` or ``"caffemodel"``.

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
        if found != entry.get("sha256", found):
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
        """Return a copy that lives in a folder and names files there, hashed now.

        Args:
            folder: where the files are.
            names: the files' names in it, by their roles.
        """
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
            if field.name not in (*_NOT_WRITTEN, "input", "outputs")
        }
        described = input_to_dict(self.input, self.network_input)
        meaning = outputs_to_fields(self.outputs, short=self.is_own)
        return {"manifest": MANIFEST_VERSION, **fields, **meaning, "input": described}

    def write(self, path: Path) -> None:
        """Write the manifest as JSON, whole or not at all.

        Args:
            path: the file, ``model.json`` beside a compiled model.
        """
        with atomic_file(path) as temporary:
            text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read a manifest.

        Args:
            path: a ``model.json``, or the manifest beside a trained network.

        Returns:
            The manifest, whose ``folder`` is the file's.

        Raises:
            ModelError: when it is missing, not JSON, of another version, or has unknown or
                missing fields.
        """
        fields = read_fields(path)
        known = [field.name for field in dataclasses.fields(cls) if field.name not in _NOT_WRITTEN]
        for name in fields:
            if name not in (*known, *ONE_OUTPUT):
                hint = did_you_mean(name, (*known, *ONE_OUTPUT))
                raise ModelError(f"{path}: unknown field «{name}»{hint}")
        try:
            spec, network_input = input_from_dict(fields.pop("input", {}))
            outputs = outputs_from_fields(fields)
            if network_input is not None:
                fields = for_others(fields)
            return cls(
                **fields, input=spec, network_input=network_input, outputs=outputs,
                folder=path.parent,
            )  # fmt: skip
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
        except (AttributeError, TypeError, ValueError) as error:
            raise ModelError(f"{path} is not a manifest edgeage understands: {error}") from None


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, *_state: int) -> str:
    """Hash a file once as long as its inode, size and time of change stay what they are."""
    return sha256_file(path)
