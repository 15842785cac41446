"""Files of every format, made here."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeage import caffe
from edgeage.datasets.store import DatumWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IR = """<?xml version="1.0"?>
<net name="Small" version="{version}">
  <layers>
    <layer id="0" name="data" type="Parameter" version="opset1">
      <data shape="1,3,4,5" element_type="u8"/>
      <output><port id="0" precision="U8" names="data">
        <dim>1</dim><dim>3</dim><dim>4</dim><dim>5</dim>
      </port></output>
    </layer>
    <layer id="1" name="w" type="Const" version="opset1">
      <data element_type="f16" shape="60" offset="0" size="120"/>
      <output><port id="0" precision="FP16"><dim>60</dim></port></output>
    </layer>
    <layer id="2" name="prob" type="SoftMax" version="{opset}">
      <data axis="1"/>
      <input><port id="0" precision="FP32"><dim>1</dim><dim>2</dim></port></input>
      <output><port id="1" precision="FP32" names="prob"><dim>1</dim><dim>2</dim></port></output>
    </layer>
    <layer id="3" name="prob/result" type="Result" version="opset1">
      <input><port id="0" precision="FP32"><dim>1</dim><dim>2</dim></port></input>
    </layer>
  </layers>
  <edges><edge from-layer="2" from-port="1" to-layer="3" to-port="0"/></edges>
  {more}
</net>
"""


@pytest.fixture
def write_ir(tmp_path: Path) -> Callable[..., Path]:
    """Write a small IR: ``write_ir(version=10, opset="opset1", more="", bin_bytes=120)``."""

    def write(
        version: int = 10, opset: str = "opset1", more: str = "", bin_bytes: int | None = 120
    ) -> Path:
        path = tmp_path / "small.xml"
        path.write_text(IR.format(version=version, opset=opset, more=more))
        if bin_bytes is not None:
            path.with_suffix(".bin").write_bytes(bytes(bin_bytes))
        return path

    return write


def blob_bytes(size: int = 4096) -> bytes:
    """A blob's header and noughts: one input «data», one output «prob», 36 stages."""

    def port(name: bytes) -> bytes:
        padded = name + b"\0" * (-len(name) % 16 or 16)
        return struct.pack("<IiI", 0, 0, len(padded)) + padded + bytes(28)

    tables = 52 + 80
    inputs, outputs = port(b"data"), port(b"prob")
    ends = [tables, tables + len(inputs), tables + len(inputs) + len(outputs)]
    header = struct.pack(
        "<20I",
        9709, size, 6, 0, 1, 1, 36, 154587, 36, 1, 1000, 9, 7, 1, 1, 1, *ends, ends[-1],
    )  # fmt: skip
    return (b"\x7felf" + bytes(48) + header + inputs + outputs).ljust(size, b"\0")


@pytest.fixture
def samples(tmp_path: Path, trained_models: Path, write_ir: Callable[..., Path]) -> dict[str, Path]:
    """One file of every kind, none with a telling name."""
    files: dict[str, Path] = {"caffemodel": trained_models / "agenet.caffemodel"}
    for kind, name in (("net", "agenet_deploy.prototxt"), ("manifest", "agenet.json")):
        files[kind] = trained_models / name
    files["ir"] = write_ir()
    files["blob"] = tmp_path / "blob"
    files["blob"].write_bytes(blob_bytes())
    mean = np.random.default_rng(0).uniform(90, 100, (3, 8, 9)).astype(np.float32)
    mean[2] += 30
    caffe.write_mean(tmp_path / "m.npy", mean)
    files["mean"] = (tmp_path / "m.npy").rename(tmp_path / "mean-npy")
    caffe.write_mean(tmp_path / "m.binaryproto", mean)
    files["mean.binaryproto"] = (tmp_path / "m.binaryproto").rename(tmp_path / "mean-proto")
    files["solver"] = tmp_path / "solver"
    files["solver"].write_text('net: "x.prototxt" base_lr: 0.01 lr_policy: "step" max_iter: 7')
    files["solverstate"] = tmp_path / "state"
    state = caffe.SolverState(1200, "here/net_iter_1200.caffemodel", [np.ones((2, 3))], 1)
    caffe.write_solverstate(files["solverstate"], state)
    files["lmdb"] = tmp_path / "set" / "age_test_lmdb"
    with DatumWriter(files["lmdb"]) as writer:
        for number in range(5):
            writer.put(f"{number}.png", np.full((3, 8, 9), number, np.uint8), number % 2)
    files["dataset"] = files["lmdb"].parent
    return files
