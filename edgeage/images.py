"""Reading pictures safely, and the few operations on them that every stage shares.

Pictures are uint8 arrays of shape (height, width, 3) in BGR order everywhere in edgeage.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from edgeage.decoding import MAX_PIXELS, MIN_SIDE, check_size, decode, on_white
from edgeage.errors import ImageError, one_line
from edgeage.fetching import FetchLimits, fetch, is_url, public_url

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE",
    "Picture",
    "import_opencv",
    "read_image",
    "require_bgr",
    "resize",
    "to_chw",
]

_MOST_BYTES_PER_PIXEL, _METADATA_BYTES = 8, 1 << 27

Picture = str | os.PathLike[str] | bytes | bytearray | memoryview | np.ndarray
"""What one picture may be given as; see :func:`read_image`."""


def import_opencv() -> None:
    """Import OpenCV before threads are started that use it.

    Its import writes environment variables, and a C library that reads one in another thread at
    that moment crashes (``getenv`` of the GNU C library before 2.41).
    """
    import cv2  # noqa: F401


def read_image(
    source: Picture, *, max_pixels: int = MAX_PIXELS, limits: FetchLimits | None = None
) -> np.ndarray:
    """Read one picture.

    EXIF orientation is applied; colour profiles are not. Of an animation the first frame is
    taken. Transparent pictures are laid on white. 16-bit samples become 8-bit over their whole
    range (65,535 becomes 255). 32-bit integer and floating-point samples are refused because no
    level of theirs is known to be white.

    Args:
        source: a file's path, an ``http://`` or ``https://`` address as text, an encoded
            picture's bytes, or an array that is already a picture: uint8 of shape (height,
            width, 3) BGR, which is returned as it is and not copied, (height, width, 4) BGRA, or
            (height, width) grey.
        max_pixels: largest height × width that is decoded.
        limits: of fetching an address; None for :class:`~edgeage.fetching.FetchLimits`' own.

    Returns:
        uint8 array of shape (height, width, 3), BGR; each side at least :data:`MIN_SIDE` pixels.

    Raises:
        ImageError: when the picture is missing, unreadable, truncated, of an unknown format, too
            large or too small. No other exception leaves here for any content.

    >>> read_image(np.zeros((8, 10), np.uint8)).shape
    (8, 10, 3)
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(io.BytesIO(source), "<bytes>", max_pixels)
    if isinstance(source, str) and is_url(source):
        return decode(io.BytesIO(fetch(source, limits)), public_url(source), max_pixels)
    if not isinstance(source, str | os.PathLike):
        kind = type(source).__name__
        raise ImageError(f"expected a picture's path, address, bytes or array, got {kind}")
    return _from_file(Path(source), max_pixels)


def _from_file(path: Path, max_pixels: int) -> np.ndarray:
    try:
        _check_is_file(path, max_pixels)
        with path.open("rb") as stream:
            return decode(stream, str(path), max_pixels)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read: {one_line(error)}") from error


def resize(image_bgr: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Resize a picture without keeping its proportions.

    Pixel areas are averaged (OpenCV ``INTER_AREA``) when neither side grows; otherwise the
    picture is interpolated with ``INTER_CUBIC``.

    Args:
        image_bgr: uint8 array of shape (height, width, 3), BGR.
        size_hw: wanted height and width in pixels.

    Returns:
        uint8 array of shape (*size_hw, 3), BGR; ``image_bgr`` itself when it has that size.

    Raises:
        ImageError: when ``image_bgr`` has another shape or dtype.

    >>> resize(np.zeros((8, 10, 3), np.uint8), (4, 4)).shape
    (4, 4, 3)
    """
    require_bgr(image_bgr)
    height, width = image_bgr.shape[:2]
    if (height, width) == tuple(size_hw):
        return image_bgr
    import cv2

    shrinks = height >= size_hw[0] and width >= size_hw[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized: np.ndarray = cv2.resize(image_bgr, (size_hw[1], size_hw[0]), interpolation=method)
    return resized


def equalised(image_bgr: np.ndarray) -> np.ndarray:
    """Equalise the histogram of a picture's brightness, the Y of YCrCb; colours keep their hue.

    Args:
        image_bgr: uint8 array of shape (height, width, 3), BGR.

    Returns:
        uint8 array of the same shape, BGR.

    >>> equalised(np.array([[[40, 40, 40], [60, 60, 60]]], np.uint8))[0, :, 0].tolist()
    [0, 255]
    """
    import cv2

    parts = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2YCrCb)
    parts[..., 0] = cv2.equalizeHist(parts[..., 0])
    equal: np.ndarray = cv2.cvtColor(parts, cv2.COLOR_YCrCb2BGR)
    return equal


def to_chw(image_bgr: np.ndarray) -> np.ndarray:
    """Bring a picture into Caffe's layout, channels first.

    Args:
        image_bgr: uint8 array of shape (height, width, 3), BGR.

    Returns:
        uint8 array of shape (3, height, width), BGR, contiguous.

    Raises:
        ImageError: when ``image_bgr`` has another shape or dtype.
    """
    require_bgr(image_bgr)
    return np.ascontiguousarray(image_bgr.transpose(2, 0, 1))


def _check_is_file(path: Path, max_pixels: int) -> None:
    if path.is_dir():
        raise ImageError(f"{path} is a folder, expected a picture")
    if not path.exists():
        raise ImageError(f"{path} does not exist, expected a picture")
    if not path.is_file():
        raise ImageError(f"{path} is not an ordinary file, expected a picture")
    size = path.stat().st_size
    if size == 0:
        raise ImageError(f"{path} is empty (0 bytes), expected a picture; copy it again")
    if size > max_pixels * _MOST_BYTES_PER_PIXEL + _METADATA_BYTES:
        raise ImageError(f"{path} has {size:,} bytes, more than {max_pixels:,} pixels can need")


def _from_array(array: np.ndarray, max_pixels: int) -> np.ndarray:
    colour = array.ndim == 3 and array.shape[2] in (3, 4)
    if array.dtype != np.uint8 or not (colour or array.ndim == 2):
        raise ImageError(_wrong_array(array, "(height, width, 3) BGR, (…, 4) BGRA or grey"))
    check_size(array.shape[:2], "the array", max_pixels)
    if array.ndim == 2:
        return np.repeat(array[:, :, None], 3, axis=2)
    return on_white(array) if array.shape[2] == 4 else array


def require_bgr(image: Any) -> None:
    """Hold that something is a picture: uint8 of shape (height, width, 3), BGR, with pixels.

    Raises:
        ImageError: when it is not.
    """
    is_array = isinstance(image, np.ndarray)
    if not is_array or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(_wrong_array(image, "(height, width, 3) BGR"))
    if image.size == 0:
        raise ImageError(_wrong_array(image, "(height, width, 3) BGR with at least one pixel"))


def _wrong_array(found: Any, wanted: str) -> str:
    if not isinstance(found, np.ndarray):
        return f"expected a uint8 array of shape {wanted}, got {type(found).__name__}"
    return f"expected a uint8 array of shape {wanted}, got {found.dtype} of shape {found.shape}"
