"""Mapped pages are given back, and come back when they are read again."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest

from edgeage.runtime.pages import give_back_pages

SIZE = 4 << 20


def resident_bytes(path: Path) -> int:
    """Return how much of a mapped file is in this process's memory."""
    found, mine = 0, False
    for line in Path("/proc/self/smaps").read_text(errors="replace").splitlines():
        if "-" in line.split(" ", 1)[0]:
            mine = line.endswith(str(path))
        elif mine and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere pages are not given back")
@pytest.mark.parametrize("named", ["file", "folder"])
def test_pages_go_and_come_back(named, tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(range(256)) * (SIZE // 256))
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as map_:
        whole = bytes(map_)
        assert resident_bytes(path) == SIZE
        assert give_back_pages([path if named == "file" else tmp_path]) == SIZE
        assert resident_bytes(path) == 0
        assert bytes(map_) == whole


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere pages are not given back")
def test_maps_that_can_be_written_and_other_files_are_left_alone(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(SIZE))
    with path.open("r+b") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY) as map_:
        map_[0] = 7
        assert give_back_pages([path]) == 0
        assert give_back_pages([tmp_path / "weights"]) == 0
        assert map_[0] == 7


def test_elsewhere_nothing_is_done(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "win32")
    assert give_back_pages([tmp_path]) == 0
