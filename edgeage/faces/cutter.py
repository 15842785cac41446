"""Cutting the one face out of each of many pictures, for training."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeage.closing import Closing
from edgeage.errors import NoFaceError, UsageError
from edgeage.faces.boxes import overlap
from edgeage.faces.crop import check_margin, cut_face
from edgeage.faces.detection import Detection
from edgeage.faces.memory import DetectionMemory
from edgeage.faces.opening import DETECTORS, check_min_face, open_detector
from edgeage.inputspec import InputSpec
from edgeage.paths import cache_dir, data_dir, sha256_file
from edgeage.tomlfile import read_toml

if TYPE_CHECKING:
    from edgeage.faces.detection import Detector

__all__ = ["FaceCutter"]

Box = tuple[float, float, float, float]

# To be raised when a detector's answers change: what was kept is then looked for again.
_VERSION = 2
_BACKGROUND = 0.25
_SAME_FACE = 0.3


class FaceCutter(Closing):
    """Finds the one clear face of a picture and cuts it out upright; safe for many threads.

    What the detector found is kept by the picture's content in a file of the cache folder, so a
    picture is looked at once, whatever the margin and size; the detector is opened when the first
    picture needs it.

    Args:
        detector: its name, its network's file, or a detector, which stays the caller's to close;
            None cuts where the data set says the face is and takes other pictures whole.
        margin: what to add on every side of the standard face square, as a fraction of it.
        device: the OpenVINO device that runs the detector's networks.
        min_face: longer side in pixels of the smallest face to look for; None for the detector's
            own.
        remember: keep what was found; never done for a detector that is given as an object.

    Attributes:
        margin: as given.

    Raises:
        UsageError: for an impossible margin, an unknown detector, or a ``min_face`` below 1 or
            without a detector that is opened here.
    """

    def __init__(
        self,
        detector: str | Path | Detector | None = "mtcnn",
        margin: float = 0.4,
        *,
        device: str = "CPU",
        min_face: int | None = None,
        remember: bool = True,
    ) -> None:
        check_margin(margin)
        check_min_face(min_face, detector)
        self.margin = margin
        self._wanted, self._device, self._min_face = detector, device, min_face
        self._landmarks = InputSpec(
            **read_toml(data_dir("datasets") / "utkface.toml")["crop"]
        ).landmarks
        self._identity = _file_name(detector, device, min_face)
        self._lock = threading.Lock()
        self._closed = False
        self._opened: Detector | None = None
        self._memory: DetectionMemory | None = None
        if remember and isinstance(detector, str | Path):
            self._memory = DetectionMemory(cache_dir() / "faces" / self._identity)

    @property
    def identity(self) -> str:
        """Words that tell the faces it cuts out from those of other options."""
        return f"{self._identity} {self.margin:g}"

    def cut(
        self,
        picture_bgr: np.ndarray,
        size_hw: tuple[int, int],
        *,
        sha256: str = "",
        box: Box | None = None,
        landmarks: tuple[tuple[float, float], ...] = (),
    ) -> np.ndarray:
        """Cut the face out of a picture.

        A face with less than a quarter of the largest one's area is background. Where a box is
        given the face is the one there, whatever else the picture shows.

        Args:
            picture_bgr: uint8 array of shape (height, width, 3), BGR.
            size_hw: wanted height and width in pixels.
            sha256: hash of the picture's content; empty looks without remembering.
            box: left, top, right and bottom edge in pixels where the face is said to be.
            landmarks: x and y in pixels of the eyes, the tip of the nose and the corners of the
                mouth, where they are known.

        Returns:
            uint8 array of shape (*size_hw, 3), BGR.

        Raises:
            NoFaceError: when there is no clear single face; its text is the reason.
            DeviceError: when the detector's device fails.
            ModelError: when the detector's network is missing or damaged.
            MissingDependencyError: when the detector's package is not installed.
            UsageError: after :meth:`close`.
        """
        if self._closed:
            raise UsageError("this face cutter is closed; make a new one")
        spec = InputSpec(size_hw, size_hw, margin=self.margin, landmarks=self._landmarks)
        if self._wanted is not None:
            face = _clear_face(self._found(picture_bgr, sha256, self._wanted), box)
        elif box is not None:
            face = Detection(box, 1.0, landmarks)
        else:
            from edgeage.images import resize

            return resize(picture_bgr, size_hw)
        return cut_face(picture_bgr, face, spec)

    def _found(
        self, picture_bgr: np.ndarray, sha256: str, wanted: str | Path | Detector
    ) -> list[Detection]:
        memory = self._memory if sha256 else None
        known = memory.get(sha256) if memory else None
        if known is not None:
            return known
        found = self._detector(wanted).detect([picture_bgr])[0]
        if memory:
            memory.put(sha256, found)
        return found

    def _detector(self, wanted: str | Path | Detector) -> Detector:
        with self._lock:
            if self._opened is None:
                self._opened = open_detector(wanted, device=self._device, min_size=self._min_face)
            return self._opened

    def close(self) -> None:
        """Close what was opened here; closing twice is harmless."""
        with self._lock:
            opened, self._opened, self._closed = self._opened, None, True
        if opened is not None and opened is not self._wanted:
            opened.close()
        if self._memory is not None:
            self._memory.close()


def _file_name(detector: str | Path | Detector | None, device: str, min_face: int | None) -> str:
    """Return a file name that is of this detector, its network and its options alone."""
    if not isinstance(detector, str | Path):
        return detector.name if detector else "hints"
    path = Path(detector)
    name = str(detector) if str(detector) in DETECTORS else path.stem
    if str(detector) not in DETECTORS and path.is_file():
        name = f"{name}-{sha256_file(path)[:16]}"
    if device != "CPU":
        name += "-" + re.sub(r"\W", "_", device)
    if min_face is not None:
        name += f"-{min_face}px"
    return f"{name}-v{_VERSION}.sqlite"


def _clear_face(faces: list[Detection], box: Box | None) -> Detection:
    if not faces:
        raise NoFaceError("no face found")
    if box is not None:
        boxes = np.array([face.box for face in faces])
        shared = overlap(boxes, np.array([box]), of_smaller=False)[:, 0]
        if shared.max() < _SAME_FACE:
            raise NoFaceError("no face found where the data set says")
        return faces[int(shared.argmax())]
    ordered = sorted(faces, key=_area, reverse=True)
    if len(ordered) > 1 and _area(ordered[1]) >= _BACKGROUND * _area(ordered[0]):
        raise NoFaceError("several faces")
    return ordered[0]


def _area(face: Detection) -> float:
    return face.width * face.height
