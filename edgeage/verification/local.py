"""Engines in this Python that run the trained network as it is: OpenCV, torch, half precision."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.compiler.profiles import Profile, read_profile
from edgeage.errors import MissingDependencyError, ModelError, one_line, require
from edgeage.verification.engines import TrainedEngine
from edgeage.verification.points import by_blob

if TYPE_CHECKING:
    from edgeage.verification.points import Point

__all__ = ["HalfEngine", "OpenCVEngine", "TorchEngine"]

_ROWS = 16


class OpenCVEngine(TrainedEngine):
    """OpenCV's own Caffe importer, which shares no code with anything of ours."""

    key, name = "cv2", "OpenCV dnn"

    @functools.cached_property
    def _net(self) -> Any:
        import cv2

        self.name = f"OpenCV {cv2.__version__} dnn"
        return cv2.dnn.readNetFromCaffe(str(self.trained.prototxt), str(self.trained.caffemodel))

    def layers(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Run it picture by picture; see :meth:`Engine.layers`."""
        import cv2

        names = [point.layer for point in self.subject.points]
        rows = []
        try:
            for pixels in self.subject.normalised(batch):
                self._net.setInput(pixels[None])
                rows.append([np.array(array) for array in self._net.forward(names)])
        except cv2.error as error:
            raise ModelError(
                f"OpenCV cannot run {self.trained.caffemodel}: {one_line(error)}"
            ) from None
        stacked = (np.concatenate(column) for column in zip(*rows, strict=True))
        return by_blob(self.subject.points, dict(zip(names, stacked, strict=True)))


class TorchEngine(TrainedEngine):
    """The network as ``edgeage train`` runs it."""

    key, name = "torch", "torch"

    def tool_problem(self) -> str | None:
        """Say how to get torch where it is not installed."""
        try:
            torch = require("torch", extra="train", purpose="run the torch engine")
        except MissingDependencyError as error:
            return str(error)
        self.name = f"torch {torch.__version__}"
        return None

    @functools.cached_property
    def _net(self) -> Any:
        from edgeage import caffe
        from edgeage.training.net import TorchNet

        shape = (3, *self.trained.manifest.input.input_hw)
        net = TorchNet(caffe.read_net(self.trained.prototxt), shape, phases=("TEST",))
        _, left = net.load(caffe.read_weights(self.trained.caffemodel))
        if left:
            raise ModelError(f"{self.trained.caffemodel} has no fitting weights for {left[0]}")
        return net

    def layers(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Run it a few pictures at a time; see :meth:`Engine.layers`."""
        import torch

        pixels = torch.from_numpy(self.subject.normalised(batch))
        parts = []
        with torch.no_grad():
            for start in range(0, len(pixels), _ROWS):
                rows = pixels[start : start + _ROWS]
                blobs = self._net.forward("TEST", rows, torch.zeros(len(rows)))
                parts.append({point.blob: _shown(point, blobs) for point in self.subject.points})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _shown(point: Point, blobs: dict[str, Any]) -> np.ndarray:
    array = np.ascontiguousarray(blobs[point.blob].numpy())
    # The engine moves a ReLU behind the pooling that follows it, which gives the same but leaves
    # the blob before the pooling unclipped; clipping twice changes nothing.
    return np.maximum(array, 0) if point.clipped else array


class HalfEngine(TrainedEngine):
    """Half precision between all layers, as a stick keeps its numbers, simulated on the CPU."""

    key, name = "fp16", "half precision, simulated"

    @property
    def profile(self) -> Profile:
        """The stick's profile."""
        return read_profile("MYRIAD", "FP16")

    @functools.cached_property
    def _net(self) -> Any:
        from edgeage.compiler.half import HalfNetwork

        return HalfNetwork(self.trained, lrn_scale=self.profile.lrn_scale)

    def layers(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Round every weight and all that a layer hands on; see :meth:`Engine.layers`."""
        parts = [by_blob(self.subject.points, part) for part in self._net.chunks(batch)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
