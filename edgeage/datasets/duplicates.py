"""Finding pictures that show the same photograph: copies, recompressed, cropped anew or mirrored.

Two steps. A difference hash (N. Krawetz, «Kind of Like That», 2013: is each cell of a coarse grid
brighter than its left neighbour?) of 64 and of 256 bits picks candidates among all pairs, most of
which :mod:`edgeage.datasets.hashindex` need not look at. Each
candidate is then looked at: the middle of one picture, with its shading taken out, is searched in
the other at a few sizes and shifts, and the correlation at the best place decides.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from edgeage.datasets.hashindex import count_bits, near_pairs
from edgeage.datasets.parallel import ordered_map

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FINGERPRINT_WORDS", "duplicate_groups", "find_pairs", "fingerprint", "similarity"]

FINGERPRINT_WORDS = 10
_MIRRORED = 5  # the first word of the mirrored picture's hashes

# Chosen on UTKFace by looking at the pairs: of 20,987 faces about 1,100 pairs are found, of which
# fewer than ten are two photographs of look-alikes. Below the last threshold those get frequent.
_MAX_COARSE_BITS = 12
_MAX_FINE_BITS = 44
_MIN_SIMILARITY = 0.75

_SIDE, _MIDDLE, _SCALES, _BLUR_SIGMA = 64, 48, (0.94, 1.0, 1.06), 2.0


def fingerprint(pixels: np.ndarray) -> np.ndarray:
    """Return the hashes of a picture and of its mirror image.

    Args:
        pixels: uint8 array of shape (3, height, width), BGR.

    Returns:
        uint64 array of shape (10,): one word of coarse and four of fine hash, then the same of
        the mirror image. A picture without any structure gives zeros.
    """
    grey = _grey(pixels)
    words = [_hash(picture, side) for picture in (grey, grey[:, ::-1]) for side in (8, 16)]
    return np.concatenate(words)


def _grey(pixels: np.ndarray) -> np.ndarray:
    import cv2

    grey: np.ndarray = cv2.cvtColor(
        np.ascontiguousarray(pixels.transpose(1, 2, 0)), cv2.COLOR_BGR2GRAY
    )
    return grey


def _hash(grey: np.ndarray, side: int) -> np.ndarray:
    import cv2

    cells = cv2.resize(grey, (side + 1, side), interpolation=cv2.INTER_AREA)
    bits = np.packbits(cells[:, 1:] > cells[:, :-1])
    return bits.view("<u8").astype(np.uint64)


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Return what :func:`similarity` compares: small, grey, shading taken out.

    Args:
        pixels: uint8 array of shape (3, height, width), BGR.

    Returns:
        float32 array of shape (64, 64).
    """
    import cv2

    small = cv2.resize(_grey(pixels), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    small = small.astype(np.float32)
    detail: np.ndarray = small - cv2.GaussianBlur(small, (0, 0), _BLUR_SIGMA)
    return detail


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Return how well the middle of one thumbnail is found in another.

    Args:
        first: from :func:`thumbnail`.
        second: likewise.

    Returns:
        The best normalised correlation over shifts of 8 pixels and 6 % of size, −1 to 1; 0 when
        one of them has no structure.
    """
    import cv2

    edge = (_SIDE - _MIDDLE) // 2
    middle = np.ascontiguousarray(first[edge : edge + _MIDDLE, edge : edge + _MIDDLE])
    if middle.std() < 0.5 or second.std() < 0.5:
        return 0.0
    best = -1.0
    for scale in _SCALES:
        side = round(_SIDE * scale)
        scaled = cv2.resize(second, (side, side), interpolation=cv2.INTER_LINEAR)
        best = max(best, float(cv2.matchTemplate(scaled, middle, cv2.TM_CCOEFF_NORMED).max()))
    return best


def find_pairs(
    fingerprints: np.ndarray, pixels_of: Callable[[int], np.ndarray], workers: int = 1
) -> list[tuple[int, int]]:
    """Find all pairs of pictures that show the same photograph.

    Args:
        fingerprints: uint64 array of shape (pictures, 10), a row from :func:`fingerprint` each.
        pixels_of: returns a picture by its row: uint8 (3, height, width), BGR; called from
            several threads.
        workers: number of threads.

    Returns:
        Pairs of row numbers, the smaller first, sorted.
    """

    @functools.lru_cache(maxsize=512)
    def look(row: int) -> np.ndarray:
        return thumbnail(pixels_of(row))

    def same(candidate: np.ndarray) -> bool:
        first, second, mirrored = map(int, candidate)
        other = look(second)[:, ::-1] if mirrored else look(second)
        return similarity(look(first), other) >= _MIN_SIMILARITY

    candidates = _candidates(fingerprints)
    verdicts = ordered_map(same, candidates, workers)
    kept = candidates[np.fromiter(verdicts, bool, len(candidates))]
    return sorted({(one, other) for one, other, _ in kept.tolist()})


def _candidates(fingerprints: np.ndarray) -> np.ndarray:
    """Return pairs of rows with near hashes, int64 (pairs, 3): two rows, and 1 when mirrored."""
    structured = np.flatnonzero(fingerprints.any(axis=1))
    hashes = fingerprints[structured]
    parts = [np.empty((0, 3), np.int64)]
    for mirrored, word in enumerate((0, _MIRRORED)):
        for rows, others in near_pairs(hashes[:, 0], hashes[:, word], _MAX_COARSE_BITS):
            fine = count_bits(hashes[rows, 1:5] ^ hashes[others, word + 1 : word + 5]).sum(axis=1)
            close = fine <= _MAX_FINE_BITS
            pair = structured[rows[close]], structured[others[close]]
            parts.append(np.stack([*pair, np.full(close.sum(), mirrored)], axis=1))
    return np.unique(np.concatenate(parts), axis=0)


def duplicate_groups(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Join pairs into groups (union-find).

    Args:
        count: number of pictures.
        pairs: pairs of pictures that belong together.

    Returns:
        For each picture the smallest number in its group; its own when it is alone.

    >>> duplicate_groups(5, [(0, 3), (3, 4)])
    [0, 1, 2, 0, 0]
    """
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return [root(item) for item in range(count)]
