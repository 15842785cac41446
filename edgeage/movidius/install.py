"""Install the Movidius tools into an environment of their own, and remove them again.

Each installation is built in a folder of its own, under the name it keeps, for an environment
cannot be renamed; a small file, replaced last, names the finished one. So whatever interrupts an
installation leaves the former one in use, and the next sweeps up what was left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edgeage.errors import ToolchainError
from edgeage.locks import file_lock
from edgeage.movidius.installed import (
    ENVIRONMENT_PREFIX,
    Installed,
    environments,
    folder_bytes,
    read_installed,
    remove_folder,
    users_of,
    write_installed,
)
from edgeage.movidius.pip import pins, pins_path, run_module, run_pip
from edgeage.movidius.pythons import BUILD_VARIABLE, find_python
from edgeage.movidius.status import ToolchainStatus, check_toolchain
from edgeage.movidius.toolchain import MANIFEST, toolchain_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeage.movidius.pythons import Interpreter

__all__ = ["Removed", "install", "remove"]

_NEEDED_BYTES = 700_000_000
_LOCK = ".lock"

Progress = Callable[[int, int, str], None]
Talk = Callable[[str], None]


def install(
    python: Path | None = None,
    *,
    force: bool = False,
    on_progress: Progress | None = None,
    say: Talk | None = None,
) -> Installed:
    """Install the tools, unless the same ones are there and work.

    Args:
        python: the Python 3.6 to 3.9 to use; None looks for one.
        force: install again what is there already.
        on_progress: called with steps done, steps in all, and what is going on.
        say: called with lines of talk.

    Returns:
        What is installed now.

    Raises:
        ToolchainError: when no Python does, pip fails, or what was installed does not work.
    """
    started = time.monotonic()
    say, root = say or _quietly, toolchain_dir()
    with _lock(root, lambda: say("another installation is going on; waiting for it to end")):
        if not force and (there := _usable(root, python)):
            say(f"already installed in {there.folder}")
            return there
        interpreter = find_python(python)
        say(f"using Python {interpreter.version_text} ({interpreter.source}): {interpreter.path}")
        _sweep(root)
        _check_space(root)
        built = _build(root, interpreter, started, on_progress or _no_progress)
        _sweep(root)
    return built


def _quietly(_line: str) -> None:
    """Take a line of talk nobody asked for."""


def _no_progress(_done: int, _total: int, _note: str) -> None:
    """Take a step nobody asked for."""


@contextlib.contextmanager
def _lock(root: Path, on_wait: Callable[[], None] | None) -> Iterator[None]:
    with contextlib.ExitStack() as held, _disk_errors(root):
        try:
            held.enter_context(file_lock(root / _LOCK, on_wait=on_wait))
        except BlockingIOError:
            raise ToolchainError(
                f"an installation in {root} is going on; wait for it to end"
            ) from None
        yield


@contextlib.contextmanager
def _disk_errors(root: Path) -> Iterator[None]:
    """Turn a full or read-only disk into one line with what to do about it."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ToolchainError(_full(root)) from None
        raise ToolchainError(
            f"{error.filename or root}: {error.strerror}; set EDGEAGE_CACHE to a folder that can "
            f"be written"
        ) from None


def _full(root: Path, free: int | None = None) -> str:
    left = "" if free is None else f" ({free / 1e6:.0f} MB free)"
    return (
        f"the disk of {root} is full{left}; the Movidius tools need {_NEEDED_BYTES / 1e6:.0f} MB: "
        f"free some, or set EDGEAGE_CACHE to a folder on another disk"
    )


def _check_space(root: Path) -> None:
    free = shutil.disk_usage(root).free
    if free < _NEEDED_BYTES:
        raise ToolchainError(_full(root, free))


def _usable(root: Path, python: Path | None) -> Installed | None:
    """Return what is installed if it is what would be installed now and works."""
    there = read_installed(root)
    if there is None or there.pins_sha256 != _pins_sha256():
        return None
    wanted = python or os.environ.get(BUILD_VARIABLE)
    if wanted and find_python(python).version_text != there.python_version:
        return None
    return there if check_toolchain(there.toolchain).works else None


