"""Reading a published archive, or a folder, file by file, trusting nothing in it.

Nothing is ever extracted: a member's bytes go to memory, its path is only looked at.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import tarfile
import zipfile
import zlib
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, cast

from edgeage.errors import DatasetError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "MAX_MEMBER_BYTES",
    "MAX_TABLE_BYTES",
    "Member",
    "UnreadableError",
    "members",
    "source_kind",
]

MAX_MEMBER_BYTES = 64 << 20
"""Files larger than this are not read: no picture of a face is."""

MAX_TABLE_BYTES = 1 << 30
"""Files of labels larger than this are refused: those of a million faces have a tenth of it."""

_TOO_LARGE = "file too large"
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, LZMAError, OSError)
_COMPRESSIONS = ((b"\x1f\x8b", "gzip"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "lzma"))


class UnreadableError(Exception):
    """One member cannot be read, though the archive goes on; its text is the reason."""


@dataclasses.dataclass(frozen=True)
class Member:
    """A file in a source.

    Attributes:
        path: its path as the source gives it, with ``/``; only for messages.
        problem: why it must not be read, or an empty string.
        read: returns its bytes, before the next member is asked for; raises
            :class:`UnreadableError`.
        open: returns a stream of its bytes; for files larger than pictures.
    """

    path: str
    problem: str
    read: Callable[[], bytes]
    open: Callable[[], IO[bytes]]

    def copy_to(self, target: Path) -> None:
        """Copy its bytes to a file, without holding them all, before the next member is asked for.

        Raises:
            DatasetError: when it must not be read, is damaged or larger than
                :data:`MAX_TABLE_BYTES`.
        """
        if self.problem not in ("", _TOO_LARGE):
            raise DatasetError(f"{self.path} is not read: {self.problem}")
        try:
            with self.open() as stream, target.open("wb") as copy:
                while block := stream.read(1 << 20):
                    copy.write(block)
                    if copy.tell() > MAX_TABLE_BYTES:
                        raise DatasetError(
                            f"{self.path} has more than {MAX_TABLE_BYTES >> 20} MB, no table of "
                            "labels has; is it one?"
                        )
        except (*_DAMAGED, RuntimeError, NotImplementedError) as error:
            raise DatasetError(f"{self.path} cannot be read: {one_line(error)}") from None

    @property
    def name(self) -> str:
        """The file name without folders."""
        return PurePosixPath(self.path).name


def source_kind(source: Path) -> str:
    """Return ``"folder"``, ``"zip"`` or ``"tar"`` (compressed or not).

    Raises:
        DatasetError: when there is nothing, or something else.
    """
    if source.is_dir():
        return "folder"
    if not source.exists():
        raise DatasetError(f"{source} does not exist; expected an archive or a folder of pictures")
    # A tar whose last file is a zip looks like a zip, so it is asked first.
    try:
        with _tar_stream(source):
            return "tar"
    except _DAMAGED as error:
        if zipfile.is_zipfile(source):
            return "zip"
        raise DatasetError(
            f"{source} is not a tar, tar.gz or zip archive, nor a folder: {one_line(error)}"
        ) from None


def members(source: Path) -> Iterator[Member]:
    """Go through the files of a source once.

    A folder is walked in sorted order and linked folders are not followed; an archive is
    streamed in its own order. Folders are not reported; links, devices and files with an
    unsafe path are, with their problem.

    Args:
        source: a folder, a zip or a tar with any compression Python reads.

    Raises:
        DatasetError: when the source is missing, no archive, damaged or truncated.
    """
    walk = {"folder": _folder, "zip": _zip, "tar": _tar}[source_kind(source)]
    with _damage_named(source):
        yield from walk(source)


@contextlib.contextmanager
def _damage_named(source: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise DatasetError(
            f"{source} is damaged or incomplete: {one_line(error)}; get it again"
        ) from None


def _folder(source: Path) -> Iterator[Member]:
    for folder, folders, files in os.walk(source, onerror=_raise):
        folders.sort()
        for file in sorted(files):
            path = Path(folder, file)
            inside = path.relative_to(source).as_posix()
            problem = "" if path.is_file() and not path.is_symlink() else "not a regular file"
            yield Member(
                inside, problem, partial(_read_file, path), cast("Any", partial(path.open, "rb"))
            )


def _read_file(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_MEMBER_BYTES:
            raise UnreadableError(_TOO_LARGE)
        return path.read_bytes()
    except OSError as error:
        raise UnreadableError("file cannot be read") from error


def _raise(error: OSError) -> None:
    raise error


def _tar(source: Path) -> Iterator[Member]:
    with _tar_stream(source) as (archive, stream):
        for entry in archive:
            # A streaming TarFile keeps every header it has passed; nothing here looks back.
            archive.members = []  # type: ignore[attr-defined]
            if entry.isdir():
                continue
            problem = _problem(entry.name, entry.isreg(), entry.size)
            opened = cast("Any", partial(archive.extractfile, entry))
            yield Member(entry.name, problem, partial(_read_tar, source, archive, entry), opened)
        stream.check_end()


@contextlib.contextmanager
def _tar_stream(source: Path) -> Iterator[tuple[tarfile.TarFile, _WatchedStream]]:
    with source.open("rb") as file:
        magic = file.read(6)
    opener = next((name for start, name in _COMPRESSIONS if magic.startswith(start)), None)
    # Python's own compressed files check their end and checksum; tarfile's streams do not.
    with importlib.import_module(opener).open(source) if opener else source.open("rb") as file:
        stream = _WatchedStream(file)
        with tarfile.open(mode="r|", fileobj=cast("Any", stream)) as archive:
            yield archive, stream


class _WatchedStream:
    """Notices when tarfile asks for more than there is, which it takes for the archive's end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._ended = file, False

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._ended = self._ended or not data
        return data

    def check_end(self) -> None:
        if self._ended:
            raise EOFError("the archive ends early")
        while self._file.read(1 << 20):
            pass


def _read_tar(source: Path, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    with _damage_named(source):
        stream = archive.extractfile(entry)
        data = stream.read() if stream is not None else b""
        if len(data) != entry.size:
            raise EOFError(f"{entry.name} ends early")
    return data


def _zip(source: Path) -> Iterator[Member]:
    with zipfile.ZipFile(source) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            kind = (entry.external_attr >> 16) & 0o170000
            problem = _problem(entry.filename, kind in (0, 0o100000), entry.file_size)
            opened = partial(archive.open, entry)
            yield Member(entry.filename, problem, partial(_read_zip, archive, entry), opened)


def _read_zip(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(entry) as stream:
            data = stream.read(MAX_MEMBER_BYTES + 1)
    except RuntimeError as error:
        raise UnreadableError("encrypted file") from error
    # Each way of compression has errors of its own for damaged data.
    except Exception as error:
        raise UnreadableError("damaged file in the archive") from error
    if len(data) > MAX_MEMBER_BYTES:
        raise UnreadableError(_TOO_LARGE)
    return data


def _problem(path: str, regular: bool, size: int) -> str:
    if not regular:
        return "not a regular file"
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "\\" in path or ":" in parts[0]:
        return "unsafe path"
    return _TOO_LARGE if size > MAX_MEMBER_BYTES else ""
