"""Batches from an LMDB, transformed as Caffe's ``Data`` layer does, ahead of the net."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from edgeage.errors import UnsupportedLayerError
from edgeage.training.augment import Augmentation
from edgeage.training.transform import Transform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgeage.datasets.store import DatumReader

__all__ = ["Batch", "BatchSource"]

Batch = tuple[torch.Tensor, torch.Tensor]
"""Pixels, float32 (N, C, H, W) in channels-last memory, and labels, int64 (N,)."""


class BatchSource:
    """Batches of one phase, each a pure function of its number.

    Pictures are read in the LMDB's order, round and round, as Caffe does. Randomness comes from
    ``(seed, position)``, so a resumed training sees what an uninterrupted one would have.

    Args:
        data: the phase's ``Data`` layer.
        reader: the opened LMDB.
        folder: where a relative ``mean_file`` stands.
        training: phase ``TRAIN``.
        seed: seed of crops, mirroring and augmentation.
        augment: changes beyond Caffe's, for training.
    """

    def __init__(
        self,
        data: Any,
        reader: DatumReader,
        folder: Path,
        *,
        training: bool,
        seed: int,
        augment: Augmentation | None = None,
    ) -> None:
        if data.type != "Data":
            raise UnsupportedLayerError(
                f"layer «{data.name}» ({data.type}) brings no pictures; expected a Data layer"
            )
        self.reader, self.training, self.seed = reader, training, seed
        self.augment = augment or Augmentation()
        self.batch_size = int(data.data_param.batch_size)
        if self.batch_size < 1:
            raise UnsupportedLayerError(f"layer «{data.name}» needs a batch_size above 0")
        self.transform = Transform(data.transform_param, reader.shape, training, folder)

    def batch(self, number: int) -> Batch:
        """Return training batch ``number``, counted from 0 over the whole training."""
        start = number * self.batch_size
        return self._gather(range(start, start + self.batch_size))

    def whole_set(self) -> Iterator[Batch]:
        """Yield every picture once, in order; the last batch may be smaller."""
        count = len(self.reader)
        for start in range(0, count, self.batch_size):
            yield self._gather(range(start, min(start + self.batch_size, count)))

    def _gather(self, positions: range) -> Batch:
        channels, height, width = self.transform.output_shape
        pixels = np.empty((len(positions), height, width, channels), dtype=np.float32)
        labels = np.empty(len(positions), dtype=np.int64)
        for row, position in enumerate(positions):
            stored, labels[row] = self.reader.get(position % len(self.reader))
            picture = _interleaved(stored)
            random = np.random.default_rng((self.seed, self.training, position))
            if self.augment and self.training:
                picture = self.augment.apply(picture, random)
            self.transform(picture, random, pixels[row])
        # (N, H, W, C) in memory is what torch calls channels-last.
        return torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.from_numpy(labels)


def _interleaved(pixels: np.ndarray) -> np.ndarray:
    """Turn (channels, height, width) into a contiguous (height, width, channels)."""
    if len(pixels) != 3:
        return np.ascontiguousarray(pixels.transpose(1, 2, 0))
    import cv2

    # Five times as fast as numpy's strided copy.
    merged: np.ndarray = cv2.merge(list(pixels))
    return merged
