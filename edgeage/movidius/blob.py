"""The header of a MYRIAD blob: the graph as compiled for a Myriad X, without its contents.

The layout is that of OpenVINO's VPU plugin (``blob_format.hpp``, 2020.3 to 2022.3): an ELF-like
header of 52 bytes, then twenty little-endian 32-bit numbers, then the inputs and outputs.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Any

from edgeage.errors import ModelError
from edgeage.paths import sha256_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BLOB_MAJOR", "BlobInfo", "read_blob"]

BLOB_MAJOR = 6
"""Major version of the format that the sticks' last tools write and read."""

_ELF, _MAGIC = b"\x7felf", 9709
_HEADER = struct.Struct("<52x20I")
_PORT, _PORT_TAIL = struct.Struct("<IiI"), 7 * 4
_MOST_PORTS, _LONGEST_NAME = 1000, 4096


@dataclasses.dataclass(frozen=True)
class BlobInfo:
    """What a blob's header says.

    Attributes:
        path: the file.
        sha256: hash of its bytes, 64 hexadecimal digits.
        size: its bytes.
        version: (major, minor) of the blob format.
        stages: steps the chip runs one after another.
        inputs: number of inputs.
        outputs: number of outputs.
        input_names: their names, in order.
        output_names: likewise.
        input_bytes: bytes of all inputs of one batch; a picture of bytes has 3 · height · width.
        output_bytes: bytes of all outputs of one batch.
        batch: pictures a run takes.
        bss_bytes: working memory on the device, besides the blob.
        cmx_slices: 128 kB slices of on-chip memory it uses.
        shaves: vector processors it uses.
        has_hw: whether it uses the hardware accelerator for convolutions.
        has_shave: whether it uses the vector processors.
        has_dma: whether it has stages that copy memory.
    """

    path: Path
    sha256: str
    size: int
    version: tuple[int, int]
    stages: int
    inputs: int
    outputs: int
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    input_bytes: int
    output_bytes: int
    batch: int
    bss_bytes: int
    cmx_slices: int
    shaves: int
    has_hw: bool
    has_shave: bool
    has_dma: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the header's values, ready for JSON: all but where the file is and its hash."""
        values = dataclasses.asdict(self)
        for name in ("path", "sha256"):
            del values[name]
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }


def read_blob(path: Path) -> BlobInfo:
    """Read a blob's header.

    Args:
        path: a ``.blob`` compiled by OpenVINO 2020.3 to 2022.3.

    Raises:
        ModelError: when it is missing, no blob, truncated, or of a version this does not know.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEADER.size)
            _check_start(path, head)
            values = _HEADER.unpack(head)
            size = path.stat().st_size
            _check_values(path, values, size)
            tables = stream.read(values[18] - _HEADER.size)
        digest = sha256_file(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from None
    return BlobInfo(
        path=path,
        sha256=digest,
        size=size,
        version=(values[2], values[3]),
        inputs=values[4],
        outputs=values[5],
        input_names=_names(path, tables, values[16], values[4]),
        output_names=_names(path, tables, values[17], values[5]),
        stages=values[6],
        input_bytes=values[7],
        output_bytes=values[8],
        batch=values[9],
        bss_bytes=values[10],
        cmx_slices=values[11],
        shaves=values[12],
        has_hw=bool(values[13]),
        has_shave=bool(values[14]),
        has_dma=bool(values[15]),
    )


def _check_start(path: Path, head: bytes) -> None:
    """Refuse a file that is no blob, or less than the header of one."""
    if head[:4] != _ELF[: len(head)] or not head:
        raise ModelError(
            f"{path} is no MYRIAD blob: it begins with {head[:4]!r}, expected {_ELF!r}"
        )
    if len(head) < _HEADER.size:
        raise ModelError(
            f"{path} is truncated: it has {len(head)} bytes, a blob's header alone has "
            f"{_HEADER.size}; compile it again"
        )


def _check_values(path: Path, values: tuple[int, ...], size: int) -> None:
    if values[0] != _MAGIC:
        raise ModelError(
            f"{path} is no MYRIAD blob: its magic number is {values[0]}, expected {_MAGIC}"
        )
    if values[2] != BLOB_MAJOR:
        raise ModelError(
            f"{path} is a blob of version {values[2]}.{values[3]}, expected {BLOB_MAJOR}.x; "
            "compile it again with OpenVINO 2021.4"
        )
    if size < values[1]:
        raise ModelError(
            f"{path} is truncated: it has {size} bytes, its header says {values[1]}; "
            "compile it again"
        )
    in_order = _HEADER.size <= values[16] <= values[17] <= values[18] <= values[19] <= values[1]
    if not in_order or max(values[4], values[5]) > _MOST_PORTS:
        raise ModelError(
            f"{path} is damaged: its header's sections are not in order; compile it again"
        )


def _names(path: Path, tables: bytes, offset: int, count: int) -> tuple[str, ...]:
    """Read the names in a table of inputs or outputs; ``tables`` begins after the header."""
    place, names = offset - _HEADER.size, []
    for _ in range(count):
        start = place + _PORT.size
        if start > len(tables):
            raise ModelError(f"{path} is damaged: a table of its inputs or outputs is cut off")
        _, _, length = _PORT.unpack_from(tables, place)
        raw = tables[start : start + length]
        if length > _LONGEST_NAME or len(raw) < length:
            raise ModelError(f"{path} is damaged: a name in it has {length} bytes")
        names.append(raw.rstrip(b"\0").decode("utf-8", "replace"))
        place = start + length + _PORT_TAIL
    return tuple(names)
