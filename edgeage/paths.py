"""Where edgeage's own files and caches live, and how a file is written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.errors import EdgeageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "atomic_dir",
    "atomic_file",
    "cache_dir",
    "data_dir",
    "models_dir",
    "refuse_taken",
    "sha256_file",
    "write_json",
]

_PACKAGE = Path(__file__).resolve().parent


def data_dir(name: str) -> Path:
    """Return one of the project's data folders.

    A wheel carries them inside the package; a source tree keeps them beside it.

    Args:
        name: ``"prototxt"``, ``"caffe_models"``, ``"compile"``, ``"datasets"``,
            ``"models"`` or ``"examples"``.

    Raises:
        EdgeageError: when neither is there, which means a broken installation.
    """
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise EdgeageError(
        f"edgeage's own folder «{name}» is missing from the installation; reinstall edgeage"
    )


def cache_dir() -> Path:
    r"""Return the folder for files that can be made again, without creating it.

    ``$EDGEAGE_CACHE`` if set; else the platform's user cache (``$XDG_CACHE_HOME/edgeage`` or
    ``~/.cache/edgeage`` on Linux, ``~/Library/Caches/edgeage`` on macOS,
    ``%LOCALAPPDATA%\edgeage`` on Windows).
    """
    if explicit := os.environ.get("EDGEAGE_CACHE"):
        return Path(explicit)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "edgeage"
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    root = os.environ.get(variable)
    return (Path(root) if root else Path.home() / ".cache") / "edgeage"


def models_dir() -> Path:
    """Return the folder of the models that go by name, without creating it.

    ``$EDGEAGE_MODELS`` if set, else ``models`` in :func:`cache_dir`.
    """
    explicit = os.environ.get("EDGEAGE_MODELS")
    return Path(explicit) if explicit else cache_dir() / "models"


def refuse_taken(path: Path, *, overwrite: bool) -> None:
    """Hold that a file may be written.

    Raises:
        UsageError: when something is there without ``overwrite``.
    """
    if path.exists() and not overwrite:
        raise UsageError(f"{path} is already there; pass --overwrite to replace it")


@contextlib.contextmanager
def _parents_of(path: Path) -> Iterator[None]:
    """Make the folders above ``path``; take away again those that the block leaves empty."""
    missing = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            for folder in missing:
                folder.rmdir()


@contextlib.contextmanager
def atomic_file(path: Path, *, suffix: str = ".part") -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it there when the block succeeds.

    The temporary path ends in ``suffix``, for programs that go by that. The data is flushed to
    disk before the rename, so a crash leaves the old file or the whole one. On an error the
    temporary file is removed and ``path`` is untouched.
    """
    with _parents_of(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, fields: Mapping[str, Any]) -> None:
    """Write a JSON document, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


@contextlib.contextmanager
def atomic_dir(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; rename it there when the block succeeds.

    Args:
        path: the folder to appear.
        overwrite: replace a folder that is already there; an empty one is always replaced.

    Raises:
        EdgeageError: when ``path`` is a file, or a folder that is not empty without ``overwrite``.
    """
    if path.exists() and not path.is_dir():
        raise EdgeageError(f"{path} is a file, expected a folder to write; choose another name")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise EdgeageError(f"{path} is not empty; choose another folder or pass --overwrite")
    with _parents_of(path):
        name = tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            _put_in_place(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(folder: Path, path: Path) -> None:
    if not path.exists():
        folder.rename(path)
        return
    retired = folder.with_suffix(".old")
    path.rename(retired)
    try:
        folder.rename(path)
    except OSError:
        retired.rename(path)
        raise
    shutil.rmtree(retired)


def _umask() -> int:
    """Return the process's mask of file permissions, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
