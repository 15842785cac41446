"""AgeNet and GenderNet in other people's runtimes, each given its fastest way of many faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edgeage.compiler import Int8Options, TrainedModel, find_model
from edgeage.compiler.imported import compile_imported, find_imported
from edgeage.compiler.sources import RELEASED
from edgeage.errors import ModelError
from edgeage.speed import Figures, take_turns
from edgeage.testing import write_random_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Network = Callable[[np.ndarray], np.ndarray]

__all__ = ["COMPACT", "Peer", "compact", "onnx_peer", "opencv_peer", "trained_models"]

COMPACT = ("edgeage-s", "edgeage-xs")
"""The networks of both tasks that come with edgeage."""

_CHUNKS = (1, 8, 32)


def trained_models(names: Sequence[str], folder: Path) -> tuple[list[TrainedModel], str]:
    """Return the networks of these names or files, and whether they are released, given or random.

    Where the released ones are asked for and not installed, random ones of the same form stand in
    for them: speed does not depend on the weights.
    """
    released = tuple(names) == RELEASED
    try:
        return [find_model(name) for name in names], "released" if released else "given"
    except ModelError:
        if not released:
            raise
        random = [write_random_model(folder / "random", task) for task in ("age", "gender")]
        return [find_model(path) for path in random], "random"


class Peer:
    """Both networks on faces, so many at a time.

    Args:
        networks: each takes uint8 (n, 3, height, width), BGR, and answers (n, labels).

    Attributes:
        chunk: faces a run takes.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self.chunk = 1

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Return both networks' answers side by side, (n, labels of both)."""
        parts = [batch[at : at + self.chunk] for at in range(0, len(batch), self.chunk)]
        columns = [np.concatenate([run(part) for part in parts]) for run in self._networks]
        return np.hstack(columns)

    def tune(self, batch: np.ndarray, seconds: float) -> Peer:
        """Take the chunk with which these faces go fastest."""
        rates = {}
        for self.chunk in _CHUNKS:
            (lap,) = take_turns([lambda: self(batch)], seconds=seconds, rounds=1)
            rates[self.chunk] = Figures.of(lap.turns_ms).img_per_s
        self.chunk = max(rates, key=lambda chunk: rates[chunk])
        return self


def opencv_peer(models: Sequence[TrainedModel]) -> Peer:
    """Return both networks in OpenCV, whose threads ``cv2.setNumThreads`` sets."""
    return Peer([_opencv_network(model) for model in models])


def _opencv_network(trained: TrainedModel) -> Network:
    net = cv2.dnn.readNetFromCaffe(str(trained.prototxt), str(trained.caffemodel))

    def run(batch: np.ndarray) -> np.ndarray:
        net.setInput(np.subtract(batch, trained.mean, dtype=np.float32))
        return net.forward().copy()

    return run


def onnx_peer(models: Sequence[TrainedModel], folder: Path, threads: int) -> Peer:
    """Return both networks in onnxruntime on the CPU, in fp32, all optimisations on."""
    return Peer([_onnx_network(model, folder, threads) for model in models])


def _onnx_network(trained: TrainedModel, folder: Path, threads: int) -> Network:
    import onnxruntime
    from onnx_export import write_onnx

    path = write_onnx(trained, folder / f"{trained.manifest.name}.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session: Any = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"pixels": batch})[0]


def compact(name: str, folder: Path, precision: str, data: Path | None) -> Path | None:
    """Compile a network of both tasks for the CPU; None where its weights are not installed.

    Args:
        name: one that comes with edgeage, such as ``"edgeage-s"``.
        folder: gets a folder of the network and the precision.
        precision: ``"FP32"``, ``"FP16"`` or ``"INT8"``.
        data: a built data set for INT8.
    """
    network = find_imported(name)
    if network is None:
        return None
    place = folder / f"{name}-{precision}"
    # What it loses is measured elsewhere; here it is timed.
    int8 = Int8Options(max_drop=100) if precision == "INT8" else None
    return compile_imported(network, place, precision=precision, data=data, int8=int8).folder
