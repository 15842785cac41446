"""The first pass over a source: labels, pixels and fingerprints of the wanted faces."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from edgeage.datasets.duplicates import FINGERPRINT_WORDS, fingerprint
from edgeage.datasets.parallel import ordered_map
from edgeage.datasets.sources import Member, UnreadableError, members
from edgeage.errors import DatasetError, ImageError
from edgeage.images import read_image, resize, to_chw

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from edgeage.datasets.records import FaceRecord

__all__ = ["Drops", "PixelFile", "Scan", "scan_source"]

Drops = dict[str, list[str]]
"""Reason to the paths of the files left out for it."""

_Progress = Callable[[int, "int | None"], None]


class PixelFile:
    """Pictures of one size in a working file, by number; a context manager, safe for many threads.

    Args:
        path: the file to make.
        shape: of each picture: (3, height, width), uint8.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self._bytes = int(np.prod(shape))
        self._file = path.open("w+b", buffering=0)
        self._lock = threading.Lock()

    def write(self, slot: int, pixels: np.ndarray) -> None:
        """Store a picture."""
        with self._lock:
            self._file.seek(slot * self._bytes)
            if self._file.write(pixels.tobytes()) != self._bytes:
                raise OSError("no space left for the working file")

    def read(self, slot: int) -> np.ndarray:
        """Return a stored picture."""
        with self._lock:
            self._file.seek(slot * self._bytes)
            data = self._file.read(self._bytes)
        return np.frombuffer(data, dtype=np.uint8).reshape(self.shape)

    def __enter__(self) -> PixelFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


@dataclasses.dataclass
class Scan:
    """What a source holds.

    Attributes:
        records: the wanted faces, sorted by name.
        fingerprints: uint64 array of shape (faces, 10), a row for each record.
        files: number of files seen.
        other_races: number of well-named faces of races that were not asked for.
        drops: reason to the sorted paths of the files that were left out for it.
    """

    records: list[FaceRecord]
    fingerprints: np.ndarray
    files: int
    other_races: int
    drops: Drops


@dataclasses.dataclass(frozen=True)
class _Face:
    record: FaceRecord
    pixels: np.ndarray
    fingerprint: np.ndarray


def scan_source(
    source: Path,
    parse: Callable[[str], FaceRecord],
    races: frozenset[str],
    pixels: PixelFile,
    *,
    workers: int,
    on_progress: _Progress | None = None,
) -> Scan:
    """Read a source once, decode the wanted faces and store their pixels.

    A name that stands twice in the source is taken once, at its first place; every other file
    that is no usable face is left out and listed under its reason. Nothing is dropped silently.

    Args:
        source: a folder or an archive.
        parse: turns a file name into a record, or raises ValueError with the reason.
        races: which faces are wanted.
        pixels: gets their pictures; a record's ``slot`` is its place there.
        workers: number of decoding threads.
        on_progress: called with the number of faces read so far and None.

    Raises:
        DatasetError: when the source is missing or damaged or holds no wanted face.
    """
    scan = _Scanner(parse, races)
    faces: list[FaceRecord] = []
    prints = bytearray()
    jobs = ((record, path, data, pixels.shape[1:]) for record, path, data in scan.wanted(source))
    for result in ordered_map(_decode, jobs, workers):
        if isinstance(result, str):
            scan.drops["unreadable picture"].append(result)
            continue
        slot = len(faces)
        pixels.write(slot, result.pixels)
        faces.append(dataclasses.replace(result.record, slot=slot))
        prints += result.fingerprint.tobytes()
        if on_progress is not None:
            on_progress(len(faces), None)
    if not faces:
        raise DatasetError(_nothing_found(source, races, scan))
    table = np.frombuffer(bytes(prints), dtype=np.uint64).reshape(-1, FINGERPRINT_WORDS)
    faces.sort()
    order = [face.slot for face in faces]
    drops = {reason: sorted(paths) for reason, paths in sorted(scan.drops.items())}
    return Scan(faces, table[order], scan.files, scan.other_races, drops)


class _Scanner:
    def __init__(self, parse: Callable[[str], FaceRecord], races: frozenset[str]) -> None:
        self.parse, self.races = parse, races
        self.files = self.other_races = 0
        self.drops: Drops = defaultdict(list)
        self._names: set[str] = set()

    def wanted(self, source: Path) -> Iterator[tuple[FaceRecord, str, bytes]]:
        for member in members(source):
            self.files += 1
            try:
                if member.problem:
                    raise UnreadableError(member.problem)
                record = self._new_record(member)
                if record.race in self.races:
                    yield record, member.path, member.read()
                else:
                    self.other_races += 1
            except (UnreadableError, ValueError) as reason:
                self.drops[str(reason)].append(member.path)

    def _new_record(self, member: Member) -> FaceRecord:
        record = self.parse(member.name)
        if record.name in self._names:
            raise UnreadableError("duplicate name")
        self._names.add(record.name)
        return record


def _decode(job: tuple[FaceRecord, str, bytes, tuple[int, int]]) -> _Face | str:
    record, path, data, size_hw = job
    try:
        pixels = to_chw(resize(read_image(data), size_hw))
    except ImageError:
        return path
    record = dataclasses.replace(record, sha256=hashlib.sha256(data).hexdigest())
    return _Face(record, pixels, fingerprint(pixels))


def _nothing_found(source: Path, races: frozenset[str], scan: _Scanner) -> str:
    text = f"{source} holds no usable face of race {', '.join(sorted(races))}"
    reasons = [f"{reason} {len(paths)}" for reason, paths in sorted(scan.drops.items())]
    if scan.other_races:
        reasons.append(f"of other races {scan.other_races}")
    return f"{text}: of {scan.files} files, " + (", ".join(reasons) or "none is a face")
