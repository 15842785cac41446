"""The pass over a source's pictures: labels, pixels and fingerprints of the wanted faces."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edgeage.closing import Closing
from edgeage.datasets.drops import Drops
from edgeage.datasets.duplicates import FINGERPRINT_WORDS, fingerprint
from edgeage.datasets.importers.found import Candidate, Drop, FaceHint
from edgeage.datasets.journal import Journal, checksum
from edgeage.datasets.parallel import ordered_map
from edgeage.datasets.sources import UnreadableError
from edgeage.errors import DatasetError, ImageError, NoFaceError, UsageError
from edgeage.images import read_image, resize, to_chw

if TYPE_CHECKING:
    from pathlib import Path

    from edgeage.datasets.choice import Choice
    from edgeage.datasets.records import FaceRecord

__all__ = ["Cutter", "PixelFile", "Scan", "scan_source"]

_Progress = Callable[[int, "int | None"], None]
_MAX_NAME = 255
_UNWANTED = {
    "other_races": "of other races",
    "other_ages": "of other ages",
    "not_chosen": "not chosen",
}


class PixelFile(Closing):
    """Pictures of one size in a working file, by number; a context manager, safe for many threads.

    Args:
        path: the file; made when it is missing.
        shape: of each picture: (3, height, width), uint8.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self._bytes = int(np.prod(shape))
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        self._lock = threading.Lock()

    def write(self, slot: int, pixels: np.ndarray) -> None:
        """Store a picture."""
        with self._lock:
            self._file.seek(slot * self._bytes)
            if self._file.write(pixels.tobytes()) != self._bytes:
                raise OSError("no space left for the working file")

    def read(self, slot: int) -> np.ndarray:
        """Return a stored picture; raises OSError when it is not there."""
        with self._lock:
            self._file.seek(slot * self._bytes)
            data = self._file.read(self._bytes)
        if len(data) != self._bytes:
            raise OSError("the working file is incomplete")
        return np.frombuffer(data, dtype=np.uint8).reshape(self.shape)

    def close(self) -> None:
        """Close the file; it stays."""
        self._file.close()


class Cutter(Protocol):
    """Cuts the one face out of a picture; called from several threads.

    :class:`edgeage.faces.FaceCutter` is one. This room knows no detector.
    """

    @property
    def identity(self) -> str:
        """Words that tell its answers apart from those of others."""
        ...

    @property
    def margin(self) -> float:
        """The margin around the face, as :class:`edgeage.inputspec.InputSpec` has it."""
        ...

    def cut(
        self,
        picture_bgr: np.ndarray,
        size_hw: tuple[int, int],
        *,
        sha256: str,
        box: tuple[float, float, float, float] | None,
        landmarks: tuple[tuple[float, float], ...],
    ) -> np.ndarray:
        """Return the face.

        Args:
            picture_bgr: uint8 array of shape (height, width, 3), BGR.
            size_hw: wanted height and width in pixels.
            sha256: hash of the file the picture comes from.
            box: where the data set says the face is, in pixels; None when it does not.
            landmarks: its five points, or none.

        Returns:
            uint8 array of shape (*size_hw, 3), BGR.

        Raises:
            NoFaceError: when there is no clear single face; its text is the reason.
        """
        ...


@dataclasses.dataclass
class Scan:
    """What a source holds.

    Attributes:
        records: the wanted faces, sorted by name.
        fingerprints: uint64 array of shape (faces, 10), a row for each record.
        files: number of files seen.
        unwanted: number of well-labelled faces that were not asked for, by reason.
        drops: the files that were left out, by reason.
    """

    records: list[FaceRecord]
    fingerprints: np.ndarray
    files: int
    unwanted: Counter[str]
    drops: Drops


@dataclasses.dataclass(frozen=True)
class _Job:
    record: FaceRecord
    path: str
    data: bytes | np.ndarray
    hint: FaceHint | None


@dataclasses.dataclass(frozen=True)
class _Face:
    record: FaceRecord
    told: str
    pixels: np.ndarray
    fingerprint: np.ndarray
    slot: int | None = None


