"""The mean picture of a training set: files, checks and its hash."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np

from edgeage.errors import MeanError, ModelError, one_line
from edgeage.paths import atomic_file

__all__ = ["check_mean", "mean_sha256", "read_mean", "write_mean"]

_NPY_MAGIC = b"\x93NUMPY"
_FLIP = "flip it with mean[::-1]"


def read_mean(path: str | Path) -> np.ndarray:
    """Read a mean from a ``.binaryproto`` or ``.npy`` file, told apart by what is in it.

    Args:
        path: the file.

    Returns:
        float32 array of shape (channels, height, width), BGR in a mean of edgeage or of Caffe's
        ``compute_image_mean``; an ``.npy`` of another shape comes as it is, for
        :func:`check_mean` to judge.

    Raises:
        MeanError: when the file is missing, empty, truncated or neither of the two.

    Source:
        ``BlobProto`` as Caffe's ``tools/compute_image_mean.cpp`` writes it; NumPy's ``.npy``
        (NEP 1, versions 1 and 2).
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise MeanError(f"{path} is missing; expected a mean (.npy or .binaryproto)") from None
    except OSError as error:
        raise MeanError(f"{path} cannot be read: {error.strerror or error}") from None
    mean = _from_npy(data, path) if data.startswith(_NPY_MAGIC) else _from_proto(data, path)
    return mean[0] if mean.ndim == 4 and mean.shape[0] == 1 else mean


def write_mean(path: str | Path, mean: np.ndarray) -> None:
    """Write a mean as the file's suffix says, whole or not at all.

    Args:
        path: ``.npy`` (float32, little end first), or ``.binaryproto`` in the very bytes of
            Caffe's ``compute_image_mean``.
        mean: real numbers of shape (channels, height, width), BGR; stored as float32.

    Raises:
        MeanError: for another suffix, or an array of more than three axes.

    Source:
        ``BlobProto`` as Caffe's ``tools/compute_image_mean.cpp`` writes it; NumPy's ``.npy``
        (NEP 1, version 1).
    """
    path = Path(path)
    if mean.ndim > 3:
        raise MeanError(f"expected a mean of shape (channels, height, width), got {mean.shape}")
    if path.suffix == ".npy":
        stream = io.BytesIO()
        np.save(stream, np.ascontiguousarray(mean, dtype="<f4"), allow_pickle=False)
        data = stream.getvalue()
    elif path.suffix == ".binaryproto":
        from edgeage.caffe.blobs import array_to_blob

        data = array_to_blob(mean, legacy=True).SerializeToString()
    else:
        raise MeanError(f"{path}: expected a name ending in .npy or .binaryproto")
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)


def mean_sha256(mean: np.ndarray) -> str:
    """Return the SHA-256 of a mean as little-endian float32 in C order, 64 hexadecimal digits.

    Args:
        mean: real numbers of any shape; the shape does not go into the hash.

    Source:
        SHA-256 of FIPS 180-4.

    >>> mean_sha256(np.zeros(3))[:8]
    '15ec7bf0'
    """
    return hashlib.sha256(np.ascontiguousarray(mean, dtype="<f4").tobytes()).hexdigest()


def check_mean(
    mean: np.ndarray, shape: tuple[int, ...], *, reference: np.ndarray | None = None
) -> np.ndarray:
    """Return a mean as a network can use it, or say why it cannot.

    Shape, finiteness and range are checked exactly. The channel order is not stored anywhere and
    can only be inferred. With a ``reference`` (the model's own mean) a mean is refused when it
    lies at least twice as close to the reference with its channels reversed. Without one, skin
    decides: faces are redder than blue in the middle of the picture, so a mean whose middle
    falls from channel 0 to channel 2 by more than 10 levels is taken for RGB. Both may miss a
    reversed mean of nearly grey pictures; the second may refuse a BGR mean of bluish ones.

    Args:
        mean: real numbers in levels of 0–255, BGR, whose shape is to be ``shape``.
        shape: what the network needs: (3, height, width), or (3,) for one value a channel.
        reference: the mean the model was trained with, if known: real numbers in levels of 0–255,
            BGR, of either shape.

    Returns:
        float32 array of that shape, C order.

    Raises:
        MeanError: with the reason.

    Source:
        Caffe's ``data_transformer.cpp``, which subtracts a mean picture of the stored pictures'
        shape, or one value a channel.
    """
    mean = _as_float32(mean)
    if mean.shape != tuple(shape):
        raise MeanError(_shape_reason(mean.shape, tuple(shape)))
    bad = int(np.count_nonzero(~np.isfinite(mean)))
    if bad:
        raise MeanError(f"the mean holds {bad} values that are not finite numbers; make it again")
    low, high = float(mean.min()), float(mean.max())
    if low < 0 or high > 255:
        raise MeanError(
            f"the mean runs from {low:g} to {high:g}, expected levels of 0 to 255; was it made of "
            "normalised pictures?"
        )
    if 0 < high <= 1:
        raise MeanError(
            f"the mean's largest value is {high:g}, expected levels of 0 to 255; was it made of "
            "pictures scaled to 0–1? multiply it by 255"
        )
    if mean.shape[0] == 3:
        _check_order(mean, reference)
    return mean


