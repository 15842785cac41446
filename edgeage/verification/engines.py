"""The engines a network can be run in, each behind the same small interface."""

from __future__ import annotations

import abc
import importlib
from typing import TYPE_CHECKING

from edgeage.compiler.profiles import Profile, read_profile
from edgeage.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from edgeage.compiler.sources import TrainedModel
    from edgeage.verification.subject import Subject

__all__ = ["ENGINES", "Engine", "TrainedEngine", "make_engines"]

ENGINES = {
    "caffe": "foreign.CaffeEngine",
    "cv2": "local.OpenCVEngine",
    "torch": "local.TorchEngine",
    "openvino-fp32": "graphs.OpenVINOEngine",
    "openvino-fp16": "graphs.HalfWeightsEngine",
    "compiled": "graphs.CompiledEngine",
    "openvino-2021.4": "foreign.OpenVINO2021Engine",
    "openvino-2022.3": "foreign.OpenVINO2022Engine",
    "fp16": "local.HalfEngine",
}
"""Where each engine is, by its name; the first of them that runs is the others' reference."""


class Engine(abc.ABC):
    """One way to run a network.

    Args:
        subject: the network.
        folder: an empty folder for files it makes, which the caller removes.

    Attributes:
        key: its name on the command line.
        name: what it is; with its version once it has run.
    """

    key: str
    name: str

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.subject, self.folder = subject, folder

    @property
    def profile(self) -> Profile:
        """The profile whose tolerances it must keep; the CPU's in single precision."""
        return read_profile("CPU", "FP32")

    @abc.abstractmethod
    def problem(self) -> str | None:
        """Say in one line why it cannot run here, or None when it can."""

    @abc.abstractmethod
    def layers(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network.

        Args:
            batch: uint8 (n, 3, height, width), BGR, of the network's input size.

        Returns:
            float32 arrays of n rows by the name of the Caffe blob: the output, and as many of the
            other points as this engine can show.

        Raises:
            EdgeageError: when it fails.
        """


class TrainedEngine(Engine):
    """An engine that runs the trained network."""

    def problem(self) -> str | None:
        """Say why it cannot run here, or None when it can."""
        if self.subject.trained is None:
            return "the network this was compiled from is not known; name it with --trained"
        return self.tool_problem()

    def tool_problem(self) -> str | None:
        """Say what it needs and is not here; None when everything is."""
        return None

    @property
    def trained(self) -> TrainedModel:
        """The trained network, which :meth:`problem` has looked for."""
        assert self.subject.trained is not None
        return self.subject.trained


def make_engines(subject: Subject, folder: Path, keys: Sequence[str] | None = None) -> list[Engine]:
    """Make the engines asked for, in the order of :data:`ENGINES`.

    Args:
        subject: the network.
        folder: an empty folder for files they make.
        keys: names of engines; None for all that concern the network.

    Raises:
        UsageError: for an unknown name, or «compiled» without a compiled model.
    """
    for key in keys or ():
        if key not in ENGINES:
            raise UsageError(
                f"unknown engine «{key}»; expected {', '.join(ENGINES)}{did_you_mean(key, ENGINES)}"
            )
    if subject.compiled is None:
        if "compiled" in (keys or ()):
            raise UsageError("engine «compiled» needs the folder of a compiled model as MODEL")
        keys = keys or [key for key in ENGINES if key != "compiled"]
    return [
        _make(place, subject, folder) for key, place in ENGINES.items() if key in (keys or ENGINES)
    ]


def _make(place: str, subject: Subject, folder: Path) -> Engine:
    module, name = place.split(".")
    kind: type[Engine] = getattr(importlib.import_module(f"edgeage.verification.{module}"), name)
    return kind(subject, folder)