def scan_source(
    found: Iterable[Candidate | Drop],
    choice: Choice,
    pixels: PixelFile,
    *,
    workers: int,
    cutter: Cutter | None = None,
    journal: Journal,
    on_progress: _Progress | None = None,
) -> Scan:
    """Go through a source once, decode the wanted faces and store their pixels.

    A name that stands twice in the source is taken once, at its first place; every other file
    that is no usable face is left out and listed under its reason. Nothing is dropped silently.

    Args:
        found: what an importer finds.
        choice: which faces are wanted.
        pixels: gets their pictures; a record's ``slot`` is its place there.
        workers: number of decoding threads.
        cutter: cuts the face out of each picture; None takes pictures as they are.
        journal: which of them are in ``pixels`` already; gets the others.
        on_progress: called with the number of faces read so far and None.

    Raises:
        DatasetError: when the source is missing or damaged or holds no wanted face.
        UsageError: when faces have to be cut out and there is no cutter.
    """
    scan = _Scanner(choice)
    faces: list[FaceRecord] = []
    prints = bytearray()

    def decode(job: _Job) -> _Face | Drop:
        data = job.data if isinstance(job.data, bytes) else job.data.tobytes()
        sha256 = hashlib.sha256(data).hexdigest()
        told = f"{sha256} {job.record.name} {job.hint}"
        job = dataclasses.replace(job, record=dataclasses.replace(job.record, sha256=sha256))
        return _known(job, told, journal, pixels) or _decode(job, told, pixels.shape[1:], cutter)

    for result in ordered_map(decode, scan.wanted(found), workers):
        if isinstance(result, Drop):
            scan.drops.add(result.reason, result.path)
            continue
        slot = result.slot
        if slot is None:
            slot, journal.slots = journal.slots, journal.slots + 1
            pixels.write(slot, result.pixels)
            journal.add(result.told, slot, result.fingerprint, result.pixels)
        faces.append(dataclasses.replace(result.record, slot=slot))
        prints += result.fingerprint.tobytes()
        if on_progress is not None:
            on_progress(len(faces), None)
    table = np.frombuffer(bytes(prints), dtype=np.uint64).reshape(-1, FINGERPRINT_WORDS)
    order = sorted(range(len(faces)), key=lambda row: faces[row])
    faces = [faces[row] for row in order]
    return Scan(faces, table[order], scan.files, scan.unwanted, scan.drops)


class _Scanner:
    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.files = 0
        self.unwanted: Counter[str] = Counter()
        self.drops = Drops()
        self._names: set[str] = set()

    def wanted(self, found: Iterable[Candidate | Drop]) -> Iterator[_Job]:
        for item in found:
            self.files += isinstance(item, Candidate) or item.is_file
            if isinstance(item, Drop):
                self.drops.add(item.reason, item.path)
                continue
            try:
                self._check_name(item.record.name)
                if reason := self.choice.reason_against(item.record):
                    self.unwanted[reason] += 1
                else:
                    yield _Job(item.record, item.path, item.read(), item.hint)
            except UnreadableError as reason:
                self.drops.add(str(reason), item.path)

    def _check_name(self, name: str) -> None:
        if not name.isprintable() or len(name) > _MAX_NAME:
            raise UnreadableError("unusable name")
        if name in self._names:
            raise UnreadableError("duplicate name")
        self._names.add(name)


def _known(job: _Job, told: str, journal: Journal, pixels: PixelFile) -> _Face | None:
    """Return a face that a build before this one has decoded, when its pixels are sound."""
    found = journal.find(told)
    if found is None:
        return None
    slot, words, wanted = found
    with contextlib.suppress(OSError):
        stored = pixels.read(slot)
        if checksum(stored) == wanted:
            return _Face(job.record, told, stored, words, slot)
    return None


def _decode(job: _Job, told: str, size_hw: tuple[int, int], cutter: Cutter | None) -> _Face | Drop:
    sha256 = job.record.sha256
    try:
        picture = read_image(job.data)
        if cutter is None:
            if job.hint is not None:
                raise UsageError("the faces of this source have to be cut out; give a cutter")
            face = resize(picture, size_hw)
        else:
            box, landmarks = (job.hint.box, job.hint.landmarks) if job.hint else (None, ())
            face = cutter.cut(picture, size_hw, sha256=sha256, box=box, landmarks=landmarks)
    except NoFaceError as reason:
        return Drop(job.path, str(reason))
    except ImageError:
        return Drop(job.path, "unreadable picture")
    pixels = to_chw(face)
    return _Face(job.record, told, pixels, fingerprint(pixels))


def nothing_found(source: Path, races: Iterable[str], scan: Scan) -> DatasetError:
    """Return the error that a source has no face, with what it has instead."""
    text = f"{source} holds no usable face of race {', '.join(sorted(races))}"
    reasons = [f"{reason} {count}" for reason, count in scan.drops.counts()]
    for reason, count in sorted(scan.unwanted.items(), reverse=True):
        reasons.append(f"{_UNWANTED[reason]} {count}")
    return DatasetError(
        f"{text}: of {scan.files} files, " + (", ".join(reasons) or "none is a face")
    )
