"""The header of a blob, sound and damaged. ``tiny.blob`` is made by ``make_tiny_blob.py``."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeage.errors import ModelError
from edgeage.movidius.blob import read_blob

TINY = Path(__file__).with_name("tiny.blob")
BYTES = TINY.read_bytes()


def _with(offset: int, value: int) -> bytes:
    """The blob with another number at an offset of its header."""
    return BYTES[:offset] + struct.pack("<I", value) + BYTES[offset + 4 :]


def test_reads_the_header():
    info = read_blob(TINY)
    assert info.size == len(BYTES)
    assert (info.version, info.stages, info.batch) == ((6, 0), 8, 1)
    assert (info.inputs, info.input_names, info.input_bytes) == (1, ("data",), 3 * 8 * 8)
    assert (info.outputs, info.output_names, info.output_bytes) == (1, ("prob",), 2 * 2)
    assert (info.shaves, info.cmx_slices) == (6, 6)
    assert (info.has_hw, info.has_shave) == (True, True)


def test_the_header_is_ready_for_json():
    values = read_blob(TINY).to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["version"] == [6, 0]
    assert not {"path", "sha256"} & values.keys()


# What is wrong, and what the one line says of it.
DAMAGED = {
    "empty": (b"", "is no MYRIAD blob: it begins with b''"),
    "a picture": (b"\x89PNG\r\n\x1a\n" * 100, "begins with b'\\x89PNG', expected b'\\x7felf'"),
    "an ELF program": (b"\x7fELF" + b"\0" * 500, "begins with b'\\x7fELF'"),
    "half the header": (BYTES[:100], "is truncated: it has 100 bytes, a blob's header alone"),
    "half the blob": (BYTES[:3000], f"is truncated: it has 3000 bytes, its header says {5568}"),
    "one byte short": (BYTES[:-1], "is truncated"),
    "another magic": (_with(0x34, 1234), "its magic number is 1234, expected 9709"),
    "an older version": (_with(0x3C, 5), "is a blob of version 5.0, expected 6.x"),
    "sections crossed": (_with(0x74, 5000), "its header's sections are not in order"),
    "inputs without end": (_with(0x44, 2**31), "its header's sections are not in order"),
    "too many inputs": (_with(0x44, 900), "is damaged"),
    "an endless name": (_with(0xC0 + 8, 2**31), "a name in it has 2147483648 bytes"),
}


@pytest.mark.parametrize(("content", "reason"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_blob_is_refused_in_one_line(content, reason, tmp_path):
    path = tmp_path / "x.blob"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_blob(path)
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_blob_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        read_blob(tmp_path / "none.blob")


def test_what_is_appended_does_not_matter(tmp_path):
    """OpenVINO 2022.3 writes a description of the inputs behind the blob."""
    (tmp_path / "x.blob").write_bytes(BYTES + b"more")
    assert read_blob(tmp_path / "x.blob").stages == 8


@given(
    cut=st.integers(0, len(BYTES)),
    changes=st.lists(st.tuples(st.integers(0, 0x140), st.integers(0, 255)), max_size=6),
)
def test_whatever_the_bytes_it_is_a_header_or_one_error(cut, changes, tmp_path_factory):
    content = bytearray(BYTES)
    for place, value in changes:
        content[place] = value
    path = tmp_path_factory.getbasetemp() / "fuzzed.blob"
    path.write_bytes(content[:cut])
    try:
        assert read_blob(path).size == cut
    except ModelError as error:
        assert "\n" not in str(error)  # noqa: PT017
