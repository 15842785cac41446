"""One record of a Caffe data set: ``Datum`` bytes to pixels and label, and back."""

from __future__ import annotations

import numpy as np

from edgeage.caffe.blobs import decode
from edgeage.caffe.schema import Datum
from edgeage.errors import DatasetError, ImageError

__all__ = ["decode_datum", "encode_datum"]


def encode_datum(pixels: np.ndarray, label: int, encoding: str = "raw") -> bytes:
    """Return a picture and its label as the bytes Caffe's ``Data`` layer reads.

    Args:
        pixels: uint8 array of shape (channels, height, width), BGR.
        label: the class, 0 or more.
        encoding: ``"raw"``, the pixels themselves; ``"png"``, a PNG file of three channels, which
            a Caffe with OpenCV decodes to the same pixels.

    Raises:
        DatasetError: when ``pixels`` is of another dtype, number of axes or, as PNG, of channels.

    Source:
        ``Datum`` in Caffe's ``caffe.proto``; Protocol Buffers' wire format.

    >>> encode_datum(np.array([[[7, 8]]], dtype=np.uint8), 3).hex(" ")
    '08 01 10 01 18 02 22 02 07 08 28 03'
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3:
        raise DatasetError(
            f"expected uint8 pixels of shape (channels, height, width), got {pixels.dtype} of "
            f"shape {pixels.shape}"
        )
    if encoding == "png":
        return Datum(data=_png(pixels), label=int(label), encoded=True).SerializeToString()
    channels, height, width = pixels.shape
    return Datum(
        channels=channels, height=height, width=width, data=pixels.tobytes(), label=int(label)
    ).SerializeToString()


def _png(pixels: np.ndarray) -> bytes:
    import cv2

    if len(pixels) != 3:
        raise DatasetError(f"expected three channels to store as PNG, got {len(pixels)}")
    picture = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    # Level 3 takes a third of level 6's time for 5 % more bytes.
    encoded = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1]
    return encoded.tobytes()


def decode_datum(data: bytes) -> tuple[np.ndarray, int]:
    """Return the picture and label of a record.

    A record whose picture is stored as a file's bytes (``encoded``) is decoded in BGR.

    Args:
        data: a serialised ``Datum``.

    Returns:
        Writable uint8 array of shape (channels, height, width) in the stored channel order (BGR
        in every data set of edgeage and of Caffe's own tools), and the label.

    Raises:
        DatasetError: when the bytes are not a Datum of bytes, or its size does not fit.

    Source:
        ``Datum`` in Caffe's ``caffe.proto``; ``DecodeDatumToCVMatNative`` in its ``util/io.cpp``.
    """
    datum = decode(data, Datum(), source="record", expected="a Caffe Datum", error=DatasetError)
    if datum.encoded:
        return _decode_picture(datum.data), datum.label
    if datum.float_data:
        raise DatasetError("record holds floats (float_data); expected a picture of bytes")
    shape = (datum.channels, datum.height, datum.width)
    if min(shape) < 1 or shape[0] * shape[1] * shape[2] != len(datum.data):
        raise DatasetError(
            f"record of shape {shape} holds {len(datum.data)} bytes; the data set is damaged"
        )
    return np.frombuffer(datum.data, dtype=np.uint8).reshape(shape).copy(), datum.label


def _decode_picture(picture: bytes) -> np.ndarray:
    from edgeage.images import read_image, to_chw

    try:
        return to_chw(read_image(picture))
    except ImageError as error:
        raise DatasetError(f"record holds a picture that cannot be decoded: {error}") from None
