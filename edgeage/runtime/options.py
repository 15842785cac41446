"""How a runtime is to use a device."""

from __future__ import annotations

import dataclasses

from edgeage.errors import UsageError, did_you_mean

__all__ = ["MODES", "RuntimeOptions"]

MODES = ("latency", "throughput")
"""The modes of :class:`RuntimeOptions`."""


@dataclasses.dataclass(frozen=True)
class RuntimeOptions:
    """What the user may choose of how a device works.

    Attributes:
        mode: ``"latency"``: one picture as fast as can be; ``"throughput"``: many at a time.
        threads: threads of a CPU; None for all it has.
        streams: how many runs go on side by side; None for the mode's own number.
        cache: keep what a device compiled in the user's cache, so that the next start is quick.

    Raises:
        UsageError: for an unknown mode or a number below 1.
    """

    mode: str = "latency"
    threads: int | None = None
    streams: int | None = None
    cache: bool = True

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(
                f"unknown mode «{self.mode}»{did_you_mean(self.mode, MODES)}; expected one of "
                f"{', '.join(MODES)}"
            )
        for name in ("threads", "streams"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise UsageError(f"expected {name} of at least 1, got {number}")
