"""OpenVINO's IR: read from its XML alone, so that nothing that cannot read it can fail first."""

from __future__ import annotations

import collections
import dataclasses
import re
from typing import TYPE_CHECKING, Any

from edgeage.errors import ModelError
from edgeage.inspection.finding import Finding, Table
from edgeage.inspection.safexml import read_elements

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["IRText", "describe_ir", "read_ir"]

_READERS = {
    10: "2020.1 and later (the Movidius releases 2021.4 and 2022.3 too)",
    11: "2022.1 and later (of the Movidius releases 2022.3, not 2021.4)",
}
# The newest operation set of the releases that still drive a stick («Available Operations Sets»
# of OpenVINO's documentation).
_OPSETS = {"2021.4": 7, "2022.3": 10}
# Of Model Optimizer's four dozen options, those that change what a network answers.
_TELLING_OPTIONS = ("data_type", "mean_values", "scale_values", "reverse_input_channels")
_OLD_NAMES = {"FP32": "f32", "FP16": "f16", "I64": "i64", "I32": "i32", "U8": "u8", "I8": "i8"}


@dataclasses.dataclass
class IRText:
    """What the XML of an IR says.

    Attributes:
        name: of the network.
        version: of the format.
        layers: layer id → its attributes (``name``, ``type``, ``version``, …).
        data: layer id → the attributes of its ``data`` element.
        ports: (layer id, port id) → ``precision``, ``names`` and ``dims``.
        edges: (layer id, port id) of an input → of the output that feeds it.
        stored: element type, offset and size in bytes of every constant in the ``.bin``.
        info: the values under ``rt_info`` and ``meta_data`` by their names joined by ``/``; of
            Model Optimizer's options only those that change the answers.
        preprocess: whether there is a ``pre-process`` section.
    """

    name: str = ""
    version: int = 0
    layers: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    data: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    ports: dict[tuple[str, str], dict[str, Any]] = dataclasses.field(default_factory=dict)
    edges: dict[tuple[str, str], tuple[str, str]] = dataclasses.field(default_factory=dict)
    stored: list[tuple[str, int, int]] = dataclasses.field(default_factory=list)
    info: dict[str, str] = dataclasses.field(default_factory=dict)
    preprocess: bool = False


def read_ir(path: Path) -> IRText:
    """Read the XML of an IR without OpenVINO.

    Raises:
        ModelError: when it is not an IR, damaged, or not safe to read.
    """
    reader = _Reader(path)
    read_elements(path, reader.visit, reader.visit_text)
    return reader.ir


class _Reader:
    def __init__(self, path: Path) -> None:
        self.ir = IRText()
        self._path = path
        self._layer = self._port = ""

    def visit(self, names: tuple[str, ...], given: dict[str, str]) -> None:
        if len(names) == 1:
            self._root(names[0], given)
        elif "rt_info" in names or "meta_data" in names:
            self._info(names, given)
        elif names[1] == "pre-process":
            self.ir.preprocess = True
        elif names[1:] == ("edges", "edge"):
            ends = [given.get(key, "") for key in ("to-layer", "to-port", "from-layer")]
            self.ir.edges[ends[0], ends[1]] = (ends[2], given.get("from-port", ""))
        # Layers of a loop's body are inside a layer of their own; they count as part of it.
        elif names[1:3] == ("layers", "layer") and "body" not in names:
            self._in_layer(names[3:], given)

    def visit_text(self, names: tuple[str, ...], text: str) -> None:
        if names[-2:] == ("port", "dim") and (self._layer, self._port) in self.ir.ports:
            self.ir.ports[self._layer, self._port]["dims"].append(text)

    def _root(self, name: str, given: dict[str, str]) -> None:
        version = given.get("version", "")
        if name == "compiled_blob":
            raise ModelError(
                f"{self._path} is a cache file of OpenVINO for another device than MYRIAD"
            )
        if name != "net" or not re.fullmatch(r"\d{1,4}", version):
            raise ModelError(
                f"{self._path} is XML, but no IR: its outermost element is «{name[:40]}», "
                "expected «net» with a version"
            )
        self.ir.name, self.ir.version = given.get("name", ""), int(version)

    def _info(self, names: tuple[str, ...], given: dict[str, str]) -> None:
        if "layer" in names or "value" not in given:
            return
        if "cli_parameters" in names and names[-1] not in _TELLING_OPTIONS:
            return
        own = names[2:-1] if names[-1] == "info" else names[2:]
        self.ir.info["/".join([*own, *([given["name"]] if "name" in given else [])])] = given[
            "value"
        ]

    def _in_layer(self, inner: tuple[str, ...], given: dict[str, str]) -> None:
        if not inner:
            self._layer = given.get("id", str(len(self.ir.layers)))
            self.ir.layers[self._layer] = given
        elif inner == ("data",):
            self.ir.data[self._layer] = given
            self._store(given.get("element_type"), given)
        elif inner[-1] == "port":
            self._port = given.get("id", "")
            self.ir.ports[self._layer, self._port] = {**given, "dims": [], "end": inner[0]}
        elif inner[0] in ("weights", "biases", "blobs") and "offset" in given:
            self._store(given.get("precision", self.ir.layers[self._layer].get("precision")), given)

    def _store(self, kind: str | None, given: dict[str, str]) -> None:
        sizes = [given.get("offset", ""), given.get("size", "")]
        if all(size.isdecimal() and len(size) < 19 for size in sizes):
            name = _OLD_NAMES.get(kind or "", kind or "unknown")
            self.ir.stored.append((name, int(sizes[0]), int(sizes[1])))


