"""The steps from one picture to its faces: decode, detect, align, infer.

Every step takes several pictures at once, and a picture that one of them refuses goes through the
others untouched.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import numpy as np

from edgeage.answers import face_fields
from edgeage.errors import ImageError, NoFaceError
from edgeage.faceresult import Face, PictureResult
from edgeage.labels import AGE_GROUPS
from edgeage.prediction.clock import StageClock
from edgeage.prediction.pipeline import Stage
from edgeage.processor import usable_processors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.faces import Detection, FaceSquare
    from edgeage.inputspec import InputSpec
    from edgeage.networks import NetworkSet
    from edgeage.prediction.finder import FaceFinder, FoundFace
    from edgeage.runtime import Answer
    from edgeage.sources import Source

__all__ = ["NO_FACE", "UNKNOWN", "PictureSteps", "PictureWork"]

NO_FACE = "no face found, the whole picture taken as the face"

UNKNOWN = "unknown"
"""The gender of a face whose more probable gender is less probable than wanted."""

_DETECT_PIXELS = 4_000_000
_VIEWS = 32
_MOST_DECODERS = 4


@dataclasses.dataclass
class PictureWork:
    """One picture on its way; each step fills in what it finds and drops what is used up.

    Attributes:
        source: where the picture comes from, and what to call it.
        keep: whether the result holds the decoded picture.
        picture: uint8 array of shape (height, width, 3), BGR.
        faces: the faces to look at.
        inputs: for each input the networks want, uint8 of shape (faces · crops, 3, height, width),
            BGR.
        answers: by task, what the networks say of this picture's faces and others.
        first_row: where this picture's faces begin there.
        error: why there is no answer.
        decoded_s: when the picture was decoded, by ``time.perf_counter``.
        latency_ms: milliseconds from then to the answers.
    """

    source: Source
    keep: bool = False
    picture: np.ndarray | None = None
    faces: list[FoundFace] = dataclasses.field(default_factory=list)
    inputs: dict[InputSpec, np.ndarray] = dataclasses.field(default_factory=dict)
    answers: dict[str, Answer] = dataclasses.field(default_factory=dict)
    first_row: int = 0
    error: ImageError | None = None
    decoded_s: float = 0.0
    latency_ms: float = 0.0

    @property
    def pixels(self) -> int:
        """How many pixels there are still to look at."""
        return 0 if self.picture is None or self.error else self.picture[:, :, 0].size


class PictureSteps:
    """The steps on one set of networks; safe to use from several threads.

    Args:
        networks: what looks at the faces.
        finder: what finds them.
        margin: the margin around a found face as a fraction of its size, instead of the
            networks' own.
        min_confidence: the least probability of a gender that is named.
        decoders: threads that decode side by side in :attr:`stages`, at most four; None for half
            of the processors.
        runs: batches that are in the networks at once, so that one can be made ready meanwhile.

    Attributes:
        clock: how long each step takes.
    """

    def __init__(
        self,
        networks: NetworkSet,
        finder: FaceFinder,
        *,
        margin: float | None = None,
        min_confidence: float = 0.0,
        decoders: int | None = None,
        runs: int = 1,
    ) -> None:
        self._networks, self._finder, self._margin = networks, finder, margin
        self._min_confidence, self._runs = min_confidence, runs
        self._decoders = min(decoders or usable_processors() // 2 or 1, _MOST_DECODERS)
        self.clock = StageClock()

    @property
    def stages(self) -> list[Stage[PictureWork]]:
        """The steps as stages of a :class:`~edgeage.prediction.pipeline.Pipeline`."""
        return [
            Stage("decode", self.decode, workers=self._decoders),
            Stage("detect", self.detect, _pixels, _DETECT_PIXELS),
            Stage("align", self.align, _pixels, _DETECT_PIXELS),
            Stage("infer", self.infer, _faces, max(1, _VIEWS // self._networks.crops), self._runs),
        ]

    def run(self, work: PictureWork) -> PictureResult:
        """Take one picture through all steps, here and now."""
        for step in (self.decode, self.detect, self.align, self.infer):
            step([work])
        return self.result(work)

    def decode(self, works: Sequence[PictureWork]) -> None:
        """Read the pictures; one that cannot be read gets its error."""
        for work in works:
            try:
                with self.clock.measure("decode"):
                    work.picture = work.source.read()
            except ImageError as error:
                work.error = _without_frames(error)
            work.decoded_s = time.perf_counter()

    def detect(self, works: Sequence[PictureWork]) -> None:
        """Find the faces to look at; a picture that must show one and does not gets an error.

        Raises:
            EdgeageError: when the detector cannot be opened or its device fails.
        """
        read = [(work, work.picture) for work in works if work.picture is not None]
        if not read:
            return
        pictures = [picture for _, picture in read]
        if self._finder.detect == "never":
            found = self._finder.find(pictures, self._squares)
        else:
            self._finder.open()
            with self.clock.measure("detect", len(pictures)):
                found = self._finder.find(pictures, self._squares)
        for (work, _), faces in zip(read, found, strict=True):
            work.faces = faces
            if not faces:
                work.error = NoFaceError(f"{work.source.name} shows no face that can be found")

    def find(self, pictures: Sequence[np.ndarray]) -> list[list[FoundFace]]:
        """Find the faces of frames: none where there is none.

        Args:
            pictures: uint8 arrays of shape (height, width, 3), BGR.

        Raises:
            EdgeageError: when the detector cannot be opened or its device fails.
        """
        if self._finder.detect == "never":
            return self._finder.find_all(pictures)
        self._finder.open()
        with self.clock.measure("detect", len(pictures)):
            return self._finder.find_all(pictures)

    @property
    def looks_again(self) -> bool:
        """Whether :meth:`look_again` is possible; opens the detector.

        Raises:
            EdgeageError: as :meth:`find`.
        """
        return self._finder.looks_again

    def look_again(
        self, picture: np.ndarray, boxes: Sequence[tuple[float, float, float, float]]
    ) -> list[FoundFace | None]:
        """Look for faces of a frame where they are expected alone; see :class:`FaceFinder`.

        Raises:
            EdgeageError: as :meth:`find`.
        """
        with self.clock.measure("follow", len(boxes)):
            return self._finder.look_again(picture, boxes)

    def align(self, works: Sequence[PictureWork]) -> None:
        """Cut the faces out as the networks want them; then the picture is dropped."""
        for work in works:
            if work.picture is not None and work.faces:
                with self.clock.measure("align", len(work.faces)):
                    work.inputs = {spec: self._cut(work, spec) for spec in self._networks.inputs}
            if not work.keep:
                work.picture = None

    def infer(self, works: Sequence[PictureWork]) -> None:
        """Run the networks on the faces of all pictures together.

        Raises:
            DeviceError: when the device fails.
        """
        cut = [work for work in works if work.inputs]
        if not cut:
            return
        batches = {
            spec: np.concatenate([work.inputs[spec] for work in cut]) for spec in cut[0].inputs
        }
        answers = self._networks.infer(batches, self.clock)
        answered_s, row = time.perf_counter(), 0
        for work in cut:
            work.inputs, work.answers, work.first_row = {}, answers, row
            work.latency_ms = (answered_s - work.decoded_s) * 1000
            row += len(work.faces)

    def result(self, work: PictureWork) -> PictureResult:
        """Return what became of a picture that has gone through the steps."""
        faces = tuple(map(self.named, self.faces(work)))
        if faces:
            self.clock.add("answer", work.latency_ms, count=len(faces))
        unfound = any(face.is_whole and face.detection is None for face in work.faces)
        note = NO_FACE if unfound and self._finder.detect == "auto" else ""
        picture = work.picture if work.keep else None
        return PictureResult(work.source.name, faces, work.error, note, picture)

    def faces(self, work: PictureWork) -> list[Face]:
        """Return the faces of a picture that has gone through the steps, however unsure."""
        return [self._face(work, place) for place in range(len(work.faces))]

    def named(self, face: Face) -> Face:
        """Return a face whose gender is not named where it is too unsure."""
        if face.gender_probability is None or face.gender_probability >= self._min_confidence:
            return face
        return dataclasses.replace(face, gender=UNKNOWN)

    @property
    def age_labels(self) -> tuple[str, ...]:
        """What the age groups are called; empty where no network tells any."""
        outputs = [output for manifest in self._networks.manifests for output in manifest.outputs]
        kinds = {output.kind: output.labels for output in outputs if output.task == "age"}
        if "classes" in kinds:
            return tuple(kinds["classes"])
        return AGE_GROUPS if "distribution" in kinds else ()

    @property
    def device(self) -> str:
        """Name of the device in use."""
        return self._networks.device

    def _squares(self, detection: Detection) -> list[FaceSquare]:
        from edgeage.faces import face_square

        return [face_square(detection, spec, self._margin) for spec in self._networks.inputs]

    def _cut(self, work: PictureWork, spec: InputSpec) -> np.ndarray:
        from edgeage.faces import cut_face

        cuts = []
        for face in work.faces:
            assert work.picture is not None
            cut = work.picture
            if not face.is_whole and face.detection is not None:
                cut = cut_face(work.picture, face.detection, spec, margin=self._margin)
            cuts.append(cut)
        return self._networks.prepare(spec, cuts)

    def _face(self, work: PictureWork, place: int) -> Face:
        found, row = work.faces[place], work.first_row + place
        fields = face_fields(self._networks.manifests, work.answers, row)
        told = ", ".join(answer.devices[row] for answer in work.answers.values())
        devices = dict.fromkeys(told.split(", "))
        return Face(
            found.box,
            device=", ".join(devices),
            latency_ms=work.latency_ms,
            score=found.detection.score if found.detection else None,
            landmarks=found.detection.landmarks if found.detection else (),
            detected=not found.is_whole,
            **fields,
        )


def _without_frames(error: ImageError) -> ImageError:
    """Have an error that is kept not keep what was being decoded, nor itself in a circle."""
    cause: BaseException | None = error
    while cause is not None:
        cause.__traceback__ = None
        cause = cause.__cause__ or cause.__context__
    return error


def _pixels(work: PictureWork) -> int:
    return work.pixels


def _faces(work: PictureWork) -> int:
    return 0 if work.error else len(work.faces)