def _pins_sha256() -> str:
    texts = [pins_path(name).read_bytes() for name in ("pip", "tools")]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def _build(root: Path, interpreter: Interpreter, started: float, progress: Progress) -> Installed:
    """Make the environment, fill it, try it, and only then name it as the one to use."""
    minor = f"py3{interpreter.version[1]}"
    prefix = f"{ENVIRONMENT_PREFIX}{_pins_sha256()[:8]}-{minor}-"
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
    finished = False
    try:
        steps = _Steps(len(pins(pins_path("tools"))) + 4, progress)
        steps.next("making the environment")
        _make_environment(interpreter, folder)
        steps.next("pip")
        run_pip(folder / "bin" / "python", pins_path("pip"))
        run_pip(folder / "bin" / "python", pins_path("tools"), steps.heard)
        steps.next("trying the tools")
        built = Installed(
            folder=folder,
            python_version=interpreter.version_text,
            base_python=str(interpreter.path),
            pins_sha256=_pins_sha256(),
            packages=tuple(pins(pins_path("tools"))),
            size_bytes=folder_bytes(folder),
            seconds=0.0,
        )
        _must_work(check_toolchain(built.toolchain))
        built = dataclasses.replace(built, seconds=round(time.monotonic() - started, 1))
        write_installed(root, built)
        finished = True
        steps.end()
    finally:
        if not finished:
            shutil.rmtree(folder, ignore_errors=True)
    return built


class _Steps:
    """Counts the steps of an installation: environment, pip, each package, putting, trying."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._done, self._total, self._progress = -1, total, progress

    def next(self, note: str) -> None:
        self._done = min(self._done + 1, self._total)
        self._progress(self._done, self._total, note)

    def heard(self, line: str) -> None:
        """Take a line of pip's talk for a step where it begins one."""
        words = line.split()
        if line.startswith(("Collecting ", "Processing ")) and len(words) > 1:
            self.next(Path(words[1]).name)
        elif line.startswith("Installing collected packages"):
            self.next("putting the packages in place")

    def end(self) -> None:
        self._progress(self._total, self._total, "done")


def _make_environment(interpreter: Interpreter, folder: Path) -> None:
    status, said = run_module(interpreter.path, "venv", [str(folder)])
    if status or not (folder / "bin" / "python").is_file():
        last = (said or ["it said nothing"])[-1]
        raise ToolchainError(
            f"{interpreter.path} cannot make an environment in {folder.parent} ({last}); name "
            f"another Python 3.6 to 3.9 with --python"
        )


def _must_work(status: ToolchainStatus) -> None:
    for check in status.checks:
        if check.needed and not check.ok:
            raise ToolchainError(
                f"the tools were installed and do not work, so they were taken away again: "
                f"{check.name}: {check.detail}"
            )


def _sweep(root: Path) -> None:
    """Remove the environments that are not the finished one and that no process runs from."""
    there = read_installed(root)
    for folder in environments(root):
        if (there is None or folder != there.folder) and not users_of(folder):
            remove_folder(folder)


@dataclasses.dataclass(frozen=True)
class Removed:
    """What was removed.

    Attributes:
        root: the folder that held it.
        folders: how many environments, finished or not.
        freed_bytes: what that freed on disk.
    """

    root: Path
    folders: int
    freed_bytes: int


def remove() -> Removed:
    """Remove what :func:`install` made, finished or not.

    Returns:
        What was removed; no folders when there was nothing.

    Raises:
        ToolchainError: while an installation goes on, or a process still runs from the tools.
    """
    root = toolchain_dir()
    if not root.is_dir():
        return Removed(root, 0, 0)
    with _lock(root, None):
        folders = environments(root)
        for folder in folders:
            if users := users_of(folder):
                raise ToolchainError(
                    f"the Movidius tools are in use by process {users[0]}; end it and run this "
                    f"again"
                )
        # First, so that nothing finds half an environment.
        (root / MANIFEST).unlink(missing_ok=True)
        freed = sum(remove_folder(folder) for folder in folders)
        left = [folder for folder in folders if folder.exists()]
        if left:
            raise ToolchainError(f"{left[0]} could not be removed whole; who owns its files?")
    with contextlib.suppress(OSError):
        root.rmdir()
    return Removed(root, len(folders), freed)
