"""``Predictor``: a picture goes in, its faces with age and gender come out."""

from __future__ import annotations

import contextlib
import threading
import weakref
from os import PathLike
from typing import TYPE_CHECKING, overload

from edgeage.closing import Closing
from edgeage.errors import UsageError
from edgeage.faceresult import Timing
from edgeage.faces.crop import check_margin
from edgeage.networks import Models, load_networks
from edgeage.prediction.finder import FaceFinder, detector_device
from edgeage.prediction.pipeline import Pipeline
from edgeage.prediction.steps import PictureSteps, PictureWork
from edgeage.prediction.threads import Threads
from edgeage.runtime.devices import open_backend
from edgeage.runtime.options import RuntimeOptions
from edgeage.sources import Source, as_source
from edgeage.views import check_crops

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

    import numpy as np

    from edgeage.faceresult import Face, PictureResult
    from edgeage.faces import Detector
    from edgeage.images import Picture
    from edgeage.manifest import Manifest
    from edgeage.runtime import Backend
    from edgeage.streaming import FaceStream, FrameSource, StreamOptions

__all__ = ["AHEAD", "Predictor"]

AHEAD = {"latency": 16, "throughput": 64}
"""By mode, how many pictures are taken from a source before their results are given out."""

_CLOSED = "this Predictor is closed; make a new one"


