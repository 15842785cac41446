"""The files that are left out, each counted under its reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_LISTED", "Drops"]

MAX_LISTED = 1000
"""How many files a reason lists; it counts them all."""


class Drops:
    """Files left out, by reason; of each reason the first paths in their order are kept."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._paths: dict[str, list[str]] = defaultdict(list)

    def add(self, reason: str, path: str) -> None:
        """Count a file."""
        self._counts[reason] += 1
        paths = self._paths[reason]
        paths.append(path)
        if len(paths) >= 2 * MAX_LISTED:
            paths.sort()
            del paths[MAX_LISTED:]

    def counts(self) -> Iterator[tuple[str, int]]:
        """Yield each reason and its number of files, in the order of the reasons."""
        yield from sorted(self._counts.items())

    def to_dict(self) -> dict[str, Any]:
        """Return reason → ``count`` and ``files``, as the report has it."""
        return {
            reason: {"count": count, "files": sorted(self._paths[reason])[:MAX_LISTED]}
            for reason, count in self.counts()
        }