def _as_float32(mean: np.ndarray) -> np.ndarray:
    array = np.asarray(mean)
    if array.dtype.kind not in "fiu":
        raise MeanError(f"expected a mean of real numbers, got dtype {array.dtype}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32)


def _shape_reason(found: tuple[int, ...], expected: tuple[int, ...]) -> str:
    text = f"the mean has shape {found}, expected {expected} in BGR order"
    if len(expected) == 3 and found == (*expected[1:], expected[0]):
        return f"{text}; its channels are last, use mean.transpose(2, 0, 1)"
    if len(found) == 3 and len(expected) == 3 and found[0] == expected[0]:
        return f"{text}; it was made of pictures of another size"
    if len(expected) == 3 and found == expected[:1]:
        return f"{text}; it is one value a channel, this network was trained with a mean picture"
    if len(expected) == 3 and found in (expected[1:], (1, *expected[1:])):
        return f"{text}; it is a mean of grey pictures"
    return f"{text}; was it saved from another tool?"


def _check_order(mean: np.ndarray, reference: np.ndarray | None) -> None:
    if reference is None:
        first, middle, last = _middle(mean)
        if first > middle > last and first - last > 10:
            raise MeanError(
                f"the mean looks like RGB: its middle falls from {first:.0f} in channel 0 to "
                f"{last:.0f} in channel 2, and faces are redder than blue; expected BGR, {_FLIP}"
            )
        return
    reference = _as_float32(reference)
    if reference.shape != mean.shape:
        mean, reference = _middle(mean), _middle(reference)
    straight = float(np.abs(mean - reference).mean())
    flipped = float(np.abs(mean[::-1] - reference).mean())
    if straight - flipped > 1 and flipped < straight / 2:
        raise MeanError(
            f"the mean looks like RGB: it is {straight:.1f} levels from the model's own BGR mean "
            f"as it is and {flipped:.1f} with its channels reversed; {_FLIP}"
        )


def _middle(mean: np.ndarray) -> np.ndarray:
    if mean.ndim == 1:
        return mean
    height, width = mean.shape[1:]
    middle = mean[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
    levels: np.ndarray = middle.mean(axis=(1, 2), dtype=np.float64)
    return levels


def _from_proto(data: bytes, path: str | Path) -> np.ndarray:
    from edgeage.caffe.blobs import blob_to_array, decode
    from edgeage.caffe.schema import BlobProto

    try:
        blob = decode(data, BlobProto(), source=str(path), expected="a mean (.npy or .binaryproto)")
        return blob_to_array(blob, what=str(path))
    except ModelError as error:
        raise MeanError(str(error)) from None


def _from_npy(data: bytes, path: str | Path) -> np.ndarray:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        if dtype.kind not in "fiu":
            raise MeanError(f"{path} holds {dtype}, expected real numbers")
        values = np.frombuffer(data, dtype, offset=stream.tell())
        return values.reshape(shape, order="F" if fortran else "C").astype(np.float32)
    except MeanError:
        raise
    # numpy's header parser is open to a dozen exception types on damaged input.
    except Exception as error:
        raise MeanError(f"{path} is a damaged .npy file: {one_line(error)}") from None
