"""Caffe's ``BlobProto`` to numpy and back, in one piece and without a Python number a weight."""

from __future__ import annotations

import codecs
import math
from pathlib import Path
from typing import TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message

from edgeage.caffe.schema import BlobNumbers, BlobProto
from edgeage.errors import EdgeageError, ModelError

__all__ = ["MAX_AXES", "array_to_blob", "blob_to_array", "decode", "read_message"]

_M = TypeVar("_M", bound=Message)

MAX_AXES = 32
"""Most axes a blob may have (``kMaxBlobAxes`` in Caffe's ``blob.hpp``)."""

_LEGACY = ("num", "channels", "height", "width")


def blob_to_array(blob: BlobProto, *, what: str) -> np.ndarray:
    """Return a blob's numbers as an array of their own.

    Args:
        blob: float32 or float64 data, packed or not; its ``shape``, or the older ``num``,
            ``channels``, ``height`` and ``width``, which then give four axes as stored.
        what: what the blob is, for errors, for example ``"x.caffemodel: layer conv1, blob 0"``.

    Returns:
        Writable float32 array in C order, little end first or last as the machine has it.

    Raises:
        ModelError: when the shape is impossible or does not fit the data.
    """
    if blob.HasField("shape"):
        shape = tuple(int(side) for side in blob.shape.dim)
    else:
        shape = tuple(int(getattr(blob, side)) for side in _LEGACY)
    if len(shape) > MAX_AXES or any(side < 1 for side in shape):
        raise ModelError(f"{what}: shape {_clip(shape)} is impossible; the file is damaged")
    values = _values(blob, math.prod(shape), what)
    if values.size != math.prod(shape):
        raise ModelError(
            f"{what}: shape {shape} needs {math.prod(shape)} numbers, found {values.size}; "
            "the file is damaged"
        )
    return values.reshape(shape)


def array_to_blob(array: np.ndarray, *, legacy: bool = False) -> BlobProto:
    """Return an array as a blob of packed float32.

    Args:
        array: any real dtype; cast to float32.
        legacy: write ``num``, ``channels``, ``height`` and ``width`` instead of ``shape``, as
            Caffe's ``compute_image_mean`` does; for at most four axes.
    """
    blob = BlobProto(data=[np.ascontiguousarray(array, dtype="<f4").tobytes()])
    if legacy:
        for name, side in zip(_LEGACY, (1,) * (4 - array.ndim) + array.shape, strict=True):
            setattr(blob, name, side)
    else:
        blob.shape.dim.extend(array.shape)
        blob.shape.SetInParent()
    return blob


def read_message(
    path: str | Path, message: _M, *, expected: str, error: type[EdgeageError] = ModelError
) -> _M:
    """Fill a message from a binary file.

    Args:
        path: the file.
        message: an empty message of the type the file should hold.
        expected: what the file should be, for errors, for example ``"a .caffemodel"``.
        error: the error to raise.

    Raises:
        EdgeageError: of the given type, when the file is missing, empty, or not such a message.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise error(f"{path} is missing; expected {expected} there") from None
    except OSError as reason:
        raise error(f"{path} cannot be read: {reason.strerror or reason}") from None
    return decode(data, message, source=str(path), expected=expected, error=error)


def decode(
    data: bytes,
    message: _M,
    *,
    source: str,
    expected: str,
    error: type[EdgeageError] = ModelError,
) -> _M:
    """Fill a message from bytes.

    Raises:
        EdgeageError: of the given type, when the bytes are empty or not such a message.
    """
    if not data:
        raise error(f"{source} is empty; expected {expected}")
    try:
        message.ParseFromString(data)
    except (DecodeError, RecursionError, ValueError):
        found = "found text" if _is_text(data) else "it is truncated or something else"
        raise error(f"{source} is not {expected}: {found}") from None
    return message


def _values(blob: BlobProto, count: int, what: str) -> np.ndarray:
    raw = blob.data[0] if len(blob.data) == 1 else b"".join(blob.data)
    if len(raw) == 4 * count and not blob.double_data:
        return np.frombuffer(raw, dtype="<f4").astype(np.float32)
    numbers = decode(
        blob.SerializeToString(), BlobNumbers(), source=what, expected="a list of numbers"
    )
    return np.array(numbers.double_data or numbers.data, dtype=np.float32)


def _is_text(data: bytes) -> bool:
    try:
        head = codecs.getincrementaldecoder("utf-8")().decode(data[:512])
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\t\n\r" for letter in head)


def _clip(shape: tuple[int, ...]) -> str:
    return str(shape) if len(shape) <= 8 else f"of {len(shape)} axes"
