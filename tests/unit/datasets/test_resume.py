"""A build that was killed is taken up again."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeage.datasets import BuildOptions, build_utkface, scan
from edgeage.datasets.journal import Journal
from edgeage.images import read_image

OPTIONS = BuildOptions(size=32, workers=1, oversample=False)
KILLED_AFTER = 30

_CODE = """
import os, sys
from edgeage.datasets import BuildOptions, build_utkface
def on_progress(stage, done, total):
    if (stage, done) == ("reading", 30):
        os.kill(os.getpid(), 9)
options = BuildOptions(size=32, workers=1, oversample=False)
build_utkface(sys.argv[1], sys.argv[2], options, on_progress=on_progress)
"""


@pytest.fixture
def killed(tiny_utkface: Any, tmp_path: Path) -> Path:
    """The output of a build that was killed with thirty faces read."""
    output = tmp_path / "out" / "x"
    output.parent.mkdir()
    arguments = [sys.executable, "-c", _CODE, str(tiny_utkface.folder), str(output)]
    assert subprocess.run(arguments, check=False).returncode == -9
    assert not output.exists()
    return output


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was decoded since."""
    seen: list[bytes] = []

    def counting(data: bytes) -> Any:
        seen.append(data)
        return read_image(data)

    monkeypatch.setattr(scan, "read_image", counting)
    return seen


def _pixels(output: Path) -> Path:
    (found,) = output.parent.glob(".x.*.part/work/pixels.u8")
    return found


def _check(source: Any, output: Path, tmp_path: Path) -> None:
    """Finish the build and hold that it is what an undisturbed one gives."""
    report = build_utkface(source.folder, output, OPTIONS)
    assert list(output.parent.iterdir()) == [output]
    scan_again = build_utkface(source.folder, tmp_path / "fresh", OPTIONS)
    assert report == scan_again
    assert not (output / "work").exists()


def test_what_was_read_is_not_read_again(
    killed: Path, decoded: list[bytes], tiny_utkface: Any, tmp_path: Path
) -> None:
    everything = len(tiny_utkface.valid) + len(tiny_utkface.unreadable)
    report = build_utkface(tiny_utkface.folder, killed, OPTIONS)
    assert everything - KILLED_AFTER <= len(decoded) <= everything - KILLED_AFTER + 1
    assert list(killed.parent.iterdir()) == [killed]
    assert report == build_utkface(tiny_utkface.folder, tmp_path / "fresh", OPTIONS)
    assert len(decoded) > 1.4 * everything


@pytest.mark.parametrize(
    "damage",
    [
        lambda pixels: pixels.write_bytes(bytes(pixels.stat().st_size)),
        lambda pixels: pixels.write_bytes(pixels.read_bytes()[:7000]),
        lambda pixels: pixels.unlink(),
        lambda pixels: (pixels.parent / "journal.sqlite").write_bytes(b"no database" * 99),
        lambda pixels: (pixels.parent / "labels" / "old.txt").write_bytes(b"old"),
    ],
    ids=["zeros", "cut", "no pixels", "journal", "remains"],
)
def test_damaged_remains_change_nothing(
    damage: Any, killed: Path, tiny_utkface: Any, tmp_path: Path
) -> None:
    damage(_pixels(killed))
    _check(tiny_utkface, killed, tmp_path)


def test_a_changed_picture_is_read_anew(killed: Path, tiny_utkface: Any, tmp_path: Path) -> None:
    import shutil

    source = tmp_path / "changed"
    shutil.copytree(tiny_utkface.folder, source)
    first, second = tiny_utkface.valid[:2]
    (source / first).write_bytes((source / second).read_bytes())
    report = build_utkface(source, killed, OPTIONS)
    assert report == build_utkface(source, tmp_path / "fresh", OPTIONS)


def test_other_work_starts_anew(killed: Path, decoded: list[bytes], tiny_utkface: Any) -> None:
    build_utkface(tiny_utkface.folder, killed, BuildOptions(size=24, oversample=False))
    assert len(decoded) >= len(tiny_utkface.valid)


def test_a_build_killed_twice_goes_on(killed: Path, tiny_utkface: Any, tmp_path: Path) -> None:
    # Killed between taking the remains over and reading.
    _pixels(killed).parent.rename(killed.parent / ".x.work")
    _check(tiny_utkface, killed, tmp_path)


def test_a_journal_is_of_its_own_work(tmp_path: Path) -> None:
    import numpy as np

    words, pixels = np.arange(10, dtype=np.uint64), np.zeros((3, 2, 2), np.uint8)
    with Journal(tmp_path / "j", "32 whole") as journal:
        journal.add("a", 4, words, pixels)
    with Journal(tmp_path / "j", "32 whole") as journal:
        slot, found, _ = journal.find("a") or (None, None, None)
        assert (slot, journal.slots) == (4, 5)
        assert np.array_equal(found, words)
        assert journal.find("b") is None
    with Journal(tmp_path / "j", "32 mtcnn 0.4") as journal:
        assert (journal.find("a"), journal.slots) == (None, 0)


def test_a_damaged_journal_is_let_go_before_it_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows deletes no file that is still open."""
    opened, connect = [], sqlite3.connect

    def kept(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", kept)
    (tmp_path / "j").write_bytes(b"no database " * 100)
    with Journal(tmp_path / "j", "32 whole") as journal:
        assert journal.slots == 0
        damaged, _ = opened
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            damaged.execute("SELECT 1")
