"""Run an environment's own pip on our pins; its failures become one line each."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from edgeage.errors import ToolchainError
from edgeage.movidius.jobs import script_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["pins", "pins_path", "run_module", "run_pip"]

_PINS = Path(__file__).resolve().parent / "pins"

# What would make pip put things elsewhere than into the environment it runs in.
_MISLEADING = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_NO_BINARY", "PIP_DRY_RUN")

_DISK_FULL = (
    "the disk is full; free 700 MB (or set EDGEAGE_CACHE to a folder on another disk, and TMPDIR "
    "for what is downloaded) and run this again"
)
_WRONG_HASH = (
    "a download is not the file that was pinned, so nothing was installed; if a proxy or a mirror "
    "of the index alters files, let pip use another"
)
_NO_NETWORK = (
    "no package index could be reached; check the network (and pip's settings: pip config list) "
    "and run this again"
)
_NOT_IN_INDEX = (
    "the package index that pip uses has no {what} for this Python; let it use one that has (pip "
    "config list shows its settings)"
)
_UNREACHABLE = (
    r"connection broken by|Failed to establish a new connection|Name or service not known|"
    r"Temporary failure in name resolution|Connection refused|timed out|ProxyError|SSLError"
)
# In this order: a full disk or a network down can look like a package that does not exist.
_FAILURES = (
    (r"No space left on device|Errno 28|Disk quota exceeded", _DISK_FULL),
    (r"DO NOT MATCH THE HASHES|[Hh]ash(es)? mismatch", _WRONG_HASH),
    (_UNREACHABLE, _NO_NETWORK),
    (r"No matching distribution found for (?P<what>\S+)", _NOT_IN_INDEX),
)


def pins_path(name: str) -> Path:
    """Return the file of pinned versions and hashes: ``"pip"`` or ``"tools"``."""
    return _PINS / f"{name}.txt"


def pins(path: Path) -> list[str]:
    """Return the names of the packages a file pins, each once, in its order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    named = [re.match(r"([A-Za-z0-9._-]+)==", line) for line in lines]
    return list(dict.fromkeys(match[1] for match in named if match))


def run_pip(python: Path, requirements: Path, on_line: Callable[[str], None] | None = None) -> None:
    """Install what ``requirements`` pins, wheels only and hashes checked, into ``python``'s home.

    Args:
        python: an environment's interpreter.
        requirements: exact versions, each with its hashes.
        on_line: called with every line pip says.

    Raises:
        ToolchainError: when pip fails, in one line.
    """
    arguments = ["install", "--require-hashes", "--only-binary", ":all:", "--no-deps", "--upgrade"]
    arguments += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    arguments += ["--requirement", str(requirements)]
    status, said = run_module(python, "pip", arguments, on_line)
    if status:
        raise ToolchainError(f"pip could not install the Movidius tools: {_reason(said)}")


def run_module(
    python: Path,
    module: str,
    arguments: list[str],
    on_line: Callable[[str], None] | None = None,
) -> tuple[int, list[str]]:
    """Run a module of an interpreter, isolated; it ends with this process, however that ends.

    Returns:
        Its exit status and the lines it said.

    Raises:
        ToolchainError: when the interpreter cannot be started.
    """
    said: list[str] = []
    with _started(python, [module, *arguments]) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.rstrip())
            if on_line is not None:
                on_line(said[-1])
    return process.returncode, said


@contextlib.contextmanager
def _started(python: Path, arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a module in a session of its own; whatever ends the block early ends all of it."""
    script = str(script_path("run_module"))
    try:
        process = subprocess.Popen(
            [str(python), "-I", "-u", script, str(os.getpid()), *arguments],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ToolchainError(f"{python} cannot be started: {error.strerror}") from None
    with process:
        try:
            yield process
        # Ctrl-C too: pip's own children would go on without it.
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _MISLEADING and not name.startswith("PYTHON")
    }
    # «user = true» in pip's settings cannot be followed in an environment.
    kept["PIP_USER"] = "0"
    kept["PYTHONIOENCODING"] = "utf-8"
    # Python 3.6 takes a path of any letters only where a locale knows them.
    if os.environ.get("LC_ALL", "C") in {"", "C", "POSIX"}:
        kept["LC_ALL"] = "C.UTF-8"
    return kept


def _reason(said: list[str]) -> str:
    text = "\n".join(said)
    for pattern, remedy in _FAILURES:
        if match := re.search(pattern, text):
            return remedy.format(**match.groupdict())
    errors = [line for line in said if line.startswith("ERROR:")] or said or ["it said nothing"]
    return errors[-1].removeprefix("ERROR:").strip()
