"""Where the Movidius tools are: the Python that has them, and the environment it needs."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from edgeage.errors import ToolchainError
from edgeage.paths import cache_dir

__all__ = ["PYTHON_VARIABLE", "Toolchain", "find_toolchain", "toolchain_dir"]

PYTHON_VARIABLE = "EDGEAGE_MOVIDIUS_PYTHON"
"""Environment variable that names a Python with the Movidius tools, instead of our own."""


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
        """Return the environment variables its programs run with."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        # The pure-Python protobuf takes minutes for a caffemodel.
        kept["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "cpp"
        return kept


def toolchain_dir() -> Path:
    """Return the folder «edgeage toolchain install» makes, which may not be there."""
    return cache_dir() / "toolchain"


def find_toolchain(python: Path | None = None) -> Toolchain:
    """Find the Movidius tools: the Python given, ``$EDGEAGE_MOVIDIUS_PYTHON``, or our own.

    Args:
        python: an interpreter that has them.

    Raises:
        ToolchainError: when there is none; the message says how to get one.
    """
    named = python or os.environ.get(PYTHON_VARIABLE)
    path = Path(named) if named else toolchain_dir() / "bin" / "python"
    if not path.is_file():
        what = f"{path} is no Python" if named else "the Movidius tools are not installed"
        raise ToolchainError(f"{what}; install them with: edgeage toolchain install")
    return Toolchain(path, managed=not named)
