"""Decoding: every format and mode that is accepted, and what is refused and why."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_memory import run_program
from PIL import Image, features

from edgeage.errors import ImageError
from edgeage.images import read_image

RNG = np.random.default_rng(230)
# Smooth enough that a lossy format keeps it, and different in every corner and channel.
RGB = np.ascontiguousarray(
    cv2.resize(RNG.integers(0, 256, (4, 5, 3), dtype=np.uint8), (40, 32), interpolation=1)
)


def encode(image: np.ndarray | Image.Image, form: str, **options: object) -> bytes:
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + png_chunk(b"IEND", b"")
    )


LOSSLESS = {
    "png": ("PNG", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "ppm": ("PPM", {}),
    "webp": ("WEBP", {"lossless": True}),
}


@pytest.mark.parametrize(("form", "options"), LOSSLESS.values(), ids=LOSSLESS)
def test_lossless_formats_come_back_exactly_in_bgr(form: str, options: dict[str, object]) -> None:
    image = read_image(encode(RGB, form, **options))
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, RGB[:, :, ::-1])


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_jpeg_decodes_as_opencv_decodes_it(progressive: bool, astronaut_face: np.ndarray) -> None:
    data = encode(astronaut_face[:, :, ::-1], "JPEG", quality=80, progressive=progressive)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    difference = np.abs(read_image(data).astype(int) - expected)
    # Both are built on libjpeg-turbo and agree exactly where tried; another build may round.
    assert difference.max() <= 1


@pytest.mark.parametrize("form", ["TIFF", "WEBP"])
def test_a_fresh_process_reads_the_less_common_formats(form: str) -> None:
    """Pillow loads these plugins only when it is asked to."""
    code = "import sys; from edgeage.images import read_image; read_image(sys.stdin.buffer.read())"
    subprocess.run([sys.executable, "-c", code], input=encode(RGB, form), check=True)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_exif_orientation_is_applied(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
    image = read_image(encode(RGB, form, exif=exif, **options))
    # The standard's table: where the stored row 0 and column 0 are seen.
    seen = {
        1: RGB,
        2: np.fliplr(RGB),
        3: np.rot90(RGB, 2),
        4: np.flipud(RGB),
        5: RGB.swapaxes(0, 1),
        6: np.rot90(RGB, -1),
        7: np.rot90(RGB, 2).swapaxes(0, 1),
        8: np.rot90(RGB, 1),
    }[orientation]
    assert image.shape == seen.shape
    assert np.abs(image.astype(int) - seen[:, :, ::-1]).max() <= 12


DAMAGED_EXIF = encode(RGB, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
def test_damaged_exif_does_not_refuse_sound_pixels() -> None:
    assert read_image(DAMAGED_EXIF).shape == RGB.shape


def test_damaged_exif_is_not_talked_about() -> None:
    code = "import sys; from edgeage.images import read_image; read_image(sys.stdin.buffer.read())"
    done = subprocess.run(
        [sys.executable, "-c", code], input=DAMAGED_EXIF, check=True, capture_output=True
    )
    assert done.stderr == b""


GREY = RGB[:, :, 0]


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        pytest.param(Image.fromarray(GREY), GREY, id="grey"),
        pytest.param(
            Image.fromarray(GREY).convert("1", dither=Image.Dither.NONE),
            np.where(GREY >= 128, 255, 0),
            id="1-bit",
        ),
        pytest.param(
            Image.fromarray(GREY.astype(np.uint16) * 257), GREY, id="16-bit grey: 65535 is 255"
        ),
        pytest.param(
            Image.fromarray(np.full((32, 40), 1000, np.uint16)),
            np.full((32, 40), 4),
            id="dark 16-bit grey stays dark",
        ),
    ],
)
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_grey_pictures_get_three_equal_channels(
    form: str, picture: Image.Image, expected: np.ndarray
) -> None:
    image = read_image(encode(picture, form))
    np.testing.assert_array_equal(image, np.repeat(expected[:, :, None], 3, axis=2))


def test_16_bit_pgm_is_scaled_over_its_range() -> None:
    pixels = (GREY.astype(">u2") * 257).tobytes()
    image = read_image(b"P5 40 32 65535\n" + pixels)
    np.testing.assert_array_equal(image[:, :, 0], GREY)


def test_transparency_is_laid_on_white() -> None:
    alpha = np.zeros((32, 40), np.uint8)
    alpha[:, 10:20], alpha[:, 20:] = 128, 255
    image = read_image(encode(np.dstack([RGB, alpha]), "PNG"))
    assert (image[:, :10] == 255).all()
    half = (RGB[:, 10:20, ::-1].astype(int) * 128 + 255 * 127) / 255
    assert np.abs(image[:, 10:20] - half).max() <= 0.5
    np.testing.assert_array_equal(image[:, 20:], RGB[:, 20:, ::-1])


def test_grey_with_alpha_is_laid_on_white() -> None:
    alpha = np.where(np.arange(40) < 20, 0, 255).astype(np.uint8)
    image = read_image(encode(np.dstack([GREY, np.tile(alpha, (32, 1))]), "PNG"))
    assert (image[:, :20] == 255).all()
    np.testing.assert_array_equal(image[:, 20:, 1], GREY[:, 20:])


def test_palette_and_its_transparent_colour() -> None:
    picture = Image.new("P", (10, 10), 1)
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.paste(0, (0, 0, 5, 10))
    plain = read_image(encode(picture, "PNG"))
    assert plain[0, 0].tolist() == [30, 20, 10]
    assert plain[0, 9].tolist() == [60, 50, 40]
    cut_out = read_image(encode(picture, "PNG", transparency=0))
    assert cut_out[0, 0].tolist() == [255, 255, 255]
    assert cut_out[0, 9].tolist() == [60, 50, 40]


INKS = Image.new("RGB", (16, 16), (200, 40, 90)).convert("CMYK")


def test_a_cmyk_jpeg_of_adobe_holds_its_inks_inverted() -> None:
    data = encode(INKS, "JPEG", quality=100)
    assert b"\xff\xee\x00\x0eAdobe" in data
    assert np.abs(read_image(data).astype(int) - [90, 40, 200]).max() <= 4


def test_a_cmyk_jpeg_without_adobes_mark_is_read_alike() -> None:
    """As Pillow, OpenCV and Chrome do; what stores inks as they are is rarer than a lost mark."""
    data = encode(INKS, "JPEG", quality=100)
    start = data.index(b"\xff\xee\x00\x0eAdobe")
    image = read_image(data[:start] + data[start + 16 :])
    assert np.abs(image.astype(int) - [90, 40, 200]).max() <= 4


@pytest.mark.parametrize("form", ["TIFF", "JPEG"])
def test_cmyk_without_ink_is_white_and_with_all_of_it_black(form: str) -> None:
    for ink, level in ((0, 255), (255, 0)):
        image = read_image(encode(Image.new("CMYK", (16, 16), (ink,) * 4), form))
        assert np.abs(image.astype(int) - level).max() <= 2


def test_a_16_bit_rgb_png_is_scaled_to_8() -> None:
    row = b"\0" + (RGB[:8, :8].astype(">u2") * 257)[0].tobytes()
    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
    data += png_chunk(b"IDAT", zlib.compress(row * 8)) + png_chunk(b"IEND", b"")
    np.testing.assert_array_equal(read_image(data)[3], RGB[0, :8, ::-1])


@pytest.mark.parametrize("form", ["AVIF", "JPEG2000", "MPO", "GIF"])
def test_the_other_formats_look_alike(form: str) -> None:
    if form == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    picture = Image.fromarray(RGB)
    image = read_image(encode(picture.quantize(256) if form == "GIF" else picture, form))
    assert np.abs(image.astype(int) - RGB[:, :, ::-1]).mean() < 5


def test_webp_with_transparency_is_laid_on_white() -> None:
    alpha = np.where(np.arange(40) < 20, 0, 255).astype(np.uint8)
    picture = np.dstack([RGB, np.tile(alpha, (32, 1))])
    image = read_image(encode(picture, "WEBP", lossless=True, exact=True))
    assert (image[:, :20] == 255).all()
    np.testing.assert_array_equal(image[:, 20:], RGB[:, 20:, ::-1])


def test_an_animations_first_frame_may_be_smaller_than_its_screen() -> None:
    frames = [Image.new("P", (20, 20), 1) for _ in range(2)]
    for frame in frames:
        frame.putpalette([0, 0, 0, 0, 0, 255])
    data = bytearray(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    data[6:10] = struct.pack("<HH", 40, 30)
    assert read_image(bytes(data)).shape == (30, 40, 3)


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    for form in ("GIF", "WEBP", "PNG"):
        options = {"save_all": True, "append_images": frames[1:]}
        data = encode(frames[0], form, **options, **({"lossless": True} if form == "WEBP" else {}))
        assert read_image(data)[8, 8].tolist() == [0, 0, 255], form


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        pytest.param(Image.new("I", (16, 16), 70000), "32-bit integer", id="int32"),
        pytest.param(Image.new("F", (16, 16), 0.5), "floating-point", id="float"),
    ],
)
def test_samples_without_a_known_white_are_refused(picture: Image.Image, reason: str) -> None:
    with pytest.raises(ImageError, match=f"{reason} samples; save it with 8 or 16 bits"):
        read_image(encode(picture, "TIFF"))


ALL_FORMATS = {
    "jpeg": ("JPEG", {}),
    "progressive": ("JPEG", {"progressive": True}),
    "gif": ("GIF", {}),
    "jpeg 2000": ("JPEG2000", {}),
    **LOSSLESS,
}


@pytest.mark.parametrize(("form", "options"), ALL_FORMATS.values(), ids=ALL_FORMATS)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(form: str, options: dict[str, object], kept: float) -> None:
    noise = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(noise, form, **options)
    with pytest.raises(ImageError, match="<bytes> is not a readable picture: .*save it again$"):
        read_image(data[: int(len(data) * kept)])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "is empty \\(0 bytes\\)", id="empty"),
        pytest.param(b"hello, I am a letter\n" * 9, "not a picture in a known format", id="text"),
        pytest.param(b"\x89PNG", "not a picture in a known format", id="four bytes"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "not a readable picture", id="signature alone"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture in a known", id="postscript"),
        pytest.param(encode(RGB[:1, :1], "PNG"), "1×1 pixels, expected at least 8", id="1×1"),
        pytest.param(encode(RGB[:7], "PNG"), "40×7 pixels, expected at least 8", id="7 high"),
    ],
)
def test_bad_content_gets_one_line_with_the_path(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason) as caught:
        read_image(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="^<bytes> .*" + reason):
        read_image(content)


def test_the_pixel_limit_is_the_callers(tmp_path: Path) -> None:
    data = encode(RGB, "PNG")
    assert read_image(data, max_pixels=32 * 40).shape == (32, 40, 3)
    with pytest.raises(ImageError, match="40×32 pixels, more than the limit of 1,279; make it"):
        read_image(data, max_pixels=32 * 40 - 1)


def test_pillows_own_limit_neither_warns_nor_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_image(encode(RGB, "PNG")).shape == (32, 40, 3)


HUGE = {
    "png": png_header(50_000, 50_000),
    "bmp": b"BM"
    + struct.pack("<IHHIIiiHHIIiiII", 1 << 20, 0, 0, 54, 40, 50_000, 50_000, 1, 24, *[0] * 6),
    "ppm": b"P6 50000 50000 255\n" + bytes(99),
    "gif": b"GIF89a" + struct.pack("<HHBBB", 50_000, 50_000, 0, 0, 0) + b"," + bytes(20),
    "webp": b"RIFF\x30\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0"
    + (49_999).to_bytes(3, "little") * 2
    + b"VP8L\x12\0\0\0" + bytes(18),
}  # fmt: skip

_MEASURE = """
import resource, sys
from edgeage.errors import ImageError
from edgeage.images import read_image
from own_memory import forget_peak, peak_mib
from PIL import Image, features
Image.init()
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
forget_peak()
before = peak_mib()
try:
    read_image(sys.stdin.buffer.read())
