"""The frames that go to and from ``scripts/worker.py``, which has the same numbers in it."""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, BinaryIO

from edgeage.errors import DeviceLostError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Layout", "Limits", "pack_frame", "read_frame"]

PROTOCOL = 1
"""Version of what is said; the worker names its own in its first frame."""

MAGIC = b"EAw\x01"
HEADER = struct.Struct("<4sBI")
RUN = struct.Struct("<IHH")
DONE = struct.Struct("<If")
FAILED = struct.Struct("<I")
HELLO, LOAD_IT, LOADED, NOT_LOADED, RUN_IT, RUN_DONE, RUN_FAILED, BEAT = range(1, 9)
MAX_FRAME = 1 << 20
_ALIGNED = 64


@dataclasses.dataclass(frozen=True)
class Limits:
    """How long a worker may take, in seconds.

    Attributes:
        start_s: until it has imported OpenVINO and says hello.
        load_s: until a network is on the device: the stick boots, and may compile the network.
        request_s: until a picture is answered.
        silence_s: without a sign of life. It gives one every ``beat_s``, also under load.
        beat_s: between two signs of life.
        close_s: to give the device back before it is killed.
    """

    start_s: float = 60.0
    load_s: float = 180.0
    request_s: float = 5.0
    silence_s: float = 3.0
    beat_s: float = 0.2
    close_s: float = 5.0


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where one network's pictures and answers lie in the shared file.

    Attributes:
        offset: of its part from the file's start, in bytes.
        slots: pictures under way at once.
        input_shape: (3, height, width) of a picture, uint8.
        labels: float32 values of an answer.
    """

    offset: int
    slots: int
    input_shape: tuple[int, int, int]
    labels: int

    @property
    def answers_at(self) -> int:
        """Where the answers begin, from the start of the part.

        >>> Layout(0, 2, (3, 5, 5), 9).answers_at
        192
        """
        channels, height, width = self.input_shape
        pictures = self.slots * channels * height * width
        return -(-pictures // _ALIGNED) * _ALIGNED

    @property
    def size(self) -> int:
        """Bytes of the part."""
        return self.answers_at + 4 * self.slots * self.labels

    def to_dict(self) -> Mapping[str, object]:
        """Return what the worker needs to know of it, JSON-ready."""
        own = {"answers_at": self.answers_at, "size": self.size}
        return {**dataclasses.asdict(self), **own}


def pack_frame(kind: int, payload: bytes = b"") -> bytes:
    """Return a frame's bytes."""
    return HEADER.pack(MAGIC, kind, len(payload)) + payload


def read_frame(stream: BinaryIO) -> tuple[int, bytes] | None:
    """Read the next frame: its kind and payload; None when the stream has ended.

    Raises:
        DeviceLostError: when what comes is no frame.

    >>> import io
    >>> read_frame(io.BytesIO(pack_frame(BEAT)))
    (8, b'')
    """
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    magic, kind, length = HEADER.unpack(header)
    if magic != MAGIC or length > MAX_FRAME:
        raise DeviceLostError(f"the worker's pipe carries something else: {header!r}")
    payload = stream.read(length)
    return (kind, payload) if len(payload) == length else None
