"""Damage and bombs that the decoders take without a word."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgeage.errors import ImageError
from edgeage.images import read_image
from edgeage.soundness import CHECKS

RNG = np.random.default_rng(230)
PICTURE = Image.fromarray(RNG.integers(0, 256, (40, 48, 3), dtype=np.uint8))


def encode(form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    PICTURE.save(stream, form, **options)
    return stream.getvalue()


PNG, JPEG = encode("PNG"), encode("JPEG", progressive=True)
J2K = encode("JPEG2000", no_jp2=True, tile_size=(16, 16))


@pytest.mark.parametrize(
    "data", [PNG, JPEG, J2K, encode("JPEG2000"), encode("MPO", save_all=True)], ids=range(5)
)
def test_sound_pictures_pass(data: bytes) -> None:
    assert read_image(data).shape == (40, 48, 3)
    assert read_image(data + bytes(range(256)) * 9).shape == (40, 48, 3)


def test_every_flipped_bit_of_a_pngs_pixels_is_seen() -> None:
    start = PNG.index(b"IDAT")
    whole = read_image(PNG)
    for place in range(start, len(PNG) - 12, 61):
        damaged = bytearray(PNG)
        damaged[place] ^= 4
        with pytest.raises(ImageError, match="check sum|not a readable picture"):
            read_image(bytes(damaged))
    assert (read_image(PNG[:-12]) == whole).all()


def test_a_png_whose_damage_comes_behind_the_last_needed_byte_names_the_chunk() -> None:
    """The stream's own check sum is wrong and its chunk's too; Pillow alone would take it."""
    damaged = bytearray(PNG)
    damaged[-17] ^= 255
    with pytest.raises(ImageError, match=r"check sum of its chunk b'IDAT' is wrong"):
        read_image(bytes(damaged))


def test_unneeded_png_chunks_may_be_damaged() -> None:
    text = b"tEXt" + b"Title\0face"
    chunk = struct.pack(">I", len(text) - 4) + text + b"\0\0\0\0"
    assert CHECKS["PNG"](PNG[:33] + chunk + PNG[33:], "a.png") is None


def jpeg_of_scans(scans: int, side: int = 512) -> bytes:
    """A progressive JPEG whose scans are a few bytes each, and each pass over every pixel."""

    def segment(marker: int, data: bytes) -> bytes:
        return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data

    blocks = (side // 8) ** 2
    head = b"\xff\xd8" + segment(0xDB, b"\0" + bytes([1] * 64))
    head += segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + bytes([1, 0x11, 0]))
    head += segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0")
    head += segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00")
    first = segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(-(-blocks // 8))
    # An end-of-band run of 2^14 + (2^14 - 1) blocks: a zero bit and fourteen ones.
    empty = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + b"\x7f\xff\x00"
    return head + first + empty * (scans - 1) + b"\xff\xd9"


def test_a_jpeg_of_very_many_scans_is_refused_at_once() -> None:
    assert read_image(jpeg_of_scans(20)).shape == (512, 512, 3)
    started = time.process_time()
    with pytest.raises(ImageError, match="more than 500 scans"):
        read_image(jpeg_of_scans(200_000))
    assert time.process_time() - started < 1


def test_a_jpeg_is_checked_to_its_end_and_not_beyond() -> None:
    """Phones put films behind their pictures, and any bytes may stand there."""
    assert read_image(encode("JPEG") + b"\xff\xda\x00\x02" * 2000).shape == (40, 48, 3)


def j2k_with(tile_side: int) -> bytes:
    data = bytearray(encode("JPEG2000", no_jp2=True))
    struct.pack_into(">II", data, data.index(b"\xff\x51") + 22, tile_side, tile_side)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(j2k_with(16), "it holds 1 of 9 tiles", id="claims more"),
        pytest.param(j2k_with(0), "its tiles have no size", id="no size"),
        pytest.param(J2K[: J2K.rindex(b"\xff\x90")], "it holds 8 of 9 tiles", id="last one cut"),
        pytest.param(b"\xff\x4f\xff\x51" + bytes(20), "no JPEG 2000 codestream", id="cut header"),
    ],
)
def test_a_jpeg_2000_without_all_its_tiles_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        read_image(data)


def test_very_many_jpeg_2000_tiles_are_refused() -> None:
    big = io.BytesIO()
    Image.new("RGB", (256, 256)).save(big, "JPEG2000", no_jp2=True)
    data = bytearray(big.getvalue())
    struct.pack_into(">II", data, data.index(b"\xff\x51") + 22, 1, 1)
    with pytest.raises(ImageError, match="has 65,536 tiles, more than 16,384"):
        read_image(bytes(data))


@pytest.mark.parametrize("form", CHECKS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    data=st.binary(max_size=400),
    edits=st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=4)), max_size=4),
)
def test_checks_raise_nothing_else(form: str, data: bytes, edits: list[tuple[int, bytes]]) -> None:
    sound = bytearray({"PNG": PNG, "JPEG": JPEG, "JPEG2000": J2K}[form])
    for place, patch in edits:
        sound[place : place + len(patch)] = patch
    for damaged in (data, bytes(sound), bytes(sound[:100]) + data):
        try:
            CHECKS[form](damaged, "a picture")
        except ImageError as error:
            assert str(error).startswith("a picture ")  # noqa: PT017


def test_a_webps_canvas_is_bounded_before_it_is_allocated() -> None:
    canvas = (16_383).to_bytes(3, "little") * 2
    data = b"RIFF\x30\0\0\0WEBPVP8X\x0a\0\0\0\2\0\0\0" + canvas + bytes(40)
    with pytest.raises(ImageError, match="has 16384×16384 pixels, more than the limit"):
        read_image(data)


def test_no_file_of_the_sources_name_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow maps the file it is told of for uncompressed pictures, whatever the stream holds."""
    mine, other = io.BytesIO(), io.BytesIO()
    Image.new("L", (16, 16), 10).save(mine, "BMP")
    Image.new("L", (16, 16), 200).save(other, "BMP")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "<bytes>").write_bytes(other.getvalue())
    assert read_image(mine.getvalue()).max() == 10


def test_a_file_too_long_for_its_pixels_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "long.png").open("wb") as stream:
        stream.write(PNG)
        stream.truncate(2 << 30)
    with pytest.raises(ImageError, match="has 2,147,483,648 bytes, more than 1,920 pixels can"):
        read_image(tmp_path / "long.png", max_pixels=1920)
