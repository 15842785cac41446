"""Making faces in a picture unrecognisable."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

__all__ = ["blur_faces"]

_MARGIN = 0.35
_TILES = 6


def blur_faces(picture_bgr: np.ndarray, boxes: Sequence[tuple[int, int, int, int]]) -> np.ndarray:
    """Make the faces in a picture unrecognisable: a few coarse tiles a face, then blurred.

    A face keeps about six tiles on its longer side, which is below what people or networks tell
    identities by, and blurring takes the tiles' edges, by which pixelated faces can be guessed.
    What was there cannot be computed back from it. A margin of a third of the face goes with it.

    Args:
        picture_bgr: uint8 array of shape (height, width, 3), BGR; left as it is.
        boxes: left, top, right and bottom edge of each face in pixels.

    Returns:
        A new uint8 picture of the same shape.

    >>> import numpy as np
    >>> stripes = np.zeros((40, 40, 3), np.uint8)
    >>> stripes[:, ::2] = 200
    >>> bool(np.ptp(blur_faces(stripes, [(10, 10, 30, 30)])[20, 10:30]) < 30)
    True
    """
    import cv2

    blurred: np.ndarray = picture_bgr.copy()
    height, width = picture_bgr.shape[:2]
    for left, top, right, bottom in boxes:
        across, down = round(_MARGIN * (right - left)), round(_MARGIN * (bottom - top))
        columns = slice(max(0, left - across), min(width, right + across))
        rows = slice(max(0, top - down), min(height, bottom + down))
        part = picture_bgr[rows, columns]
        if not part.size:
            continue
        # The tiles' size is the face's, also where the frame cuts it off.
        tile = max(2, round(max(right - left, bottom - top) * (1 + 2 * _MARGIN) / _TILES))
        size = max(1, round(part.shape[1] / tile)), max(1, round(part.shape[0] / tile))
        tiles = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        whole = cv2.resize(tiles, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        blurred[rows, columns] = cv2.GaussianBlur(whole, (0, 0), tile / 2)
    return blurred
