"""Packages whose public names are imported when they are first asked for."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["lazy_names"]


def lazy_names(
    package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's ``__getattr__`` and ``__dir__`` (PEP 562), so that it stays light.

    Args:
        package: its ``__name__``.
        homes: for each of its modules, named as in it, the public names that are defined there.

    Returns:
        What imports a name of ``homes`` and keeps it in the package, raising AttributeError for
        any other; and what lists the package's ``__all__``.

    >>> get, _ = lazy_names("edgeage", {"labels": ("GENDERS",)})
    >>> get("GENDERS")
    ('Male', 'Female')
    >>> get("GENDER")
    Traceback (most recent call last):
    AttributeError: module 'edgeage' has no attribute 'GENDER'
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def get(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{home_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted(sys.modules[package].__all__)

    return get, names
