"""``Predictor``: a picture goes in, its faces with age and gender come out."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgeage.answers import face_fields
from edgeage.errors import ImageError, UsageError
from edgeage.faceresult import Face, PictureResult, Timing
from edgeage.images import Picture
from edgeage.networks import Models, load_networks
from edgeage.runtime.devices import open_backend
from edgeage.sources import Source, as_source

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from edgeage.manifest import Manifest
    from edgeage.runtime import Answer, Backend

__all__ = ["Box", "Detector", "Predictor"]

Image = Picture | Source
Box = tuple[int, int, int, int]
"""Left, top, right and bottom edge in pixels; right and bottom excluded."""

Detector = Callable[[np.ndarray], Sequence[Box]]
"""Finds faces: a uint8 (height, width, 3) BGR picture → their boxes."""

_CHUNK = 32


class Predictor:
    """Predicts age and gender of the faces in pictures; safe to use from several threads.

    Args:
        models: a folder made by ``edgeage compile``, or manifests; a ``model.json``, its folder,
            an ``.xml`` or an ``.onnx`` of somebody else's network (``docs/models.md``); None for
            the released AgeNet and GenderNet, which are compiled for the device on first use.
        device: ``"MYRIAD"`` for all Neural Compute Sticks, ``"MYRIAD.<id>"`` for one, ``"OAK"``
            for a camera; ``"AUTO"``, ``"CPU"`` or another device OpenVINO knows.
        fallback: the device that answers while ``device`` is not there, refuses the networks or
            fails; its name, or a backend. The same picture gets its answer from it, and
            ``device`` is tried again in the background.
        detector: finds the faces; None when every picture is one face, cut out already.
        margin: the margin to cut around a detected face, as a fraction of its size, instead of
            the one the networks were trained with.
        mean: a mean to subtract instead of the networks' own: an array of shape (3, height,
            width), BGR, or the path of a ``.npy`` or ``.binaryproto``.
        backend: what runs the networks instead of the device's own runtime, for example
            :class:`edgeage.testing.FakeBackend`; ``device`` is not used then.

    Raises:
        ModelError: when a model is missing, damaged or changed.
        ToolchainError: when a stick is wanted and the Movidius tools are not there.
        MeanError: when ``mean`` is refused, with the reason.
        DeviceError: when neither ``device`` nor ``fallback`` takes the networks.

    >>> from edgeage.testing import FakeBackend
    >>> with Predictor(backend=FakeBackend(gender=[0.25, 0.75])) as predictor:
    ...     face = predictor.predict(np.zeros((64, 64, 3), np.uint8))[0]
    >>> face.gender, face.gender_probability
    ('Female', 0.75)
    """

    def __init__(
        self,
        models: Models | None = None,
        device: str = "AUTO",
        *,
        fallback: str | Backend | None = None,
        detector: Detector | None = None,
        margin: float | None = None,
        mean: str | Path | np.ndarray | None = None,
        backend: Backend | None = None,
    ) -> None:
        if margin is not None and not 0 <= margin <= 10:
            raise UsageError(f"expected a margin of 0 to 10, got {margin}")
        self._detector, self._margin = detector, margin
        self._networks = load_networks(
            models,
            backend or open_backend(device),
            open_backend(fallback) if isinstance(fallback, str) else fallback,
            mean,
        )
        self._latencies_ms: deque[float] = deque(maxlen=1000)
        self._closed = threading.Event()

    @property
    def device(self) -> str:
        """Name of the device in use, for example ``"CPU"``."""
        return self._networks.device

    @property
    def timing(self) -> Timing:
        """How long opening, the first run and an answer took; see :class:`edgeage.Timing`."""
        latencies_ms = list(self._latencies_ms)
        return Timing(
            load_ms=self._networks.load_ms,
            first_ms=self._networks.first_ms,
            steady_ms=statistics.median(latencies_ms) if latencies_ms else None,
            faces=len(latencies_ms),
        )

    @property
    def models(self) -> list[Manifest]:
        """The manifests of the loaded networks."""
        return list(self._networks.manifests)

    def predict(self, image: Image) -> list[Face]:
        """Predict the faces of one picture.

        Args:
            image: a path, an ``http(s)://`` address, an encoded picture's bytes, a uint8 array
                of shape (height, width, 3) in BGR order, or a :class:`edgeage.sources.Source`.

        Returns:
            Its faces in the detector's order.

        Raises:
            ImageError: when the picture cannot be read.
            DeviceError: when the device fails.
            UsageError: after :meth:`close`.
        """
        result = self.predict_batch([image])[0]
        if result.error is not None:
            raise result.error
        return list(result.faces)

    def predict_batch(self, images: Iterable[Image]) -> list[PictureResult]:
        """Predict the faces of several pictures; one that cannot be read spoils no other.

        Args:
            images: pictures as :meth:`predict` takes them; decoded a few at a time.

        Returns:
            One result a picture, in order: its faces or its error.

        Raises:
            DeviceError: when the device fails.
            UsageError: after :meth:`close`.
        """
        results: list[PictureResult] = []
        chunk: list[Image] = []
        for image in images:
            chunk.append(image)
            if len(chunk) == _CHUNK:
                results += self._predict_chunk(chunk)
                chunk = []
        return results + self._predict_chunk(chunk)

    def close(self) -> None:
        """Give the device and its memory back; closing twice is harmless."""
        self._closed.set()
        self._networks.close()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _predict_chunk(self, images: Sequence[Image]) -> list[PictureResult]:
        if self._closed.is_set():
            raise UsageError("this Predictor is closed; make a new one")
        sources = [as_source(image) for image in images]
        pictures = [_read(source) for source in sources]
        started = time.perf_counter()
        boxes = [[] if isinstance(p, ImageError) else self._boxes(p) for p in pictures]
        cuts = [
            self._cut(picture, box)
            for picture, found in zip(pictures, boxes, strict=True)
            for box in found
            if not isinstance(picture, ImageError)
        ]
        answers = self._networks.infer(cuts) if cuts else {}
        each_ms = (time.perf_counter() - started) * 1000 / max(len(cuts), 1)
        self._latencies_ms.extend([each_ms] * len(cuts))
        place = iter(range(len(cuts)))
        return [
            PictureResult(
                source.name,
                tuple(self._face(box, answers, next(place), each_ms) for box in found),
                picture if isinstance(picture, ImageError) else None,
            )
            for source, picture, found in zip(sources, pictures, boxes, strict=True)
        ]

    def _boxes(self, picture: np.ndarray) -> list[Box]:
        height, width = picture.shape[:2]
        if self._detector is None:
            return [(0, 0, width, height)]
        clipped = [
            (max(0, left), max(0, top), min(width, right), min(height, bottom))
            for left, top, right, bottom in self._detector(picture)
        ]
        return [box for box in clipped if box[0] < box[2] and box[1] < box[3]]

    def _cut(self, picture: np.ndarray, box: Box) -> tuple[np.ndarray, ...]:
        margins = self._networks.margins
        if self._margin is not None:
            margins = [self._margin] * len(margins)
        return tuple(_with_margin(picture, box, margin) for margin in margins)

    def _face(self, box: Box, answers: dict[str, Answer], place: int, latency_ms: float) -> Face:
        fields = face_fields(self._networks.manifests, answers, place)
        devices = dict.fromkeys(answer.devices[place] for answer in answers.values())
        return Face(box, device=", ".join(devices), latency_ms=latency_ms, **fields)


def _read(source: Source) -> np.ndarray | ImageError:
    try:
        return source.read()
    except ImageError as error:
        return error


def _with_margin(picture: np.ndarray, box: Box, margin: float) -> np.ndarray:
    """Cut out a box grown by a fraction of its size on every side, as far as the picture goes."""
    left, top, right, bottom = box
    across, down = round((right - left) * margin), round((bottom - top) * margin)
    return picture[max(0, top - down) : bottom + down, max(0, left - across) : right + across]
