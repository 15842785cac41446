"""Near hashes are found without comparing all with all, and none is missed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeage.datasets import hashindex
from edgeage.datasets.hashindex import count_bits, near_pairs

Pairs = set[tuple[int, int]]


def _hashes(rng: np.random.Generator, count: int, most: int = 16) -> np.ndarray:
    """Random hashes, a third of them others with up to ``most`` bits changed."""
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    for row in rng.choice(count, count // 3, replace=False):
        changed = rng.choice(64, rng.integers(0, most + 1), replace=False)
        flips = sum(1 << int(bit) for bit in changed)
        hashes[row] = hashes[rng.integers(count)] ^ np.uint64(flips)
    return hashes


def _found(first: np.ndarray, second: np.ndarray, max_bits: int) -> Pairs:
    return {
        (int(row), int(other))
        for rows, others in near_pairs(first, second, max_bits)
        for row, other in zip(rows, others, strict=True)
    }


def _all_with_all(first: np.ndarray, second: np.ndarray, max_bits: int) -> Pairs:
    near = count_bits(first[:, None] ^ second[None]) <= max_bits
    return {(int(row), int(other)) for row, other in np.argwhere(np.triu(near, 1))}


# 2,000 hashes go into seven bands, twenty into eight.
@pytest.mark.parametrize("count", [0, 1, 2, 20, 2000])
@pytest.mark.parametrize("max_bits", [7, 12, 17])
def test_what_is_found_is_what_comparing_all_with_all_finds(count: int, max_bits: int) -> None:
    rng = np.random.default_rng(count + max_bits)
    first, second = _hashes(rng, count), _hashes(rng, count)
    second[::5] = first[::-1][::5]
    for other in (first, second):
        expected = _all_with_all(first, other, max_bits)
        assert _found(first, other, max_bits) == expected
        assert len(expected) > 100 or count < 2000


@pytest.mark.parametrize("bands", [3, 4, 5])
def test_so_does_every_number_of_bands(bands: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashindex, "_FEWEST_BANDS", bands)
    monkeypatch.setattr(hashindex, "_MOST_BANDS", bands)
    hashes = _hashes(np.random.default_rng(bands), 300)
    assert _found(hashes, hashes, 12) == _all_with_all(hashes, hashes, 12)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 63), min_size=12, max_size=13))
def test_the_last_bit_decides_wherever_it_is(bits: set[int]) -> None:
    hashes = np.array([0, sum(1 << bit for bit in bits)], np.uint64)
    assert _found(hashes, hashes, 12) == ({(0, 1)} if len(bits) == 12 else set())


def test_hashes_that_are_all_alike_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashindex, "_AT_ONCE", 1000)
    largest = 0

    def watched(words: np.ndarray) -> np.ndarray:
        nonlocal largest
        largest = max(largest, words.size)
        return count_bits(words)

    monkeypatch.setattr(hashindex, "count_bits", watched)
    hashes = np.full(90, 7, np.uint64)
    assert len(_found(hashes, hashes, 12)) == 90 * 89 // 2
    assert largest <= 1000


def test_comparisons_grow_more_slowly_than_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def counted(words: np.ndarray) -> np.ndarray:
        nonlocal compared
        compared += words.size
        return count_bits(words)

    monkeypatch.setattr(hashindex, "count_bits", counted)
    counts = []
    for count in (1_000, 16_000):
        compared = 0
        hashes = np.random.default_rng(0).integers(0, 2**64, count, dtype=np.uint64)
        assert len(_found(hashes, hashes, 12)) < 100
        counts.append(compared)
    # Sixteen times as many hashes have 256 times as many pairs.
    assert counts[1] < 64 * counts[0]
    assert counts[1] < 0.1 * 16_000**2 / 2


def test_bits_are_counted_without_numpys_own_function(monkeypatch: pytest.MonkeyPatch) -> None:
    words = np.random.default_rng(1).integers(0, 2**63, (7, 5), dtype=np.uint64)
    expected = [[bin(int(word)).count("1") for word in row] for row in words]
    assert count_bits(words).tolist() == expected
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert count_bits(words).tolist() == expected
