"""Which format a file is in, by its content; its name counts for nothing."""

from __future__ import annotations

import codecs
import mmap
import struct
from typing import TYPE_CHECKING

from edgeage.errors import ModelError
from edgeage.inspection.wire import caffe_kind

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["blob_start", "recognise"]

_HEAD = 4096
_LMDB_MAGIC = 0xBEEFC0DE
_BLOB = b"\x7felf"
_FOREIGN = (
    (0, b"PK\x03\x04", "a zip archive (weights of PyTorch or Keras?)"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file (weights of Keras or of Caffe's HDF5 snapshots?)"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\x80\x02", "a Python pickle, which edgeage never opens"),
    (4, b"TFL3", "a TensorFlow Lite model"),
    (0, b"\xff\xd8\xff", "a picture; give pictures to «edgeage infer»"),
    (0, b"\x89PNG", "a picture; give pictures to «edgeage infer»"),
    (0, b"\x7fELF", "a program or library"),
)
KNOWN = (
    "a caffemodel, solverstate, prototxt, mean (.npy, .binaryproto), IR (.xml), MYRIAD blob, "
    "model.json or LMDB"
)


def recognise(path: Path) -> str:
    """Return the kind of a file or folder.

    Returns:
        ``"caffemodel"``, ``"solverstate"``, ``"mean"``, ``"prototxt"``, ``"ir"``, ``"blob"``,
        ``"manifest"``, ``"lmdb"`` or ``"dataset"``.

    Raises:
        ModelError: when it is missing, empty, unreadable, cut short or of no format edgeage knows.
    """
    if path.is_dir():
        return _folder_kind(path)
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            if not size:
                raise ModelError(f"{path} is empty (0 bytes); expected {KNOWN}")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _file_kind(path, data)
    except FileNotFoundError:
        raise ModelError(f"{path} is missing; expected {KNOWN}") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from None


def blob_start(head: bytes) -> int | None:
    """Return where a blob for MYRIAD begins in a file, given the file's first bytes.

    OpenVINO's ``CACHE_DIR`` puts one line of XML in front of a blob.

    Returns:
        The offset in bytes, 0 for a plain blob, or None when there is none.
    """
    start = 0
    if head.startswith(b"<"):
        end = head.find(b"/>\n")
        if end < 0:
            return None
        start = end + 3
    return start if head.startswith(_BLOB, start) else None


def _folder_kind(path: Path) -> str:
    for name, kind in (("data.mdb", "lmdb"), ("model.json", "manifest")):
        if (path / name).is_file():
            return kind
    if any(path.glob("*/data.mdb")):
        return "dataset"
    raise ModelError(
        f"{path} is a folder without data.mdb (an LMDB), model.json (a compiled model) or LMDBs "
        "inside it; give one file"
    )


def _file_kind(path: Path, data: mmap.mmap) -> str:
    head = data[:_HEAD]
    if blob_start(head) is not None:
        return "blob"
    if head.startswith(b"\x93NUMPY"):
        return "mean"
    if len(head) >= 24 and struct.unpack_from("<I", head, 16)[0] == _LMDB_MAGIC:
        return "lmdb"
    if kind := _text_kind(head):
        return kind
    for place, magic, what in _FOREIGN:
        if head[place : place + len(magic)] == magic:
            raise ModelError(f"{path} is {what}; expected {KNOWN}")
    with memoryview(data) as view:
        kind = caffe_kind(path, view)
    if kind is None or kind == "onnx":
        what = "an ONNX model" if kind else "of no format edgeage knows"
        raise ModelError(f"{path} is {what}; expected {KNOWN}{_weights_hint(path)}")
    return kind


def _text_kind(head: bytes) -> str | None:
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        # Behind the XML line of a cache file there are bytes of another device's compiler.
        return "ir" if head.startswith(b"<?xml") else None
    if any(not letter.isprintable() and letter not in "\t\n\r\f" for letter in text):
        return None
    start = text.lstrip()
    return {"<": "ir", "{": "manifest"}.get(start[:1], "prototxt")


def _weights_hint(path: Path) -> str:
    if path.suffix == ".bin" and path.with_suffix(".xml").is_file():
        return f"; it is the weights of {path.with_suffix('.xml').name}, inspect that"
    return ""
