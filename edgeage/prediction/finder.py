"""Which faces of a picture are looked at: those a detector finds, or the picture as a whole."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import TYPE_CHECKING, cast

from edgeage.errors import UsageError, did_you_mean
from edgeage.runtime.devices import device_name, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from edgeage.faces import Detection, Detector, FaceSquare, Rechecking
    from edgeage.runtime.options import RuntimeOptions

__all__ = ["DETECT", "FaceFinder", "FoundFace", "detector_device"]

DETECT = ("auto", "always", "never")
"""When a detector looks for faces; see :class:`edgeage.Predictor`."""

Box = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class FoundFace:
    """One face to look at.

    Attributes:
        box: left, top, right and bottom edge in pixels, inside the picture; right and bottom
            excluded.
        detection: what the detector says of it; None where it found nothing or was not asked.
        is_whole: whether the whole picture is taken as the face.
    """

    box: Box
    detection: Detection | None = None
    is_whole: bool = False


class FaceFinder:
    """Finds the faces to look at; safe to use from several threads.

    The detector is opened when the first picture needs it.

    Args:
        detector: its name, the path of its network, or a detector, which stays the caller's to
            close; None to look for no face.
        detect: ``"auto"``, ``"always"`` or ``"never"``.
        device: where the networks of a detector that is opened here run.
        options: how that device is to be used.
        min_face: longer side in pixels of the smallest face such a detector looks for; None for
            its own.

    Raises:
        UsageError: for an unknown name, a ``min_face`` below 1 or for a detector that is open
            already, or where a detector is wanted and there is none.
    """

    def __init__(
        self,
        detector: str | Path | Detector | None,
        detect: str,
        *,
        device: str = "CPU",
        options: RuntimeOptions | None = None,
        min_face: int | None = None,
    ) -> None:
        if detect not in DETECT:
            raise UsageError(
                f"unknown detect «{detect}»{did_you_mean(detect, DETECT)}; expected one of "
                f"{', '.join(DETECT)}"
            )
        if detector is None and detect == "always":
            raise UsageError("detect «always» needs a detector, got None; name one, or «never»")
        _check(detector, min_face)
        self.detect = "never" if detector is None else detect
        self._wanted, self._device, self._options = detector, device, options
        self._min_face = min_face
        self._lock = threading.Lock()
        self._opened: Detector | None = None
        self._closed = False

    def find(
        self, pictures: Sequence[np.ndarray], squares: Callable[[Detection], Sequence[FaceSquare]]
    ) -> list[list[FoundFace]]:
        """Find the faces of several pictures, the surest first.

        Args:
            pictures: uint8 arrays of shape (height, width, 3), BGR.
            squares: tells what would be cut out of a picture for a face: a square a network
                input.

        Returns:
            For each picture its faces; empty only with detect «always».

        Raises:
            DeviceError: when the detector's device fails.
            ModelError: when the detector's network is missing or damaged.
            MissingDependencyError: when the detector's package is not installed.
            UsageError: after :meth:`close`.
        """
        found = self.find_all(pictures)
        if self.detect != "auto":
            return found
        return [
            self._chosen(picture, faces, squares)
            for picture, faces in zip(pictures, found, strict=True)
        ]

    def find_all(self, pictures: Sequence[np.ndarray]) -> list[list[FoundFace]]:
        """Find the faces there are; with detect «never» every picture is one.

        Args:
            pictures: uint8 arrays of shape (height, width, 3), BGR.

        Returns:
            For each picture its faces, none where none is found.

        Raises:
            EdgeageError: as :meth:`find`.
        """
        if self.detect == "never":
            return [[_whole(picture)] for picture in pictures]
        found = self.open().detect(pictures)
        return [
            [FoundFace(box, one) for one in detections if (box := _clipped(one, picture))]
            for picture, detections in zip(pictures, found, strict=True)
        ]

    @property
    def looks_again(self) -> bool:
        """Whether the detector can look for faces where they are expected alone; opens it.

        Raises:
            EdgeageError: as :meth:`open`.
        """
        from edgeage.faces import Rechecking

        return self.detect != "never" and isinstance(self.open(), Rechecking)

    def look_again(
        self, picture: np.ndarray, boxes: Sequence[tuple[float, float, float, float]]
    ) -> list[FoundFace | None]:
        """Look for faces where they are expected alone, where :attr:`looks_again`.

        Args:
            picture: uint8 array of shape (height, width, 3), BGR.
            boxes: as :meth:`edgeage.faces.Rechecking.look_again` takes them.

        Returns:
            For each box the face there, or None where it is no more.

        Raises:
            EdgeageError: as :meth:`find`.
        """
        found = cast("Rechecking", self.open()).look_again(picture, boxes)
        return [
            FoundFace(box, one) if one is not None and (box := _clipped(one, picture)) else None
            for one in found
        ]

    def open(self) -> Detector:
        """Open the detector unless it is open.

        Raises:
            DeviceError: when the detector's device is not there or refuses it.
            ModelError: when the detector's network is missing or damaged.
            MissingDependencyError: when the detector's package is not installed.
            UsageError: after :meth:`close`.
        """
        from edgeage.faces import open_detector

        with self._lock:
            if self._closed or self._wanted is None:
                raise UsageError("this face finder has no detector, or is closed; make a new one")
            if self._opened is None:
                self._opened = open_detector(
                    self._wanted,
                    device=self._device,
                    options=self._options,
                    min_size=self._min_face,
                )
            return self._opened

    def close(self) -> None:
        """Close the detector that was opened here; closing twice is harmless."""
        with self._lock:
            self._closed = True
            opened, self._opened = self._opened, None
        if opened is not None and opened is not self._wanted:
            opened.close()

    @staticmethod
    def _chosen(
        picture: np.ndarray,
        faces: list[FoundFace],
        squares: Callable[[Detection], Sequence[FaceSquare]],
    ) -> list[FoundFace]:
        from edgeage.faces import is_face_crop

        if not faces:
            return [_whole(picture)]
        for detection in (face.detection for face in faces if face.detection):
            if all(is_face_crop(picture.shape[:2], square) for square in squares(detection)):
                return [dataclasses.replace(_whole(picture), detection=detection)]
        return faces


def detector_device(device: str) -> str:
    """Return where a detector runs beside networks on a device: never on a stick or a camera.

    >>> [detector_device(name) for name in ("MYRIAD.1.2-ma2480", "gpu.1", "AUTO:-NPU", "NPU")]
    ['CPU', 'GPU.1', 'AUTO:-NPU', 'CPU']
    """
    return device_name(device) if kind_of(device) in ("AUTO", "GPU") else "CPU"


def _check(detector: object, min_face: int | None) -> None:
    """Refuse a detector that is neither known nor a file, before anything heavy is opened."""
    from edgeage.faces.opening import DETECTORS, check_min_face

    check_min_face(min_face, detector)
    if not isinstance(detector, str | Path) or Path(detector).is_file():
        return
    if (name := str(detector)) not in DETECTORS:
        raise UsageError(
            f"unknown detector «{name}»{did_you_mean(name, DETECTORS)}; expected one of "
            f"{', '.join(DETECTORS)}, or a network's file"
        )


def _whole(picture: np.ndarray) -> FoundFace:
    height, width = picture.shape[:2]
    return FoundFace((0, 0, width, height), is_whole=True)


def _clipped(detection: Detection, picture: np.ndarray) -> Box | None:
    """Return a detection's box in whole pixels inside the picture; None if it lies beyond it."""
    height, width = picture.shape[:2]
    left, top, right, bottom = (round(edge) for edge in detection.box)
    box = (max(0, left), max(0, top), min(width, right), min(height, bottom))
    return box if box[0] < box[2] and box[1] < box[3] else None