class Predictor(Closing):
    """Predicts age and gender of the faces in pictures; safe to use from several threads.

    Args:
        models: a folder made by ``edgeage compile``, or manifests; a ``model.json``, its folder,
            an ``.xml`` or an ``.onnx`` of somebody else's network (``docs/models.md``), or the name
            of one that ``edgeage models import`` made; None for the released network of both
            tasks, edgeage-s, or for AgeNet and GenderNet with a ``mean``; what is released is
            compiled for the device on first use.
        device: ``"MYRIAD"`` for all Neural Compute Sticks, ``"MYRIAD.<id>"`` for one, ``"OAK"``
            for a camera; ``"AUTO"``, ``"CPU"`` or another device OpenVINO knows.
        fallback: the device that answers while ``device`` is not there, refuses the networks or
            fails; its name, or a backend. The same picture gets its answer from it, and
            ``device`` is tried again in the background.
        detector: finds the faces: a name (``"mtcnn"``, ``"haar"``, ``"yunet"``, ``"dlib"``), the
            path of a detector's network, or a :class:`edgeage.faces.Detector`, which stays the
            caller's to close. It is opened when the first picture needs it, on the processor or
            the GPU, never on a stick. None is the same as ``detect="never"``.
        detect: ``"auto"`` takes the whole picture as the face where none is found or the picture
            is a cropped face already; ``"always"`` has a :class:`edgeage.NoFaceError` there;
            ``"never"`` takes every picture as one face, cut out already.
        margin: the margin to cut around a detected face, as a fraction of its size, instead of
            the one the networks were trained with.
        min_face: longer side in pixels of the smallest face to look for; None for the detector's
            own, of ``"mtcnn"`` 40 pixels, more in large pictures.
        mean: a mean to subtract instead of the networks' own: a float32 array of shape
            (3, height, width), BGR, or the path of a ``.npy`` or ``.binaryproto``.
        backend: what runs the networks instead of the device's own runtime, for example
            :class:`edgeage.testing.FakeBackend`; ``device`` is not used then.
        mode: ``"latency"`` for one picture as fast as can be, ``"throughput"`` for many.
        threads: threads of a CPU to use; None for all.
        streams: how many runs of a network go on side by side; None for the mode's own number.
        cache: keep what the device compiled in the user's cache, so that the next start is quick.
        min_confidence: the least probability, 0 to 1, of a gender that is named; below it a
            face's gender is ``"unknown"``.
        crops: how many views of a face the networks look at, which takes as many times as long:
            1 is the centre, 2 are the centre and its mirror image, 10 are Levi and Hassner's
            over-sampling (CVPRW 2015): the corners, the centre and the mirror image of each. The
            answer is the mean of their probabilities, as Caffe's ``Classifier`` has it; a
            temperature in the manifest is applied to that mean.

    Raises:
        ModelError: when a model is missing, damaged or changed.
        ToolchainError: when a stick is wanted and the Movidius tools are not there.
        MeanError: when ``mean`` is refused, with the reason.
        DeviceError: when neither ``device`` nor ``fallback`` takes the networks.
        UsageError: for an unknown name or a number out of range.

    >>> from edgeage.testing import FakeBackend
    >>> import numpy as np
    >>> with Predictor(backend=FakeBackend(gender=[0.25, 0.75]), detector=None) as predictor:
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
        detector: str | Path | Detector | None = "mtcnn",
        detect: str = "auto",
        margin: float | None = None,
        mean: str | Path | np.ndarray | None = None,
        backend: Backend | None = None,
        mode: str = "latency",
        threads: int | None = None,
        streams: int | None = None,
        cache: bool = True,
        min_confidence: float = 0.0,
        min_face: int | None = None,
        crops: int = 1,
    ) -> None:
        if margin is not None:
            check_margin(margin)
        if not 0 <= min_confidence <= 1:
            raise UsageError(f"expected min_confidence of 0 to 1, got {min_confidence}")
        check_crops(crops)
        options = RuntimeOptions(mode, threads, streams, cache)
        where = "CPU" if backend else detector_device(device)
        self._finder = FaceFinder(
            detector, detect, device=where, options=options, min_face=min_face
        )
        self._networks = load_networks(
            models,
            backend or open_backend(device, options),
            open_backend(fallback, options) if isinstance(fallback, str) else fallback,
            mean,
            crops,
        )
        self._steps = PictureSteps(
            self._networks,
            self._finder,
            margin=margin,
            min_confidence=min_confidence,
            decoders=threads,
            runs=2 if mode == "throughput" else 1,
        )
        self._ahead = AHEAD[mode]
        self._threads = Threads()
        # One that is never closed gives its threads back too.
        weakref.finalize(self, self._threads.close)
        self._lock = threading.Lock()
        self._running: weakref.WeakSet[Pipeline[PictureWork] | FaceStream] = weakref.WeakSet()
        self._closed = False

    @property
    def device(self) -> str:
        """Name of the device in use, for example ``"CPU"``."""
        return self._networks.device

    @property
    def timing(self) -> Timing:
        """How long opening, answers and each step took; see :class:`edgeage.Timing`."""
        medians_ms = self._steps.clock.medians_ms
        return Timing(
            load_ms=self._networks.load_ms,
            first_ms=self._networks.first_ms,
            steady_ms=medians_ms.pop("answer", None),
            faces=self._steps.clock.count("answer"),
            stages_ms=medians_ms,
        )

    @property
    def models(self) -> list[Manifest]:
        """The manifests of the loaded networks."""
        return list(self._networks.manifests)

    def predict(self, image: Picture | Source) -> list[Face]:
        """Predict the faces of one picture, in the calling thread.

        Args:
            image: a path, an ``http(s)://`` address, an encoded picture's bytes, a uint8 array
                of shape (height, width, 3) in BGR order, or a :class:`edgeage.sources.Source`.

        Returns:
            Its faces in the detector's order, the surest first; never none.

        Raises:
            ImageError: when the picture cannot be read, or, with detect «always», shows no face.
            DeviceError: when the device fails.
            ModelError: when the detector's network is missing or damaged.
            MissingDependencyError: when the detector's package is not installed.
            UsageError: after :meth:`close`.
        """
        self._require_open()
        try:
            result = self._steps.run(PictureWork(as_source(image)))
        except UsageError:
            # Closed by another thread meanwhile: a network's own words would not say of what.
            self._require_open()
            raise
        if result.error is not None:
            raise result.error
        return list(result.faces)

    def predict_batch(self, images: Iterable[Picture | Source]) -> list[PictureResult]:
        """Predict the faces of several pictures; one that fails spoils no other.

        It is :meth:`stream` to its end.

        Args:
            images: pictures as :meth:`predict` takes them; decoded a few at a time.

        Returns:
            One result a picture, in order: its faces or its error.

        Raises:
            DeviceError: when the device fails.
            ModelError: when the detector's network is missing or damaged.
            MissingDependencyError: when the detector's package is not installed.
            UsageError: after :meth:`close`, or for a single picture.
        """
        return list(self.stream(images))

    @overload
    def stream(  # type: ignore[overload-overlap]
        self,
        images: str | int | PathLike[str] | FrameSource,
        *,
        options: StreamOptions | None = None,
    ) -> FaceStream: ...

    @overload
    def stream(
        self,
        images: Iterable[Picture | Source],
        *,
        ahead: int | None = None,
        keep_pictures: bool = False,
    ) -> Generator[PictureResult, None, None]: ...

    def stream(
        self,
        images: Iterable[Picture | Source] | str | int | PathLike[str] | FrameSource,
        *,
        ahead: int | None = None,
        keep_pictures: bool = False,
        options: StreamOptions | None = None,
    ) -> Generator[PictureResult, None, None] | FaceStream:
        """Predict pictures or frames one after the other while the next are under way.

        Reading the source, decoding, detecting, aligning and the networks overlap in threads;
        what piles up before a step goes through it together. The work begins with the first
        result asked for and ends with the last, or when the generator is closed; its threads
        then wait for the next stream until :meth:`close`.

        Of a source of video the faces are followed from frame to frame: each has the number of
        its track, and age and gender are averages over it (``docs/streaming.md``).

        Args:
            images: pictures as :meth:`predict` takes them, without end if need be; read in a
                thread. Arrays are not copied, so a source must not write into one it gave. Or a
                source of video: a camera's number, ``"/dev/video0"``, a video's path, a folder
                of frames, an ``rtsp://`` or ``http(s)://`` address, or a
                :class:`edgeage.streaming.ArraySource` of frames.
            ahead: how many pictures at most are taken before their results are given out: more
                make larger batches, and 1 is for a live source, whose next picture then waits
                until the last one's result has been taken. None for the mode's :data:`AHEAD`.
            keep_pictures: have each result hold its decoded picture.
            options: of a source of video: how its faces are followed; None for the defaults.

        Returns:
            An iterator. Of pictures: one result a picture, in order, its faces or its error. Of a
            source of video: its frames, in order, with their faces.

        Raises:
            DeviceError: when the device fails, after the results before that.
            ModelError: when the detector's network is missing or damaged.
            MissingDependencyError: when the detector's package is not installed.
            UsageError: after :meth:`close`, also for a stream under way; for a single picture,
                ``ahead`` below 1, or an argument of the other kind of source.
            VideoError: when there is no such camera or video, or it is lost.
            Exception: what ``images`` raises, after the results before that.
        """
        self._require_open()
        if isinstance(images, str | int | PathLike) or hasattr(images, "open_frames"):
            if ahead is not None or keep_pictures:
                raise UsageError("ahead and keep_pictures are for pictures; a video takes options")
            return self._followed(images, options)  # type: ignore[arg-type]
        if options is not None:
            raise UsageError("options are for a source of video; wrap frames in an ArraySource")
        if ahead is not None and ahead < 1:
            raise UsageError(f"expected ahead of at least 1, got {ahead}")
        if isinstance(images, bytes | Source) or getattr(images, "ndim", 4) < 4:
            raise UsageError("expected several pictures, got one; use predict for it, or a list")
        works = (PictureWork(as_source(image), keep_pictures) for image in images)
        return self._streamed(works, ahead or self._ahead)

    def close(self) -> None:
        """Give the device and its memory back; closing twice is harmless.

        Streams under way end with a UsageError.
        """
        with self._lock:
            self._closed = True
            running = list(self._running)
        for pipeline in running:
            pipeline.stop(UsageError(_CLOSED))
        self._threads.close()
        self._finder.close()
        self._networks.close()

    def _followed(
        self, source: str | int | PathLike[str] | FrameSource, options: StreamOptions | None
    ) -> FaceStream:
        # The room that streams is built on this one, and is only needed here.
        from edgeage.streaming import FaceStream

        stream = FaceStream(self._steps, source, options)
        with self._lock:
            self._require_open()
            self._running.add(stream)
        return stream

    def _streamed(
        self, works: Iterator[PictureWork], ahead: int
    ) -> Generator[PictureResult, None, None]:
        pipeline = Pipeline(works, self._steps.stages, ahead=ahead, threads=self._threads)
        with self._lock:
            self._require_open()
            self._running.add(pipeline)
        with contextlib.closing(iter(pipeline)) as finished:
            for work in finished:
                yield self._steps.result(work)

    def _require_open(self) -> None:
        if self._closed:
            raise UsageError(_CLOSED)
