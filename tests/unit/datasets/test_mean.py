from __future__ import annotations

from pathlib import Path

import numpy as np

from edgeage.datasets import DatumReader, DatumWriter, compute_mean
from edgeage.datasets.mean import MeanSum


def test_the_mean_is_that_of_every_pixel(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (31, 3, 8, 9), dtype=np.uint8)
    with DatumWriter(tmp_path / "x") as writer:
        for pixels in pictures:
            writer.put("a", pixels, 0)
    with DatumReader(tmp_path / "x") as reader:
        mean = compute_mean(reader)
    assert mean.dtype == np.float32
    assert np.array_equal(mean, pictures.mean(axis=0, dtype=np.float64).astype(np.float32))


def test_the_order_does_not_matter() -> None:
    # A sum of float32 does differ: 255 · 70,000 is past 2**24.
    shape = (3, 4, 4)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(200, 256, shape, dtype=np.uint8) for _ in range(300)]
    sums = [MeanSum(shape), MeanSum(shape)]
    for pixels in pictures:
        sums[0].add(pixels)
    for pixels in reversed(pictures):
        sums[1].add(pixels)
    assert sums[0].mean().tobytes() == sums[1].mean().tobytes()
