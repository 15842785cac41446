"""Figures of blobs that come a few pictures at a time."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from edgeage.verification.points import Point, inner_largest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HALF_LARGEST", "HALF_SMALLEST", "ErrorSum", "RangeSum"]

HALF_LARGEST = float(np.finfo(np.float16).max)
"""The largest number half precision holds, 65,504."""

HALF_SMALLEST = float(np.finfo(np.float16).tiny)
"""The smallest it holds with all its eleven bits, 2⁻¹⁴ or 6.1e-5."""


@dataclasses.dataclass
class RangeSum:
    """How large and how small the values of one point are.

    Attributes:
        largest: largest magnitude; NaN when a value is no number.
        inner: largest sum of squares of a local response normalisation (:func:`inner_largest`), or
            None.
        small: values other than nought whose magnitude is below :data:`HALF_SMALLEST`.
        nonzero: values other than nought.
    """

    largest: float = 0.0
    inner: float | None = None
    small: int = 0
    nonzero: int = 0

    def add(self, point: Point, blobs: Mapping[str, np.ndarray]) -> None:
        """Count the values of some more pictures."""
        sizes = np.abs(blobs[point.blob])
        self.largest = float(np.maximum(self.largest, sizes.max(initial=0.0)))
        nonzero = int(np.count_nonzero(sizes))
        self.small += nonzero - int(np.count_nonzero(~(sizes < HALF_SMALLEST)))
        self.nonzero += nonzero
        if (inner := inner_largest(point, blobs)) is not None:
            self.inner = max(self.inner or 0.0, inner)


@dataclasses.dataclass
class ErrorSum:
    """How far one engine's values of one point are from another's.

    Attributes:
        largest: largest difference; NaN when a value is no number.
        squares: sum of the squared differences.
        reference_squares: sum of the squared values of the reference.
    """

    largest: float = 0.0
    squares: float = 0.0
    reference_squares: float = 0.0

    def add(self, found: np.ndarray, expected: np.ndarray) -> None:
        """Count the differences of some more pictures; both have the same number of values."""
        with np.errstate(invalid="ignore"):
            difference = found.reshape(-1).astype(np.float64) - expected.reshape(-1)
        self.largest = float(np.maximum(self.largest, np.abs(difference).max(initial=0.0)))
        self.squares += float(np.dot(difference, difference))
        values = expected.reshape(-1).astype(np.float64)
        self.reference_squares += float(np.dot(values, values))

    @property
    def relative(self) -> float:
        """Length of all differences over the length of all values (a share of 1)."""
        if self.reference_squares == 0:
            return 0.0 if self.squares == 0 else float("inf")
        return float(np.sqrt(self.squares / self.reference_squares))
