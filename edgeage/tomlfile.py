"""Reading the project's TOML files: data set cards and target profiles."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from edgeage.errors import EdgeageError, require

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_toml"]


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Python 3.10 has no reader of its own, and takes the one of the package ``tomli``.

    Args:
        path: the file, UTF-8.

    Returns:
        Its tables and values.

    Raises:
        EdgeageError: when it is missing or not TOML.
        MissingDependencyError: on Python 3.10 without ``tomli``.
    """
    name = "tomllib" if sys.version_info >= (3, 11) else "tomli"
    parser = require(name, purpose=f"read {path.name}")
    try:
        fields: dict[str, Any] = parser.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EdgeageError(f"{path} is missing; expected a TOML file there") from None
    except (OSError, ValueError) as error:
        raise EdgeageError(f"{path} is not readable TOML: {error}") from None
    return fields
