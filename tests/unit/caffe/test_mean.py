"""Mean files, and the checks that keep a wrong mean out of a model."""

import hashlib
import io
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeage.caffe import check_mean, mean_sha256, read_mean, write_mean
from edgeage.errors import MeanError

FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
# Levels of UTKFace's mean in the middle of the picture, roughly.
BGR_LEVELS = (110.0, 125.0, 160.0)
SHAPE = (3, 8, 6)


def mean_of(levels=BGR_LEVELS):
    """Return a mean with a slope in it and these levels in its channels."""
    slope = np.linspace(-20, 20, SHAPE[1] * SHAPE[2]).reshape(SHAPE[1:])
    return (np.asarray(levels)[:, None, None] + slope).astype(np.float32)


MEAN = mean_of()


@pytest.mark.parametrize("name", ["mean.npy", "mean.binaryproto"])
def test_a_mean_survives_a_round_trip(name, tmp_path):
    write_mean(tmp_path / name, MEAN)
    found = read_mean(str(tmp_path / name))
    np.testing.assert_array_equal(found, MEAN)
    assert found.dtype == np.float32
    found[0, 0, 0] = 1
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_the_proto_is_that_of_compute_image_mean(tmp_path):
    write_mean(tmp_path / "m.binaryproto", np.float32([[[1, 2]], [[3, 4]], [[5, 6]]]))
    head = b"\x08\x01\x10\x03\x18\x01\x20\x02"  # num, channels, height, width
    data = b"\x2a\x18" + struct.pack("<6f", 1, 2, 3, 4, 5, 6)
    assert (tmp_path / "m.binaryproto").read_bytes() == head + data


def test_the_npy_is_plain_numpy(tmp_path):
    write_mean(tmp_path / "m.npy", MEAN.astype(np.float64))
    found = np.load(tmp_path / "m.npy", allow_pickle=False)
    assert (found.dtype, found.shape) == (np.dtype("<f4"), SHAPE)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint8, ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_other_dtypes_and_orders_are_read(dtype, order, tmp_path):
    array = np.asarray(MEAN.round(), dtype=dtype, order=order)
    np.save(tmp_path / "m.npy", array)
    np.testing.assert_array_equal(read_mean(tmp_path / "m.npy"), MEAN.round())


def test_a_batch_axis_of_one_is_dropped(tmp_path):
    np.save(tmp_path / "m.npy", MEAN[None])
    assert read_mean(tmp_path / "m.npy").shape == SHAPE


def test_what_is_in_the_file_counts_not_its_name(tmp_path):
    write_mean(tmp_path / "m.npy", MEAN)
    (tmp_path / "m.npy").rename(tmp_path / "m.binaryproto")
    np.testing.assert_array_equal(read_mean(tmp_path / "m.binaryproto"), MEAN)


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def npy_header(text):
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode()


BAD_FILES = {
    "empty": (b"", "is empty; expected a mean"),
    "text": (b"hello world", "is not a mean"),
    "garbage": (b"\xff" * 99, "is not a mean"),
    "truncated npy": (npy(MEAN)[:-3], "is a damaged .npy file"),
    "only npy's magic": (b"\x93NUMPY", "is a damaged .npy file"),
    "pickled objects": (npy(np.array([{}], dtype=object), allow_pickle=True), "holds object"),
    "strings": (npy(np.array(["a"])), "holds <U1, expected real numbers"),
    "complex": (npy(np.zeros(3, complex)), "holds complex128"),
    "a header of lies": (
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 99999999, 99999999)}"),
        "is a damaged .npy file",
    ),
    "a header of code": (npy_header("__import__('os').abort()"), "is a damaged .npy file"),
    "a proto cut short": (b"\x08\x01\x10\x03\x18\x01\x20\x02\x2a\x18\x00", "is not a mean"),
    "a proto that does not fit": (
        b"\x08\x01\x10\x03\x18\x01\x20\x02\x2a\x04\x00\x00\x00\x00",
        "needs 6 numbers, found 1",
    ),
}


@pytest.mark.parametrize(("data", "message"), BAD_FILES.values(), ids=list(BAD_FILES))
def test_a_bad_file_is_refused(data, message, tmp_path):
    path = tmp_path / "m.npy"
    path.write_bytes(data)
    with pytest.raises(MeanError, match=message) as caught:
        read_mean(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MeanError, match=r"gone\.npy is missing; expected a mean"):
        read_mean(tmp_path / "gone.npy")
    with pytest.raises(MeanError, match="cannot be read"):
        read_mean(tmp_path)


def test_a_file_of_another_kind_is_not_written(tmp_path):
    with pytest.raises(MeanError, match=r"expected a name ending in \.npy or \.binaryproto"):
        write_mean(tmp_path / "m.txt", MEAN)
    with pytest.raises(MeanError, match="expected a mean of shape"):
        write_mean(tmp_path / "m.npy", MEAN[None])
    assert not list(tmp_path.iterdir())