def describe_ir(path: Path) -> Finding:
    """Explain an IR and say whether its ``.bin`` fits.

    Raises:
        ModelError: as :func:`read_ir`.
    """
    ir = read_ir(path)
    counted = collections.Counter(
        (layer.get("type", ""), layer.get("version", "")) for layer in ir.layers.values()
    )
    weights = _weights(path, ir)
    facts = {
        "network": ir.name,
        "ir_version": ir.version,
        "read_by_openvino": _READERS.get(ir.version, _other_readers(ir.version)),
        "operation_sets": sorted({opset for _, opset in counted if opset}, key=_opset_number),
        "operations": len(ir.layers),
        **weights,
        "info": ir.info,
    }
    ends = [*_inputs(ir), *_outputs(ir)]
    tables = (
        Table("ends", ("end", "name", "shape", "element_type"), tuple(ends)),
        Table(
            "operation_types",
            ("type", "operation_set", "count"),
            tuple((*kind, count) for kind, count in sorted(counted.items())),
        ),
    )
    precisions = " and ".join(weights["weights_by_type"]) or "no"
    summary = f"OpenVINO IR version {ir.version}, {precisions} weights"
    return Finding(path, "ir", summary, facts, tables, tuple(_notes(ir, weights)))


def _other_readers(version: int) -> str:
    if version < 8:
        return "releases up to 2021.4 only"
    return "unknown: newer than edgeage knows" if version > 11 else "none that was released"


def _opset_number(name: str) -> tuple[int, str]:
    digits = re.fullmatch(r"opset(\d{1,4})", name)
    return (int(digits[1]) if digits else 0, name)


def _inputs(ir: IRText) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for key, layer in ir.layers.items():
        if layer.get("type") in ("Parameter", "Input"):
            port = _first_output(ir, key)
            kind = ir.data.get(key, {}).get("element_type") or layer.get("precision")
            rows.append(("input", layer.get("name", ""), _shape(ir, key, port), kind))
    return rows


def _outputs(ir: IRText) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for key, layer in ir.layers.items():
        if layer.get("type") != "Result":
            continue
        source = next((end for to, end in ir.edges.items() if to[0] == key), ("", ""))
        port = ir.ports.get(source, {})
        name = port.get("names") or ir.layers.get(source[0], {}).get("name", "")
        kind = port.get("precision", "")
        rows.append(("output", name, _numbers(port.get("dims", [])), _OLD_NAMES.get(kind, kind)))
    return rows


def _first_output(ir: IRText, key: str) -> dict[str, Any]:
    return next((port for (layer, _), port in ir.ports.items() if layer == key), {})


def _shape(ir: IRText, key: str, port: dict[str, Any]) -> list[Any]:
    text = ir.data.get(key, {}).get("shape", "")
    return _numbers(text.split(",")) if text else _numbers(port.get("dims", []))


def _numbers(parts: list[str]) -> list[Any]:
    """Turn a shape's sides into numbers; one that may vary stays as it is written."""
    return [int(part) if part.strip().isdecimal() else part.strip() for part in parts]


def _weights(path: Path, ir: IRText) -> dict[str, Any]:
    by_type: collections.Counter[str] = collections.Counter()
    for kind, _, size in ir.stored:
        by_type[kind] += size
    needed = max((offset + size for _, offset, size in ir.stored), default=0)
    file = path.with_suffix(".bin")
    found = file.stat().st_size if file.is_file() else None
    return {
        "weights_by_type": dict(by_type.most_common()),
        "bin": file.name,
        "bin_bytes": found,
        "bin_bytes_needed": needed,
        "bin_fits": found is not None and found >= needed,
    }


def _notes(ir: IRText, weights: dict[str, Any]) -> list[str]:
    notes = []
    found, needed = weights["bin_bytes"], weights["bin_bytes_needed"]
    if found is None and needed:
        notes.append(f"{weights['bin']} is missing; the IR cannot be loaded without it")
    elif found is not None and found < needed:
        notes.append(
            f"{weights['bin']} has {found:,} bytes, the IR needs {needed:,}: it is cut short or "
            "of another IR"
        )
    elif found is not None and found > needed:
        notes.append(f"{weights['bin']} has {found - needed:,} bytes more than the IR uses")
    newest = max((_opset_number(x.get("version", ""))[0] for x in ir.layers.values()), default=0)
    notes += [
        f"it uses opset{newest}, OpenVINO {release} knows up to opset{known}"
        for release, known in _OPSETS.items()
        if newest > known
    ]
    if ir.preprocess:
        notes.append(
            "it has a <pre-process> section (Model Optimizer's --mean_file), which OpenVINO 2022 "
            "and later do not read"
        )
    return notes
