"""What the header of a MYRIAD blob says, in a file of its own or behind a cache file's line."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from edgeage.errors import ModelError
from edgeage.inspection.finding import Finding
from edgeage.inspection.sniff import blob_start
from edgeage.movidius.blob import BlobInfo, read_blob

__all__ = ["describe_blob"]

_HEAD = 4096
_SMALL = 1 << 16


def describe_blob(path: Path) -> Finding:
    """Explain a blob.

    Raises:
        ModelError: when it is cut short, damaged or of an unknown version.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    start = blob_start(head) or 0
    info = _behind_the_line(path, start) if start else read_blob(path)
    facts: dict[str, Any] = info.to_dict()
    facts["version"] = ".".join(map(str, info.version))
    notes = []
    if start:
        line = head[:start].decode("utf-8", "replace")
        facts["cache_line"] = dict(re.findall(r'(\w+)="([^"]*)"', line.partition("?>")[2] or line))
        notes.append(
            f"the blob begins at byte {start}, behind the line OpenVINO's cache puts in front; "
            "other tools read it without those bytes only"
        )
    if info.size != (stated := _stated_size(head, start)):
        notes.append(f"there are {info.size - stated:,} bytes behind the end its header states")
    if not info.has_hw:
        notes.append(
            "it was compiled without the hardware accelerator and runs several times slower"
        )
    summary = (
        f"MYRIAD blob version {facts['version']}, {info.stages} stages on {info.shaves} SHAVEs and "
        f"{info.cmx_slices} CMX slices"
    )
    return Finding(path, "blob", summary, facts, notes=tuple(notes))


def _stated_size(head: bytes, start: int) -> int:
    return int.from_bytes(head[start + 0x38 : start + 0x3C], "little")


def _behind_the_line(path: Path, start: int) -> BlobInfo:
    """Read the blob in a cache file; errors name that file."""
    with tempfile.TemporaryDirectory(prefix="edgeage-") as folder:
        alone = Path(folder) / "alone.blob"
        with path.open("rb") as source, alone.open("wb") as target:
            source.seek(start)
            shutil.copyfileobj(source, target, _SMALL)
        try:
            return read_blob(alone)
        except ModelError as error:
            raise ModelError(str(error).replace(str(alone), str(path))) from None