@given(data=st.binary(max_size=200), magic=st.sampled_from([b"", b"\x93NUMPY", npy(MEAN)[:70]]))
@FUZZ
def test_any_bytes_are_a_mean_or_a_mean_error(only, data, magic, tmp_path):
    path = tmp_path / "m"
    path.write_bytes(magic + data)
    with only(MeanError):
        assert read_mean(path).dtype == np.float32


def test_the_hash_is_of_little_endian_float32_in_c_order():
    expected = hashlib.sha256(struct.pack("<6f", 1, 2, 3, 4, 5, 6)).hexdigest()
    array = np.array([[1, 2, 3], [4, 5, 6]])
    assert mean_sha256(array) == expected
    assert mean_sha256(np.asfortranarray(array, dtype=">f8")) == expected
    assert mean_sha256(array[::-1]) != expected


def test_a_good_mean_is_returned_as_float32_in_c_order():
    checked = check_mean(np.asfortranarray(MEAN, dtype=np.float64), SHAPE)
    np.testing.assert_array_equal(checked, MEAN)
    assert checked.dtype == np.float32
    assert checked.flags.c_contiguous


@pytest.mark.parametrize(
    "mean",
    [
        np.zeros(SHAPE),
        np.full(SHAPE, 255),
        np.array(BGR_LEVELS),
        np.array([104.0, 117.0, 123.0]),
        mean_of((120, 115, 112)),
        mean_of((120, 130, 100)),
        np.full((1, 8, 6), 90),
    ],
    ids=[
        "black",
        "white",
        "one value a channel",
        "ImageNet's",
        "falls by less than 10",
        "does not fall at first",
        "one channel",
    ],
)
def test_unusual_but_possible_means_pass(mean):
    np.testing.assert_array_equal(check_mean(mean, mean.shape), mean)


def with_value(value):
    mean = MEAN.copy()
    mean[1, 2, 3] = value
    return mean


WRONG = {
    "channels last": (
        MEAN.transpose(1, 2, 0),
        r"shape \(8, 6, 3\), expected \(3, 8, 6\) in BGR order; .*transpose\(2, 0, 1\)",
    ),
    "another size": (np.zeros((3, 256, 256)), r"\(3, 256, 256\), .* pictures of another size"),
    "channel values": (np.array(BGR_LEVELS), r"shape \(3,\).* was trained with a mean picture"),
    "grey": (MEAN[0], r"shape \(8, 6\).* mean of grey pictures"),
    "grey with an axis": (MEAN[:1], r"shape \(1, 8, 6\).* mean of grey pictures"),
    "flat": (MEAN.ravel(), r"shape \(144,\).*was it saved from another tool"),
    "not finite": (with_value(np.nan), "holds 1 values that are not finite"),
    "infinite": (with_value(np.inf), "holds 1 values that are not finite"),
    "too large for float32": (MEAN.astype(np.float64) * 1e300, "are not finite"),
    "negative": (with_value(-3), "runs from -3 to .* expected levels of 0 to 255"),
    "above 255": (with_value(300), "to 300, expected levels of 0 to 255"),
    "scaled to 0-1": (MEAN / 255, "largest value is 0.7.* multiply it by 255"),
    "words": (np.array(["a"]), "expected a mean of real numbers"),
    "rgb": (MEAN[::-1], r"looks like RGB: .* from 160 in channel 0 to 110.*flip.*mean\[::-1\]"),
}


@pytest.mark.parametrize(("mean", "message"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_mean_is_refused_with_the_reason(mean, message):
    with pytest.raises(MeanError, match=message):
        check_mean(mean, SHAPE)


def test_rgb_channel_values_are_refused():
    with pytest.raises(MeanError, match="looks like RGB"):
        check_mean(np.array(BGR_LEVELS[::-1]), (3,))


def test_the_middle_decides_not_the_background():
    mean = MEAN[::-1].copy()
    mean[2, :2], mean[2, -2:] = 255, 255
    with pytest.raises(MeanError, match="looks like RGB"):
        check_mean(mean, SHAPE)


BLUISH = mean_of((150, 120, 90))


def test_a_reference_overrules_the_guess_from_skin():
    np.testing.assert_array_equal(check_mean(BLUISH, SHAPE, reference=BLUISH), BLUISH)


def test_a_mean_close_to_the_reference_passes():
    np.testing.assert_array_equal(check_mean(MEAN + 9, SHAPE, reference=MEAN), MEAN + 9)


@pytest.mark.parametrize(
    "reference", [MEAN, MEAN[:, ::2, ::2], np.array(BGR_LEVELS)], ids=["same", "size", "channels"]
)
def test_a_mean_that_is_the_reference_reversed_is_refused(reference):
    with pytest.raises(MeanError, match=r"levels from the model's own BGR mean .*mean\[::-1\]"):
        check_mean(MEAN[::-1] + 2, SHAPE, reference=reference)


def test_a_grey_reference_decides_nothing():
    grey = mean_of((128, 128, 128))
    np.testing.assert_array_equal(check_mean(MEAN[::-1], SHAPE, reference=grey), MEAN[::-1])


def test_a_nearly_grey_reference_decides_nothing():
    grey = mean_of((128, 128.2, 128.4))
    np.testing.assert_array_equal(check_mean(grey[::-1], SHAPE, reference=grey), grey[::-1])
