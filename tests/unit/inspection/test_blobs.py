"""MYRIAD blobs, plain and as OpenVINO's cache keeps them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from edgeage.errors import ModelError
from edgeage.inspection import inspect_file

_SPEC = importlib.util.spec_from_file_location("_files", Path(__file__).with_name("conftest.py"))
_FILES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_FILES)
LINE = b'<?xml version="1.0"?><compiled_blob ie_version="2021.4.2-3976" file_info="614"/>\n'


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "x"
        path.write_bytes(content)
        return path

    return write


def test_its_header(write):
    finding = inspect_file(write(_FILES.blob_bytes()))
    assert finding.summary == "MYRIAD blob version 6.0, 36 stages on 7 SHAVEs and 9 CMX slices"
    assert finding.facts["input_names"] == ["data"]
    assert finding.facts["input_bytes"] == 154587
    assert finding.notes == ()


def test_behind_a_cache_files_line(write):
    finding = inspect_file(write(LINE + _FILES.blob_bytes()))
    assert finding.facts["stages"] == 36
    assert finding.facts["size"] == 4096
    assert finding.facts["cache_line"] == {"ie_version": "2021.4.2-3976", "file_info": "614"}
    assert f"begins at byte {len(LINE)}" in finding.notes[0]


@pytest.mark.parametrize("line", [b"", LINE], ids=["plain", "cache file"])
@pytest.mark.parametrize("size", [20, 140, 4095])
def test_cut_short(size, line, write):
    path = write(line + _FILES.blob_bytes()[:size])
    with pytest.raises(ModelError, match="truncated|cut") as caught:
        inspect_file(path)
    assert str(path) in str(caught.value)


def test_bytes_behind_its_end(write):
    finding = inspect_file(write(_FILES.blob_bytes() + b"more"))
    assert finding.notes == ("there are 4 bytes behind the end its header states",)
