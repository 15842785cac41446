"""Find a Python 3.6 to 3.9 to make the tools' environment with.

Each candidate is run and asked what it is; its name alone proves nothing.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.errors import ToolchainError
from edgeage.movidius.jobs import script_path

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BUILD_VARIABLE", "Interpreter", "ask", "candidates", "check_platform", "find_python"]

BUILD_VARIABLE = "EDGEAGE_TOOLCHAIN_PYTHON"
"""Environment variable that names the Python to make the environment with."""

_MINORS = (9, 8, 7, 6)
_GLIBC = (2, 24)
_ASK_SECONDS = 20

_WHERE_WHEELS_ARE = (
    "the Movidius tools' packages are made for Linux on x86-64 with glibc 2.24 or newer"
)
_ARM_REMEDY = (
    "on a Raspberry Pi unpack the ARM build of OpenVINO 2022.3 (l_openvino_toolkit_debian9_2022.3…"
    "_arm64.tgz or _armhf.tgz), source its setupvars.sh, and name the Python 3.7 to 3.10 that "
    "imports it with EDGEAGE_MOVIDIUS_PYTHON=/usr/bin/python3 or --python; elsewhere compile and "
    "train on a Linux x86-64 machine"
)
_GET_ONE = (
    "get one and run this again. Anywhere: «python3 -m pip install uv && uv python install 3.9». "
    "Debian 11: «sudo apt install python3.9 python3.9-venv» (newer Debian has no such Python: take "
    "uv). Raspberry Pi OS 11: «sudo apt install python3.9», which serves the ARM build of OpenVINO "
    "2022.3 that EDGEAGE_MOVIDIUS_PYTHON names"
)


@dataclasses.dataclass(frozen=True)
class Interpreter:
    """A Python that was asked what it is.

    Attributes:
        path: its executable, as it names itself.
        version: major, minor and micro.
        source: where it was found: ``"--python"``, ``"PATH"``, ``"pyenv"``, …
        problem: why the tools cannot be installed with it, or an empty string.
    """

    path: Path
    version: tuple[int, int, int]
    source: str
    problem: str = ""

    @property
    def version_text(self) -> str:
        """The version with dots: ``"3.9.18"``."""
        return ".".join(map(str, self.version))


def find_python(named: Path | None = None) -> Interpreter:
    """Return the newest Python 3.6 to 3.9 here that can make the environment.

    Args:
        named: the only one to consider; None takes ``$EDGEAGE_TOOLCHAIN_PYTHON`` or looks in PATH
            and in what pyenv, uv and conda have installed.

    Raises:
        ToolchainError: when the one named does not do (why), or there is none (how to get one).
    """
    variable = os.environ.get(BUILD_VARIABLE)
    if named or variable:
        source = "--python" if named else f"${BUILD_VARIABLE}"
        return _the_one(Path(named or str(variable)), source)
    check_platform()
    asked = [found for path, source in candidates() if (found := ask(path, source))]
    fit = [found for found in asked if not found.problem]
    if fit:
        return max(fit, key=lambda found: found.version)
    close = [f"{a.path}: {a.problem}" for a in asked if a.version[:2] in {(3, m) for m in _MINORS}]
    seen = f" (not {'; nor '.join(close)})" if close else ""
    raise ToolchainError(
        f"no Python 3.6 to 3.9 in PATH, pyenv, uv or conda that could be used{seen}; {_GET_ONE}"
    )


def _the_one(path: Path, source: str) -> Interpreter:
    found = ask(path, source)
    if found is None:
        raise ToolchainError(f"{path} ({source}) is no Python that runs; name one of 3.6 to 3.9")
    if found.problem:
        raise ToolchainError(f"{path} ({source}) cannot be used: {found.problem}")
    return found


def check_platform() -> None:
    """Say so where no Python can help, because the tools are not made for such a machine.

    Raises:
        ToolchainError: with what works there instead.
    """
    machine = platform.machine().lower()
    if sys.platform == "linux" and machine in {"x86_64", "amd64"}:
        return
    raise ToolchainError(
        f"{_WHERE_WHEELS_ARE}, this is {sys.platform} on {machine or 'an unknown processor'}; "
        f"{_ARM_REMEDY}"
    )


def ask(path: Path, source: str) -> Interpreter | None:
    """Run a candidate and return what it says of itself; None when it is no Python that runs."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(
            [str(path), str(script_path("describe_python"))],
            env=clean,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASK_SECONDS,
            check=False,
        )
        said = json.loads(done.stdout)
        major, minor, micro = (int(part) for part in said["version"])
        problem = _problem(said)
        executable = Path(said["executable"] or path)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None
    return Interpreter(executable, (major, minor, micro), source, problem)


