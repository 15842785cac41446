"""The record of an installation: one small file, written last, says what is whole."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.movidius.toolchain import MANIFEST, Toolchain, installed_folder
from edgeage.paths import atomic_file

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ENVIRONMENT_PREFIX",
    "Installed",
    "environments",
    "folder_bytes",
    "read_installed",
    "remove_folder",
    "users_of",
    "write_installed",
]

ENVIRONMENT_PREFIX = "env-"
"""How the name of an environment's folder begins, finished or not."""


@dataclasses.dataclass(frozen=True)
class Installed:
    """A finished environment.

    Attributes:
        folder: where it is.
        python_version: of the Python it was made with: ``"3.9.18"``.
        base_python: that Python's executable.
        pins_sha256: hash of the pinned versions and hashes it holds.
        packages: the pinned packages' names.
        size_bytes: what it takes on disk.
        seconds: how long the installation took.
    """

    folder: Path
    python_version: str
    base_python: str
    pins_sha256: str
    packages: tuple[str, ...]
    size_bytes: int
    seconds: float

    @property
    def toolchain(self) -> Toolchain:
        """The tools in it."""
        return Toolchain(self.folder / "bin" / "python", managed=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        fields = dataclasses.asdict(self)
        return {**fields, "folder": str(self.folder), "packages": list(self.packages)}


def read_installed(root: Path) -> Installed | None:
    """Return the finished environment below ``root``, or None when there is none."""
    folder = installed_folder(root)
    if folder is None:
        return None
    try:
        fields = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
        return Installed(**{**fields, "folder": folder, "packages": tuple(fields["packages"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_installed(root: Path, installed: Installed) -> None:
    """Make ``installed`` the environment that is used from now on."""
    fields = {**installed.to_dict(), "folder": installed.folder.name}
    os.sync()
    with atomic_file(root / MANIFEST) as part:
        part.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


def environments(root: Path) -> list[Path]:
    """Return the folders of environments below ``root``, finished or not."""
    if not root.is_dir():
        return []
    return sorted(
        path
        for path in root.iterdir()
        if path.name.startswith(ENVIRONMENT_PREFIX) and path.is_dir() and not path.is_symlink()
    )


def folder_bytes(folder: Path) -> int:
    """Return what a folder takes on disk, in bytes."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(Path(place) / name).st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def remove_folder(folder: Path) -> int:
    """Remove a folder with all in it and return the bytes that frees."""
    size = folder_bytes(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return size - (folder_bytes(folder) if folder.exists() else 0)


def users_of(folder: Path) -> list[int]:
    """Return the ids of the processes that run a program of ``folder``; Linux only, else none."""
    inside = os.fsencode(folder.absolute()) + b"/"
    return [pid for pid, command in _commands() if command.startswith(inside)]


def _commands() -> Iterator[tuple[int, bytes]]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        yield int(entry.name), command.split(b"\0", 1)[0]
