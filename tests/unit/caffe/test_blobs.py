"""Blobs against bytes put together by hand."""

import struct

import numpy as np
import pytest

from edgeage.caffe.blobs import array_to_blob, blob_to_array
from edgeage.caffe.schema import BlobProto
from edgeage.errors import ModelError

VALUES = [0.5, -1.0, 2.0, 3.25]
FLOATS = struct.pack("<4f", *VALUES)
DOUBLES = struct.pack("<4d", *VALUES)
SHAPE = b"\x3a\x04" + b"\x0a\x02\x02\x02"  # field 7: a BlobShape of packed dim 2, 2
UNPACKED_SHAPE = b"\x3a\x04" + b"\x08\x02\x08\x02"
PACKED = b"\x2a\x10" + FLOATS
UNPACKED = b"".join(b"\x2d" + FLOATS[at : at + 4] for at in range(0, 16, 4))
LEGACY = b"\x08\x01\x10\x01\x18\x02\x20\x02"  # num 1, channels 1, height 2, width 2

WIRES = {
    "packed": (SHAPE + PACKED, (2, 2)),
    "shape after the data": (PACKED + SHAPE, (2, 2)),
    "unpacked shape": (UNPACKED_SHAPE + PACKED, (2, 2)),
    "packed in two pieces": (
        SHAPE + b"\x2a\x08" + FLOATS[:8] + b"\x2a\x08" + FLOATS[8:],
        (2, 2),
    ),
    "unpacked floats": (SHAPE + UNPACKED, (2, 2)),
    "half packed, half not": (SHAPE + b"\x2a\x08" + FLOATS[:8] + UNPACKED[10:], (2, 2)),
    "doubles": (SHAPE + b"\x42\x20" + DOUBLES, (2, 2)),
    "doubles count before floats": (
        SHAPE + b"\x2a\x10" + bytes(16) + b"\x42\x20" + DOUBLES,
        (2, 2),
    ),
    "unpacked doubles": (
        SHAPE + b"".join(b"\x41" + DOUBLES[at : at + 8] for at in range(0, 32, 8)),
        (2, 2),
    ),
    "four axes of old": (LEGACY + PACKED, (1, 1, 2, 2)),
    "unknown field skipped": (SHAPE + b"\xfa\x01\x02hi" + PACKED, (2, 2)),
}


def test_the_bytes_are_those_of_the_format():
    blob = array_to_blob(np.array(VALUES).reshape(2, 2))
    assert blob.SerializeToString() == PACKED + SHAPE


def test_the_older_form_is_that_of_compute_image_mean():
    blob = array_to_blob(np.array(VALUES).reshape(1, 2, 2), legacy=True)
    assert blob.SerializeToString() == LEGACY + PACKED


@pytest.mark.parametrize(("wire", "shape"), WIRES.values(), ids=list(WIRES))
def test_bytes_of_the_format_are_read(wire, shape):
    array = blob_to_array(BlobProto.FromString(wire), what="x")
    np.testing.assert_array_equal(array, np.array(VALUES, np.float32).reshape(shape))
    assert array.dtype == np.float32
    array[...] = 0


def test_a_scalar_has_no_axes():
    blob = BlobProto.FromString(array_to_blob(np.float32(3)).SerializeToString())
    assert blob_to_array(blob, what="x").shape == ()


REFUSED = {
    "too few": (SHAPE + b"\x2a\x08" + FLOATS[:8], r"shape \(2, 2\) needs 4 numbers, found 2"),
    "too many": (SHAPE + b"\x2a\x14" + FLOATS + b"\0\0\0\0", "needs 4 numbers, found 5"),
    "half a float": (SHAPE + b"\x2a\x0f" + FLOATS[:-1], "x is not a list of numbers"),
    "no data": (SHAPE, "needs 4 numbers, found 0"),
    "no shape": (PACKED, r"shape \(0, 0, 0, 0\) is impossible"),
    "an empty axis": (b"\x3a\x04\x0a\x02\x00\x02", r"shape \(0, 2\) is impossible"),
    "a negative axis": (
        b"\x3a\x0c\x0a\x0a" + b"\xff" * 9 + b"\x01",
        r"shape \(-1,\) is impossible",
    ),
    "too many axes": (b"\x3a\x23\x0a\x21" + b"\x01" * 33, "shape of 33 axes is impossible"),
    "a huge shape": (
        b"\x3a\x14\x0a\x12" + (b"\xff" * 8 + b"\x7f") * 2,
        "needs 85070591730234615847396907784232501249 numbers, found 0",
    ),
}


@pytest.mark.parametrize(("wire", "message"), REFUSED.values(), ids=list(REFUSED))
def test_a_blob_that_does_not_fit_is_refused(wire, message):
    with pytest.raises(ModelError, match=message):
        blob_to_array(BlobProto.FromString(wire), what="x")
