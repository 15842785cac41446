"""Where the Movidius tools are: the Python that has them, and the environment it needs."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

from edgeage.errors import ToolchainError
from edgeage.movidius.libusb import library_folder
from edgeage.paths import cache_dir

__all__ = ["PYTHON_VARIABLE", "Toolchain", "find_toolchain", "installed_folder", "toolchain_dir"]

PYTHON_VARIABLE = "EDGEAGE_MOVIDIUS_PYTHON"
"""Environment variable that names a Python with the Movidius tools, instead of our own."""

MANIFEST = "installed.json"
"""The file in :func:`toolchain_dir` that names the finished environment; written last."""


@dataclasses.dataclass(frozen=True)
class Toolchain:
    """A Python that can import the Movidius tools.

    Attributes:
        python: its interpreter.
        managed: whether «edgeage toolchain install» made it.
    """

    python: Path
    managed: bool

    def environment(self) -> dict[str, str]:
        """Return the environment variables its programs run with.

        ``LD_LIBRARY_PATH`` leads to libusb where the Python has the package ``libusb-package``.
        What another OpenVINO's ``setupvars.sh`` has set is for a Python named by the user only,
        and there it is all that is kept of ``PYTHONPATH``.
        """
        kept = dict(os.environ)
        # The pure-Python protobuf takes minutes for a caffemodel.
        kept["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "cpp"
        openvino = os.environ.get("INTEL_OPENVINO_DIR", "")
        theirs = [] if self.managed else _entries("PYTHONPATH", below=openvino)
        libraries = _entries("LD_LIBRARY_PATH", without=openvino if self.managed else "")
        if folder := library_folder(self.python):
            libraries.insert(0, str(folder))
        _set_path(kept, "PYTHONPATH", theirs)
        _set_path(kept, "LD_LIBRARY_PATH", libraries)
        return kept


def _entries(variable: str, *, below: str | None = None, without: str = "") -> list[str]:
    """Return the folders a variable lists, only those ``below`` a folder or those not in it."""
    folders = [entry for entry in os.environ.get(variable, "").split(os.pathsep) if entry]
    if below is not None:
        return [entry for entry in folders if _is_below(entry, below)]
    return [entry for entry in folders if not _is_below(entry, without)]


def _is_below(path: str, folder: str) -> bool:
    return bool(folder) and Path(path).resolve().is_relative_to(Path(folder).resolve())


def _set_path(variables: dict[str, str], name: str, folders: list[str]) -> None:
    variables.pop(name, None)
    if folders:
        variables[name] = os.pathsep.join(folders)


def toolchain_dir() -> Path:
    """Return the folder «edgeage toolchain install» makes, which may not be there."""
    return cache_dir() / "toolchain"


def installed_folder(root: Path | None = None) -> Path | None:
    """Return the finished environment that «edgeage toolchain install» made, or None.

    Args:
        root: the folder of all of them; None takes :func:`toolchain_dir`.
    """
    root = root or toolchain_dir()
    try:
        name = json.loads((root / MANIFEST).read_text(encoding="utf-8"))["folder"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    folder = root / str(name)
    return folder if (folder / "bin" / "python").is_file() else None


def find_toolchain(python: Path | None = None) -> Toolchain:
    """Find the Movidius tools: the Python given, ``$EDGEAGE_MOVIDIUS_PYTHON``, or our own.

    Args:
        python: an interpreter that has them.

    Raises:
        ToolchainError: when there is none; the message says how to get one.
    """
    if named := python or os.environ.get(PYTHON_VARIABLE):
        if Path(named).is_file():
            return Toolchain(Path(named).absolute(), managed=False)
        source = "" if python else f" (${PYTHON_VARIABLE})"
        raise ToolchainError(
            f"{named}{source} is no Python; name the interpreter that has the Movidius tools, "
            f"or install them with: edgeage toolchain install"
        )
    if folder := installed_folder():
        return Toolchain(folder / "bin" / "python", managed=True)
    raise ToolchainError(
        "the Movidius tools are not installed; install them with: edgeage toolchain install"
    )
