"""The mean picture of an LMDB, as Caffe's ``compute_image_mean`` makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edgeage.datasets.store import DatumReader

__all__ = ["MeanSum", "compute_mean"]


class MeanSum:
    """Adds up pictures of one size, exactly, so that their order does not matter.

    Caffe's own sum is of floats, and its result depends on the order by less than a thousandth
    of a level.

    Args:
        shape: of each picture: (3, height, width).
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._total = np.zeros(shape, dtype=np.int64)
        self.count = 0

    def add(self, pixels: np.ndarray) -> None:
        """Add a picture: uint8 array of that shape."""
        self._total += pixels
        self.count += 1

    def mean(self) -> np.ndarray:
        """Return the mean so far: float32 array of that shape, levels of 0–255."""
        return (self._total / self.count).astype(np.float32)


def compute_mean(reader: DatumReader) -> np.ndarray:
    """Return the mean of all pictures of an LMDB.

    Args:
        reader: the open LMDB.

    Returns:
        float32 array of shape (3, height, width), levels of 0–255, BGR.

    Raises:
        DatasetError: when a picture is damaged or of another size than the first.

    Source:
        Caffe's ``tools/compute_image_mean.cpp``.
    """
    total = MeanSum(reader.shape)
    for index in range(len(reader)):
        total.add(reader.get(index)[0])
    return total.mean()
