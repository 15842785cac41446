"""Decoding one picture from untrusted bytes.

Pillow does it, from a fixed list of raster formats: nothing that starts another program (EPS,
WMF) is ever opened. The header is read first, so a picture that claims too many pixels costs
nothing.
"""

from __future__ import annotations

import functools
import io
import warnings
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from edgeage.errors import ImageError, one_line
from edgeage.soundness import CHECKS

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MAX_PIXELS", "MIN_SIDE", "check_size", "decode", "on_white"]

MAX_PIXELS = 100_000_000
"""Most pixels a picture may have unless the caller allows more."""

MIN_SIDE = 8
"""Fewest pixels on a picture's shorter side: below that there is no face to see."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "JPEG2000", "AVIF")
_SIGNATURE_BYTES = 32
_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_EXIF_ORIENTATION = 0x0112


def decode(stream: BinaryIO, name: str, max_pixels: int) -> np.ndarray:
    """Decode one encoded picture.

    Args:
        stream: a seekable binary stream that stands at the picture's first byte, its own zero.
        name: what to call the picture in an error.
        max_pixels: largest height × width that is decoded.

    Returns:
        uint8 array of shape (height, width, 3), BGR, contiguous.

    Raises:
        ImageError: whatever is wrong with the bytes.
    """
    try:
        with _open(stream, name, max_pixels) as image:
            check_size(image.size[::-1], name, max_pixels)
            image.load()
            bgr = _to_bgr(image, name)
            return np.ascontiguousarray(_upright(bgr, _orientation(image)))
    except ImageError:
        raise
    # Pillow's decoders let through OSError, SyntaxError, struct.error, zlib.error, IndexError,
    # MemoryError and more; whatever the bytes provoke, the picture is at fault.
    except Exception as error:
        raise ImageError(
            f"{name} is not a readable picture: {one_line(error)}; copy or save it again"
        ) from error


def _open(stream: BinaryIO, name: str, max_pixels: int) -> Image.Image:
    """Read a picture's header as ``PIL.Image.open`` does, but without Pillow's own size check.

    That check warns or raises by a limit that is one global for the whole process;
    :func:`check_size` applies the caller's instead.
    """
    from PIL import Image

    signature = stream.read(_SIGNATURE_BYTES)
    if not signature:
        raise ImageError(f"{name} is empty (0 bytes), expected a picture")
    form = _find_format(signature)
    if form is None:
        raise ImageError(f"{name} is not a picture in a known format ({', '.join(_FORMATS)})")
    if form == "WEBP":
        _check_webp_size(signature, name, max_pixels)
    stream.seek(0)
    if check := CHECKS.get(form):
        data = stream.read()
        check(data, name)
        stream = io.BytesIO(data)
    # Without a file name: of some pictures Pillow would map the file of that name instead, which
    # may be another one, and whose shrinking would end the process.
    image: Image.Image = Image.OPEN[form][0](stream, "")
    return image


def _find_format(signature: bytes) -> str | None:
    """Return the format that these first bytes belong to, of those that edgeage reads.

    ``Image.preinit`` loads the few common plugins, ``Image.init`` the others, which takes longer.
    """
    from PIL import Image

    _quiet_pillow()
    for load_plugins in (Image.preinit, Image.init):
        load_plugins()
        for form in _FORMATS:
            _, accept = Image.OPEN.get(form, (None, None))
            if accept is not None and accept(signature) is True:
                return form
    return None


@functools.cache
def _quiet_pillow() -> None:
    """Ignore Pillow's warnings of odd metadata, unless the program has a filter for them.

    What they tell is either in the error or says nothing about the pixels.
    """
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.", append=True)


def _check_webp_size(signature: bytes, name: str, max_pixels: int) -> None:
    """Refuse a canvas that is too large (RFC 9649, section 2.7), which libwebp would allocate."""
    if signature[12:16] == b"VP8X" and len(signature) >= 30:
        width, height = (int.from_bytes(signature[at : at + 3], "little") + 1 for at in (24, 27))
        check_size((height, width), name, max_pixels)


def check_size(size_hw: tuple[int, ...], name: str, max_pixels: int) -> None:
    """Refuse a picture of (height, width) pixels that is too large or too small.

    Raises:
        ImageError: over ``max_pixels`` in all, or under :data:`MIN_SIDE` on a side.
    """
    height, width = size_hw
    if width * height > max_pixels:
        raise ImageError(
            f"{name} has {width}×{height} pixels, more than the limit of {max_pixels:,}; "
            f"make it smaller"
        )
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"{name} has {width}×{height} pixels, expected at least {MIN_SIDE} on each side"
        )


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of a loaded picture (CIPA DC-008, tag 0x0112), 1 without one."""
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    # Damaged metadata is no reason to refuse sound pixels.
    except Exception:
        return 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn (height, width, 3) pixels as their EXIF orientation says they are seen."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _to_bgr(image: Image.Image, name: str) -> np.ndarray:
    import cv2

    # Of a large picture every copy of its pixels takes as long as a good part of the decoding.
    bgr: np.ndarray = cv2.cvtColor(_to_rgb(image, name), cv2.COLOR_RGB2BGR)
    return bgr


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        grey = (np.asarray(image).astype(np.uint32) + 128) // 257
        return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        kind = "32-bit integer" if image.mode == "I" else "floating-point"
        raise ImageError(f"{name} has {kind} samples; save it with 8 or 16 bits a sample")
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return on_white(np.asarray(image.convert("RGBA")))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def on_white(image: np.ndarray) -> np.ndarray:
    """Lay a uint8 picture of shape (height, width, 4), alpha last, on white."""
    alpha = image[:, :, 3:].astype(np.uint16)
    mixed = image[:, :, :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
