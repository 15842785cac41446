"""Which of many 64-bit hashes differ in a few bits only, without comparing all with all.

The bits are dealt out to a few bands. Hashes that differ in at most r bits differ, in one of m
bands at least, in no more than that band's share of r − m + 1 bits; so in every band a hash is
compared with those alone that stand in the buckets so near to its own. Nothing is missed.

The wider the bands, the fewer hashes share a bucket, and the more buckets are near; as wide as
makes the buckets small is best (M. Norouzi, A. Punjani and D. J. Fleet: Fast Search in Hamming
Space with Multi-Index Hashing, CVPR 2012). The comparisons then grow more slowly than the number
of pairs: how much more slowly, the hashes decide. Where their bits hang together, as those of
faces do, less is saved.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["count_bits", "near_pairs"]

_BITS = 64
_FEWEST_BANDS, _MOST_BANDS = 3, 8
_IN_A_BUCKET = 4  # hashes; fewer make more steps of less work each
_AT_ONCE = 1 << 20  # comparisons


def near_pairs(
    first: np.ndarray, second: np.ndarray, max_bits: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Find every i < j of which ``first[i]`` and ``second[j]`` differ in at most so many bits.

    Args:
        first: uint64 array of shape (hashes,).
        second: another of the same shape, or the same.
        max_bits: at least 7.

    Yields:
        Numbers i and numbers j, int64 arrays of one shape. A pair may come several times.
    """
    for bits, limit in _bands(len(first), max_bits):
        yield from _in_band(first, second, max_bits, bits, limit)


def _bands(hashes: int, max_bits: int) -> list[tuple[np.ndarray, int]]:
    """Deal the bits out: the bits of each band, neighbours apart, and how many may differ."""
    width = math.log2(max(hashes / _IN_A_BUCKET, 2))
    count = min(max(round(_BITS / width), _FEWEST_BANDS), _MOST_BANDS)
    least, more = divmod(max_bits - count + 1, count)
    # Wider bands, which come first, have more near buckets: fewer of their bits may differ.
    return [
        (np.arange(band, _BITS, count), least + (band >= count - more)) for band in range(count)
    ]


def _in_band(
    first: np.ndarray, second: np.ndarray, max_bits: int, bits: np.ndarray, limit: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    keys, places = _keys(first, bits), _keys(second, bits)
    rows, others = np.argsort(keys, kind="stable"), np.argsort(places, kind="stable")
    sizes = np.bincount(places, minlength=1 << len(bits))
    starts = np.cumsum(sizes) - sizes
    ordered, masks = second[others], _masks(len(bits), limit)
    buckets, begins = np.unique(keys[rows], return_index=True)
    for bucket, own in zip(buckets, np.split(rows, begins)[1:], strict=True):
        near = masks ^ bucket
        lengths = sizes[near]
        ends = np.cumsum(lengths)
        if not ends[-1]:
            continue
        found = np.repeat(starts[near] - ends + lengths, lengths) + np.arange(ends[-1])
        step = max(1, _AT_ONCE // len(found))
        for part in np.split(own, range(step, len(own), step)):
            bits_apart = count_bits(first[part, None] ^ ordered[None, found])
            one, other = np.nonzero(bits_apart <= max_bits)
            one, other = part[one], others[found[other]]
            ahead = one < other
            if ahead.any():
                yield one[ahead], other[ahead]


def _keys(hashes: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Put some of the bits of each hash together to a small number."""
    keys = np.zeros(len(hashes), np.int64)
    for place, bit in enumerate(bits):
        keys |= (hashes >> np.uint64(bit) & np.uint64(1)).astype(np.int64) << place
    return keys


def _masks(width: int, limit: int) -> np.ndarray:
    """Return the numbers of so many bits of which at most ``limit`` are set."""
    chosen = (
        places
        for count in range(limit + 1)
        for places in itertools.combinations(range(width), count)
    )
    return np.array([sum(1 << place for place in places) for places in chosen], np.int64)


def count_bits(words: np.ndarray) -> np.ndarray:
    """Return how many bits are set in each word: uint8, of the shape of the uint64 words."""
    if hasattr(np, "bitwise_count"):
        counts: np.ndarray = np.bitwise_count(words)
        return counts
    octets = np.ascontiguousarray(words).view(np.uint8).reshape(*words.shape, 8)
    summed: np.ndarray = _BITS_OF_BYTE[octets].sum(axis=-1, dtype=np.uint8)
    return summed


_BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(
    axis=1, dtype=np.uint8
)
