"""What the detectors of one network have in common, which sees each picture as a whole, once."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from edgeage.faces.network import Network, byte_input, input_layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgeage.faces.detection import Detection
    from edgeage.runtime.options import RuntimeOptions

__all__ = ["OnePassDetector"]

Place = TypeVar("Place")
"""What leads from the network's numbers back to the picture."""


class OnePassDetector(abc.ABC, Generic[Place]):
    """A detector of one network; see :class:`edgeage.faces.Detector`.

    Args:
        model: an ``openvino.Model`` whose first output says where the faces are.
        path: what to call it in an error.
        device: an OpenVINO device.
        options: how to use it; None for the defaults.
        min_score: faces of a lower score are left out; None for 0.5.
        min_size: faces whose box has no side so long, in pixels, are left out; None for none.

    Raises:
        DeviceError: when the device is not there or refuses the network.
        ModelError: when the network takes no pictures.
    """

    name: ClassVar[str]
    side: ClassVar[int]
    """Height and width in pixels for a network that takes any."""
    takes: ClassVar[Mapping[str, Any]] = {}
    """How its input differs from bytes in BGR; see :func:`edgeage.faces.network.byte_input`."""

    def __init__(
        self,
        model: Any,
        path: str,
        device: str = "CPU",
        options: RuntimeOptions | None = None,
        *,
        min_score: float | None = None,
        min_size: int | None = None,
    ) -> None:
        layout, self._input_hw = input_layout(model, self.side)
        self._network = Network(byte_input(model, layout, **self.takes), path, device, options)
        self._min_score = 0.5 if min_score is None else min_score
        self._min_size = min_size or 0

    def detect(self, pictures: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Find the faces of several pictures; see :meth:`edgeage.faces.Detector.detect`.

        Raises:
            DeviceError: when the device fails.
            UsageError: after :meth:`close`.
        """
        fitted = [self._fitted(picture) for picture in pictures]
        inputs = [np.ascontiguousarray(pixels[None]) for pixels, _ in fitted]
        return [
            self._read(outputs[0], place)
            for outputs, (_, place) in zip(self._network.infer(inputs), fitted, strict=True)
        ]

    def close(self) -> None:
        """Give the device and its memory back; closing twice is harmless."""
        self._network.close()

    @abc.abstractmethod
    def _fitted(self, picture_bgr: np.ndarray) -> tuple[np.ndarray, Place]:
        """Bring a picture to the network's size: uint8 (height, width, 3), BGR."""

    @abc.abstractmethod
    def _read(self, answer: np.ndarray, place: Place) -> list[Detection]:
        """Return the faces of the network's answer, in pixels of the picture, the surest first."""
