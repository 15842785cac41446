"""Pictures from files and arrays, and the few operations on them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edgeage.errors import ImageError
from edgeage.images import read_image, resize, to_chw

RNG = np.random.default_rng(230)
# Smooth enough that a lossy format keeps it, and different in every corner and channel.
RGB = np.ascontiguousarray(
    cv2.resize(RNG.integers(0, 256, (4, 5, 3), dtype=np.uint8), (40, 32), interpolation=1)
)


GREY = RGB[:, :, 0]


def encode(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def test_str_path_and_bytes_agree(tmp_path: Path) -> None:
    path = tmp_path / "picture with ünicode.png"
    path.write_bytes(encode(RGB))
    expected = RGB[:, :, ::-1]
    for source in (str(path), path, path.read_bytes(), bytearray(path.read_bytes())):
        np.testing.assert_array_equal(read_image(source), expected)


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(encode(RGB))
    np.testing.assert_array_equal(read_image(path), RGB[:, :, ::-1])


def test_a_file_that_is_not_there_or_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nothing\.png does not exist, expected a picture"):
        read_image(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match="is a folder, expected a picture"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="does not exist|cannot be read"):
        read_image("nul\0byte.png")
    with pytest.raises(ImageError, match="cannot be read: File name too long"):
        read_image(tmp_path / ("x" * 300))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="is not an ordinary file"):
        read_image(tmp_path / "pipe.png")


@pytest.mark.skipif(
    os.name == "nt" or (hasattr(os, "geteuid") and os.geteuid() == 0),
    reason="this user may read every file",
)
def test_a_forbidden_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encode(RGB))
    path.chmod(0)
    with pytest.raises(ImageError, match="cannot be read: Permission denied"):
        read_image(path)


def test_an_error_while_reading_names_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encode(RGB))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError, match=r"secret\.png cannot be read: Permission denied$"):
        read_image(path)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        pytest.param(GREY, np.dstack([GREY] * 3), id="grey"),
        pytest.param(np.dstack([RGB, np.full_like(GREY, 255)]), RGB, id="BGRA, opaque"),
        pytest.param(
            np.dstack([RGB, np.zeros_like(GREY)]), np.full_like(RGB, 255), id="BGRA, transparent"
        ),
    ],
)
def test_arrays_of_other_depths_are_converted(array: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(read_image(array), expected)


def test_a_bgr_array_is_taken_as_it_is() -> None:
    assert read_image(RGB) is RGB


@pytest.mark.parametrize(
    ("array", "found"),
    [
        pytest.param(np.zeros((9, 9, 3), np.float32), "float32 of shape \\(9, 9, 3\\)", id="float"),
        pytest.param(np.zeros((9, 9, 3), np.uint16), "uint16", id="uint16"),
        pytest.param(np.zeros((9, 9, 3), bool), "bool", id="bool"),
        pytest.param(np.zeros((3, 9, 9), np.uint8), "shape \\(3, 9, 9\\)", id="channels first"),
        pytest.param(np.zeros((1, 9, 9, 3), np.uint8), "shape \\(1, 9, 9, 3\\)", id="a batch"),
        pytest.param(np.zeros((9, 9, 2), np.uint8), "shape \\(9, 9, 2\\)", id="two channels"),
        pytest.param(np.zeros(9, np.uint8), "shape \\(9,\\)", id="one axis"),
    ],
)
def test_arrays_that_are_no_picture_are_refused(array: np.ndarray, found: str) -> None:
    with pytest.raises(ImageError, match=f"expected a uint8 array of shape .* got .*{found}"):
        read_image(array)


@pytest.mark.parametrize("shape", [(0, 9, 3), (9, 0, 3), (0, 0), (1, 1, 3)], ids=str)
def test_empty_and_tiny_arrays_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="the array has .* expected at least 8 on each side"):
        read_image(np.zeros(shape, np.uint8))


def test_resize_averages_when_shrinking_and_interpolates_when_growing() -> None:
    small, large = resize(RGB, (8, 10)), resize(RGB, (64, 80))
    np.testing.assert_array_equal(small, cv2.resize(RGB, (10, 8), interpolation=cv2.INTER_AREA))
    np.testing.assert_array_equal(large, cv2.resize(RGB, (80, 64), interpolation=cv2.INTER_CUBIC))
    mixed = resize(RGB, (64, 10))
    np.testing.assert_array_equal(mixed, cv2.resize(RGB, (10, 64), interpolation=cv2.INTER_CUBIC))
    assert resize(RGB, (32, 40)) is RGB


def test_resize_takes_views() -> None:
    view = RGB[:, ::-1]
    np.testing.assert_array_equal(resize(view, (8, 10)), resize(view.copy(), (8, 10)))


def test_to_chw_keeps_the_channel_order() -> None:
    chw = to_chw(RGB)
    assert chw.shape == (3, 32, 40)
    assert chw.flags.c_contiguous
    np.testing.assert_array_equal(chw[2], RGB[:, :, 2])


@pytest.mark.parametrize(
    "image",
    [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), np.uint8), "face.jpg"],
    ids=["grey", "float", "empty", "a path"],
)
def test_resize_and_to_chw_refuse_what_is_no_picture(image: object) -> None:
    with pytest.raises(ImageError, match="expected a uint8 array of shape"):
        resize(image, (8, 8))  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="expected a uint8 array of shape"):
        to_chw(image)  # type: ignore[arg-type]


def test_what_is_no_kind_of_picture_is_said() -> None:
    with pytest.raises(ImageError, match="path, address, bytes or array, got int"):
        read_image(5)  # type: ignore[arg-type]
