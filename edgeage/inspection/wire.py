"""Telling Caffe's binary files apart: none of them carries a name, only protobuf's wire format.

A message is a row of fields, each a key (number × 8 + wire type) and a value; see «Encoding» in
the Protocol Buffers documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["caffe_kind"]

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_MAX_FIELDS = 1000
_WHAT = {
    "caffemodel": "a .caffemodel",
    "solverstate": "a .solverstate",
    "mean": "a mean (.binaryproto)",
}

Field = tuple[int, int]
"""A field's number and wire type."""


def caffe_kind(path: Path, data: memoryview) -> str | None:
    """Return which of Caffe's messages a binary file holds, or None for none of them.

    Only the first fields of the outermost message are looked at.

    Args:
        path: the file, for errors.
        data: its bytes.

    Returns:
        ``"caffemodel"``, ``"solverstate"``, ``"mean"``, ``"onnx"`` or None.

    Raises:
        ModelError: when it is one of Caffe's, cut short.
    """
    fields, missing = _walk(data)
    kind = _kind(fields)
    if missing and kind in _WHAT:
        raise ModelError(
            f"{path} is {_WHAT[kind]} cut short: it has {len(data):,} bytes and needs at least "
            f"{missing:,} more; copy it again"
        )
    return kind


def _kind(fields: list[Field]) -> str | None:
    found = set(fields)
    if {(1, _VARINT), (7, _LENGTH), (8, _LENGTH)} <= found:
        return "onnx"
    if (100, _LENGTH) in found or fields[:2] == [(1, _LENGTH), (2, _LENGTH)]:
        return "caffemodel"
    # A network without a name that begins with its layers or inputs, in the older syntax.
    if fields[:1] in ([(2, _LENGTH)], [(3, _LENGTH)]) and (2, _LENGTH) in found:
        return "caffemodel"
    if (1, _VARINT) in found and {(2, _LENGTH), (3, _LENGTH)} & found:
        return "solverstate"
    numbers = {(5, _LENGTH), (5, _FOUR_BYTES), (8, _LENGTH), (8, _EIGHT_BYTES)}
    shape = {(1, _VARINT), (2, _VARINT), (3, _VARINT), (4, _VARINT)}
    if found & numbers and (shape <= found or (7, _LENGTH) in found):
        return "mean"
    return None


def _walk(data: memoryview) -> tuple[list[Field], int]:
    """Read the keys of the outermost fields.

    Returns:
        The fields up to the first that is impossible or unfinished, and how many bytes that one
        reaches beyond the end (0 when it is impossible or everything was whole).
    """
    fields: list[Field] = []
    place = 0
    while place < len(data) and len(fields) < _MAX_FIELDS:
        key, place = _varint(data, place)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29 or wire not in (0, 1, 2, 5):
            break
        size = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(wire, 0)
        if wire in (_VARINT, _LENGTH):
            value, place = _varint(data, place)
            if value < 0:
                break
            size = value if wire == _LENGTH else 0
        if size >= 1 << 31:
            break
        fields.append((number, wire))
        place += size
    return fields, max(place - len(data), 0)


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return a number of seven bits a byte and the place behind it, or −1 where there is none."""
    value = 0
    for shift, byte in enumerate(data[place : place + 10]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, place + shift + 1
    return -1, place
