"""Chance that is the same on every machine: it comes from a seed and a name through SHA-256."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["fraction", "integer", "shuffled"]

Item = TypeVar("Item")


def integer(seed: int, *words: object) -> int:
    """Return a number from 0 to 2⁶⁴ − 1 that depends on the seed and the words alone.

    >>> integer(230, "noise", "a.jpg") == integer(230, "noise", "a.jpg") != integer(231, "noise")
    True
    """
    text = "\0".join(map(str, (seed, *words)))
    return int.from_bytes(
        hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:8], "big"
    )


def fraction(seed: int, *words: object) -> float:
    """Return a number from 0 up to and without 1, likewise."""
    return (integer(seed, *words) >> 11) / (1 << 53)


def shuffled(
    items: Iterable[Item], seed: int, purpose: str, name: Callable[[Item], str]
) -> list[Item]:
    """Return the items in an order that depends on the seed, the purpose and their names alone."""
    return sorted(items, key=lambda item: (integer(seed, purpose, name(item)), name(item)))