except ImageError as error:
    print(error)
print(peak_mib() - before)
"""


@pytest.mark.parametrize("form", HUGE)
def test_a_huge_header_is_refused_without_the_memory(form: str) -> None:
    message, grown_mib = run_program(_MEASURE, stdin=HUGE[form])
    assert message.startswith("<bytes> has 50000×50000 pixels, more than the limit")
    assert float(grown_mib) < 50


_SEEDS = [encode(RGB, form, **options) for form, options in ALL_FORMATS.values()]
_FUZZ = settings(
    max_examples=150, deadline=5000, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def _read_or_refuse(data: bytes) -> None:
    try:
        image = read_image(data)
    except ImageError as error:
        message = str(error)
    else:
        assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
        return
    assert "\n" not in message


@_FUZZ
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _read_or_refuse(data)


@_FUZZ
@given(
    seed=st.sampled_from(_SEEDS),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=6)), max_size=5),
    keep=st.floats(0, 1),
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_pictures_are_read_or_refused(
    seed: bytes, edits: list[tuple[float, bytes]], keep: float
) -> None:
    data = bytearray(seed)
    for place, patch in edits:
        # Most meaning is in the header, so half of the damage goes there.
        start = int(place * 2 * 64) if place < 0.5 else int((place - 0.5) * 2 * len(data))
        data[start : start + len(patch)] = patch
    _read_or_refuse(bytes(data[: max(int(keep * len(data)), len(data) if keep > 0.5 else 0)]))
