"""A Neural Compute Stick that is not there; see ``tests/standin``."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeage.inputspec import InputSpec
from edgeage.labels import TASK_LABELS
from edgeage.manifest import Manifest
from edgeage.movidius.toolchain import Toolchain

_HOME = Path(__file__).resolve().parent.parent / "standin"
SIDE = 8


@dataclasses.dataclass(frozen=True)
class StandIn:
    """A Python that has a stand-in for OpenVINO instead of the Movidius tools.

    ``folder`` holds what the device is told (see ``tests/standin/device.py``).
    """

    folder: Path
    python: Path

    @property
    def toolchain(self) -> Toolchain:
        return Toolchain(self.python, managed=False)

    def tell(self, **what: object) -> None:
        for name, value in what.items():
            (self.folder / f".{name}").write_text(str(value), encoding="utf-8")
            (self.folder / f".{name}").replace(self.folder / name)

    def loads(self) -> list[list[str]]:
        """The device, the file, the start and the end of every load."""
        path = self.folder / "loads"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def model(self, task: str = "age", *, blob: bool = False) -> Manifest:
        """A model only this device can read, on disk."""
        labels = TASK_LABELS[task]
        network = json.dumps({"input": [3, SIDE, SIDE], "labels": len(labels)})
        files = {"ir_xml": f"{task}.xml", "ir_bin": f"{task}.bin"}
        if blob:
            files["blob"] = f"{task}.blob"
        for name in files.values():
            (self.folder / name).write_text(network)
        spec = InputSpec((SIDE, SIDE), (SIDE, SIDE), mean="none")
        manifest = Manifest.classifier(f"{task}net", task, labels, spec)
        return manifest.with_files(self.folder, **files)


def stand_in(folder: Path, api: str = "old") -> StandIn:
    python = folder / "python"
    path = os.pathsep.join([str(_HOME / api), str(_HOME)])
    python.write_text(
        f'#!/bin/sh\nSTANDIN="{folder}" PYTHONPATH="{path}" PYTHONDONTWRITEBYTECODE=1 '
        f'exec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    return StandIn(folder, python)


@pytest.fixture
def standin(tmp_path: Path) -> StandIn:
    """A stand-in that speaks as OpenVINO 2021.4 does."""
    (tmp_path / "standin").mkdir()
    return stand_in(tmp_path / "standin")


@pytest.fixture(params=["old", "new"])
def either_standin(tmp_path: Path, request: pytest.FixtureRequest) -> StandIn:
    """A stand-in that speaks as OpenVINO 2021.4 or as 2022 does."""
    (tmp_path / "standin").mkdir()
    return stand_in(tmp_path / "standin", request.param)


@pytest.fixture
def numbered():
    """Pictures that each hold a number, which the stand-in answers."""

    def make(numbers) -> np.ndarray:
        batch = np.zeros((len(numbers), 3, SIDE, SIDE), np.uint8)
        for picture, number in zip(batch, numbers, strict=True):
            picture[0, 0, :2] = number % 256, number // 256
        return batch

    return make
