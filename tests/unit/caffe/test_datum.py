"""Records of a data set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeage.caffe import decode_datum, encode_datum
from edgeage.caffe.schema import Datum
from edgeage.errors import DatasetError

PIXELS = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
WIRE = b"\x08\x03" + b"\x10\x02" + b"\x18\x04" + b"\x22\x18" + bytes(range(24)) + b"\x28\x07"


def test_the_bytes_are_those_of_the_format():
    assert encode_datum(PIXELS, 7) == WIRE


def test_bytes_of_the_format_are_read():
    pixels, label = decode_datum(WIRE)
    np.testing.assert_array_equal(pixels, PIXELS)
    assert (pixels.dtype, label) == (np.uint8, 7)
    pixels[0, 0, 0] = 9


def test_a_view_is_written_in_order():
    hwc = np.ascontiguousarray(PIXELS.transpose(1, 2, 0))
    assert encode_datum(hwc.transpose(2, 0, 1), 7) == WIRE


def test_label_zero_is_written_and_read():
    data = encode_datum(PIXELS, 0)
    assert data.endswith(b"\x28\x00")
    assert decode_datum(data)[1] == 0


def test_a_record_without_a_label_is_class_zero():
    assert decode_datum(WIRE[:-2])[1] == 0


def test_an_encoded_picture_is_decoded_in_bgr():
    import cv2

    picture = np.zeros((9, 10, 3), np.uint8)
    picture[..., 0] = 200
    data = cv2.imencode(".png", picture)[1].tobytes()
    record = Datum(data=data, label=4, encoded=True).SerializeToString()
    pixels, label = decode_datum(record)
    assert (pixels.shape, label) == ((3, 9, 10), 4)
    assert pixels[:, 0, 0].tolist() == [200, 0, 0]


REFUSED = {
    "empty": (b"", "is empty; expected a Caffe Datum"),
    "truncated": (WIRE[:-5], "is not a Caffe Datum"),
    "garbage": (b"\xff" * 30, "is not a Caffe Datum"),
    "sizes do not fit": (Datum(channels=3, height=2, width=5, data=b"x" * 24), "holds 24 bytes"),
    "negative sizes": (Datum(channels=-3, height=-2, width=4, data=b"x" * 24), "holds 24 bytes"),
    "no picture": (Datum(label=1), "holds 0 bytes"),
    "floats": (Datum(channels=1, height=1, width=1, float_data=[1]), "holds floats"),
    "damaged picture": (Datum(data=b"\xff\xd8\xff", encoded=True), "cannot be decoded"),
}


@pytest.mark.parametrize(("record", "message"), REFUSED.values(), ids=list(REFUSED))
def test_a_bad_record_is_refused(record, message):
    data = record if isinstance(record, bytes) else record.SerializeToString()
    with pytest.raises(DatasetError, match=message):
        decode_datum(data)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((3, 2, 2), np.float32), np.zeros((2, 2), np.uint8)],
    ids=["floats", "two axes"],
)
def test_what_is_not_a_picture_is_not_written(pixels):
    with pytest.raises(DatasetError, match="expected uint8 pixels"):
        encode_datum(pixels, 0)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_record_or_a_dataset_error(only, data):
    with only(DatasetError):
        assert decode_datum(data)[0].ndim == 3


@given(st.integers(0, len(WIRE) - 1), st.integers(0, 255))
def test_a_changed_byte_is_a_record_or_a_dataset_error(only, at, value):
    with only(DatasetError):
        assert decode_datum(WIRE[:at] + bytes([value]) + WIRE[at + 1 :])[0].dtype == np.uint8