def _problem(said: dict[str, Any]) -> str:
    """Return the first reason why such a Python does not do, or an empty string."""
    major, minor = said["version"][:2]
    kind = f"{said['implementation']} {major}.{minor}, {said['bits']} bit, {said['platform']}"
    if major != 3 or minor not in _MINORS or said["implementation"] != "CPython":
        return f"it is {kind}, expected CPython 3.6 to 3.9"
    if said["bits"] != 64 or said["platform"] != "linux-x86_64":
        return f"it is {kind}; {_WHERE_WHEELS_ARE}; {_ARM_REMEDY}"
    glibc = said["glibc"]
    if glibc is None or tuple(int(part) for part in glibc.split(".")[:2]) < _GLIBC:
        have = f"glibc {glibc}" if glibc else "another C library (musl?)"
        return f"it runs on {have}; {_WHERE_WHEELS_ARE}"
    return _what_is_missing(said["missing"], f"{major}.{minor}")


def _what_is_missing(missing: list[str], version: str) -> str:
    if not missing:
        return ""
    if set(missing) <= {"venv", "ensurepip"}:
        return (
            f"it cannot make environments ({' and '.join(missing)} missing); on Debian: "
            f"sudo apt install python{version}-venv"
        )
    return f"it was built without {', '.join(missing)}; take another"


def candidates() -> Iterator[tuple[Path, str]]:
    """Yield the Pythons worth asking and where each was found, each file once."""
    seen = set()
    for path, source in (*_on_path(), *_of_managers()):
        if path.is_file() and os.access(path, os.X_OK) and path.resolve() not in seen:
            # A shim of pyenv is one file with many names that answers by its name.
            if "shims" not in path.parts:
                seen.add(path.resolve())
            yield path, source


def _on_path() -> Iterator[tuple[Path, str]]:
    names = [f"python3.{minor}" for minor in _MINORS] + ["python3"]
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for name in names:
        for folder in dict.fromkeys(folders):
            yield Path(folder) / name, "PATH"


def _of_managers() -> Iterator[tuple[Path, str]]:
    for source, homes in (("pyenv", _pyenv()), ("uv", _uv()), ("conda", _conda())):
        for home in homes:
            for minor in _MINORS:
                yield home / "bin" / f"python3.{minor}", source


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _pyenv() -> list[Path]:
    root = os.environ.get("PYENV_ROOT")
    return _inside((Path(root) if root else Path.home() / ".pyenv") / "versions")


def _uv() -> list[Path]:
    if explicit := os.environ.get("UV_PYTHON_INSTALL_DIR"):
        return _inside(Path(explicit))
    data = os.environ.get("XDG_DATA_HOME")
    return _inside((Path(data) if data else Path.home() / ".local" / "share") / "uv" / "python")


def _conda() -> Iterator[Path]:
    """Yield the environments conda and its kin know of: the active one, their list, their roots."""
    home = Path.home()
    yield from (Path(os.environ[name]) for name in ("CONDA_PREFIX",) if os.environ.get(name))
    try:
        listed = (home / ".conda" / "environments.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        listed = []
    yield from (Path(line.strip()) for line in listed if line.strip())
    for root in _conda_roots(home):
        yield root
        yield from _inside(root / "envs")


def _conda_roots(home: Path) -> Iterator[Path]:
    if executable := os.environ.get("CONDA_EXE"):
        yield Path(executable).parent.parent
    if root := os.environ.get("MAMBA_ROOT_PREFIX"):
        yield Path(root)
    for name in ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba"):
        yield home / name
        yield Path("/opt") / name
    yield Path("/opt/conda")
