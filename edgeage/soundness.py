"""What an encoded picture's own structure tells before it is decoded.

The decoders take some damage without a word and some small files at great cost. These checks
read structure only, in time that grows with the file and not with what it claims.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from edgeage.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CHECKS"]

_MOST_SCANS = 500
_MOST_SEGMENTS = 100_000
_MOST_TILES = 16_384
_PNG_SIGNATURE_BYTES = 8
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_JPEG_SOI, _JPEG_TEM, _JPEG_SOS, _JPEG_EOI = 0xD8, 0x01, 0xDA, 0xD9
_J2K_START, _J2K_SOT, _J2K_EOC = b"\xff\x4f\xff\x51", b"\xff\x90", b"\xff\xd9"


def _check_png(data: bytes, name: str) -> None:
    """Hold the CRC of every critical chunk (PNG, 3rd edition, section 5.5).

    Pillow reads the pixels' chunks without looking at theirs.
    """
    place = _PNG_SIGNATURE_BYTES
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        kind, end = data[place + 4 : place + 8], place + 8 + length
        # A chunk that is cut off is the decoder's to judge: it may need no more of it.
        if kind == b"IEND" or end + 4 > len(data):
            return
        critical = not kind[0] & 0x20
        if critical and zlib.crc32(data[place + 4 : end]) != _number(data, end, 4):
            raise _damaged(name, f"the check sum of its chunk {kind!r} is wrong")
        place = end + 4


def _check_jpeg(data: bytes, name: str) -> None:
    """Bound the scans (ITU-T T.81, annex B): each costs as much as all pixels and may be tiny."""
    place, scans, segments = 2, 0, 0
    while found := _JPEG_MARKER.search(data, place):
        marker, place = data[found.start() + 1], found.end()
        if marker == _JPEG_EOI:
            return
        if marker in (_JPEG_SOI, _JPEG_TEM):
            continue
        place += _number(data, place, 2)
        scans, segments = scans + (marker == _JPEG_SOS), segments + 1
        if scans > _MOST_SCANS or segments > _MOST_SEGMENTS:
            raise _damaged(name, f"it has more than {_MOST_SCANS} scans or {_MOST_SEGMENTS} parts")


def _check_jpeg2000(data: bytes, name: str) -> None:
    """Hold that every tile is there (ITU-T T.800, annex A), and that they are not too many.

    OpenJPEG fills what is missing with grey, and takes about 12 KB a tile before it looks.
    """
    start = data.find(_J2K_START)
    if start < 0 or start + 40 > len(data):
        raise _damaged(name, "it has no JPEG 2000 codestream")
    width, height, left, top, tile_width, tile_height, tile_left, tile_top = (
        _number(data, start + 8 + 4 * field, 4) for field in range(8)
    )
    if not (tile_width and tile_height and tile_left <= left and tile_top <= top):
        raise _damaged(name, "its tiles have no size")
    tiles = -(-(width - tile_left) // tile_width) * -(-(height - tile_top) // tile_height)
    if tiles > _MOST_TILES:
        raise ImageError(f"{name} has {tiles:,} tiles, more than {_MOST_TILES:,}; save it again")
    found = len(set(_j2k_tiles(data, start + 2)))
    if found < tiles:
        raise _damaged(name, f"it holds {found} of {tiles} tiles")


def _j2k_tiles(data: bytes, place: int) -> Iterator[int]:
    """Yield the index of every tile-part that is there."""
    while place + 12 <= len(data) and data[place : place + 2] != _J2K_EOC:
        if data[place : place + 2] != _J2K_SOT:
            place += 2 + max(_number(data, place + 2, 2), 2)
            continue
        yield _number(data, place + 4, 2)
        length = _number(data, place + 6, 4)
        # 0 is for the last tile-part, which goes on to the end.
        place = place + max(length, 12) if length else len(data)


def _number(data: bytes, place: int, size: int) -> int:
    return int.from_bytes(data[place : place + size], "big")


def _damaged(name: str, reason: str) -> ImageError:
    return ImageError(f"{name} is not a readable picture: {reason}; copy or save it again")


CHECKS: dict[str, Callable[[bytes, str], None]] = {
    "JPEG": _check_jpeg,
    "PNG": _check_png,
    "JPEG2000": _check_jpeg2000,
}
"""What to call with the bytes of a format, by Pillow's name, and the picture's name.

Each raises :class:`~edgeage.errors.ImageError` and nothing else, and returns nothing.
"""
