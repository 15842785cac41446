from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeage.errors import EdgeageError, NoFaceError, UsageError
from edgeage.faces import Detection, FaceCutter, cutter
from edgeage.faces.memory import DetectionMemory
from edgeage.testing import FakeDetector

LARGE = Detection((20, 20, 60, 60), 0.9)
SMALL = Detection((70, 70, 88, 88), 0.99)
PICTURE = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)


def _cut(found: list[Detection], **options: object) -> np.ndarray:
    with FaceCutter(FakeDetector(found), 0.0) as cutting:
        return cutting.cut(PICTURE, (32, 32), **options)  # type: ignore[arg-type]


def test_the_largest_face_is_cut_and_small_ones_are_background() -> None:
    assert _cut([LARGE]).shape == (32, 32, 3)
    assert np.array_equal(_cut([SMALL, LARGE]), _cut([LARGE]))


@pytest.mark.parametrize("detector", [FakeDetector([LARGE]), None], ids=["detector", "hints"])
def test_a_closed_one_cuts_nothing(detector: FakeDetector | None) -> None:
    cutting = FaceCutter(detector, 0.0)
    cutting.close()
    with pytest.raises(UsageError, match="is closed; make a new one"):
        cutting.cut(PICTURE, (32, 32))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([], "no face found"),
        ([LARGE, Detection((65, 20, 86, 41), 0.5)], "several faces"),
    ],
    ids=["none", "two"],
)
def test_a_picture_without_a_clear_face_has_a_reason(found: list[Detection], reason: str) -> None:
    with pytest.raises(NoFaceError, match=reason):
        _cut(found)


def test_the_face_is_where_the_data_set_says() -> None:
    assert np.array_equal(_cut([LARGE, SMALL], box=(69, 70, 90, 90)), _cut([SMALL]))
    with pytest.raises(NoFaceError, match="no face found where the data set says"):
        _cut([LARGE, SMALL], box=(0, 70, 20, 95))


def test_without_a_detector_the_hint_is_cut_and_others_stay_whole() -> None:
    with FaceCutter(None, 0.0) as cutting:
        whole = cutting.cut(PICTURE, (100, 100))
        assert np.array_equal(whole, PICTURE)
        hinted = cutting.cut(PICTURE, (32, 32), box=LARGE.box)
    assert np.array_equal(hinted, _cut([LARGE]))


def test_a_margin_shows_more() -> None:
    import cv2

    picture = np.zeros((300, 300, 3), np.uint8)
    cv2.rectangle(picture, (100, 100), (199, 199), (255, 255, 255), -1)
    shares = []
    for margin in (0.0, 0.5):
        with FaceCutter(None, margin) as cutting:
            shares.append(cutting.cut(picture, (64, 64), box=(100, 88, 200, 188)).mean() / 255)
    # A margin of half a face on each side makes the square twice as wide.
    assert shares[0] == pytest.approx(1, abs=0.02)
    assert shares[1] == pytest.approx(0.25, abs=0.02)


@pytest.fixture
def counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[FakeDetector]:
    """Detectors that are opened by a name, in a cache of their own."""
    opened: list[FakeDetector] = []

    def open_detector(*_arguments: object, **_options: object) -> FakeDetector:
        opened.append(FakeDetector([LARGE]))
        return opened[-1]

    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path))
    monkeypatch.setattr(cutter, "open_detector", open_detector)
    return opened


def _hash(number: int) -> str:
    return hashlib.sha256(bytes([number])).hexdigest()


def test_a_picture_is_looked_at_once_whatever_is_cut(counting: list[FakeDetector]) -> None:
    with FaceCutter("mtcnn", 0.0) as cutting:
        first = cutting.cut(PICTURE, (32, 32), sha256=_hash(1))
        cutting.cut(PICTURE, (32, 32), sha256=_hash(1))
        assert [detector.batches for detector in counting] == [[1]]
    with FaceCutter("mtcnn", 0.0) as cutting:
        assert np.array_equal(cutting.cut(PICTURE, (32, 32), sha256=_hash(1)), first)
    with FaceCutter("mtcnn", 0.7) as cutting:
        cutting.cut(PICTURE, (64, 64), sha256=_hash(1))
    assert len(counting) == 1
    # Another content, another detector, or no memory: looked at anew.
    for name, options, content in (
        ("mtcnn", {}, 2),
        ("haar", {}, 1),
        ("mtcnn", {"remember": False}, 1),
    ):
        with FaceCutter(name, 0.0, **options) as cutting:  # type: ignore[arg-type]
            cutting.cut(PICTURE, (32, 32), sha256=_hash(content))
    assert len(counting) == 4


@pytest.mark.parametrize(
    "options", [{"min_face": 60}, {"min_face": 61}, {"device": "GPU.0"}], ids=str
)
def test_what_was_found_with_other_options_is_not_answered(
    options: dict[str, Any], counting: list[FakeDetector]
) -> None:
    identities = set()
    for given in ({}, {"min_face": 59}, options, options):
        with FaceCutter("mtcnn", 0.0, **given) as cutting:  # type: ignore[arg-type]
            cutting.cut(PICTURE, (32, 32), sha256=_hash(1))
            identities.add(cutting.identity)
    assert (len(counting), len(identities)) == (3, 3)


def test_the_smallest_face_is_the_detectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []

    def open_detector(*_arguments: object, **options: Any) -> FakeDetector:
        told.append(options)
        return FakeDetector([LARGE])

    monkeypatch.setattr(cutter, "open_detector", open_detector)
    for min_face in (None, 60):
        with FaceCutter("mtcnn", 0.0, min_face=min_face, remember=False) as cutting:
            cutting.cut(PICTURE, (32, 32))
    assert [options["min_size"] for options in told] == [None, 60]
    with pytest.raises(UsageError, match="min_face of at least 1 pixel, got 0"):
        FaceCutter("mtcnn", min_face=0)
    with pytest.raises(UsageError, match="is for a detector that is opened by name or file"):
        FaceCutter(None, min_face=60)


def test_many_threads_share_a_cutter(counting: list[FakeDetector]) -> None:
    done = []
    with FaceCutter("mtcnn", 0.0) as cutting:

        def work(start: int) -> None:
            for number in range(start, start + 20):
                done.append(cutting.cut(PICTURE, (16, 16), sha256=_hash(number)))

        threads = [threading.Thread(target=work, args=(start,)) for start in (0, 0, 10, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(done) == 80
    assert len(counting) == 1


def test_what_was_found_is_kept_exactly_and_at_once(tmp_path: Path) -> None:
    points = ((1.25, 2), (3, 4), (5, 6.5), (7, 8), (9, 10))
    faces = [Detection((1, 2, 3.5, 4), 0.123456789, points, "mtcnn"), LARGE]
    one, other = (DetectionMemory(tmp_path / "a" / "x.sqlite") for _ in range(2))
    assert one.get("aa") is None
    one.put("aa", faces)
    one.put("bb", [])
    # Another process sees it while this one goes on.
    assert (other.get("aa"), other.get("bb")) == (faces, [])
    one.close()
    other.close()


def test_a_killed_process_keeps_what_it_found(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from edgeage.faces import Detection\n"
        "from edgeage.faces.memory import DetectionMemory\n"
        "memory = DetectionMemory(Path(sys.argv[1]))\n"
        "memory.put('aa', [Detection((20, 20, 60, 60), 0.9)])\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "x.sqlite"], check=False)
    assert done.returncode == -9
    memory = DetectionMemory(tmp_path / "x.sqlite")
    assert memory.get("aa") == [LARGE]
    memory.close()


def test_a_damaged_memory_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(EdgeageError, match="where found faces are kept, cannot be used: .*delete"):
        DetectionMemory(tmp_path / "x.sqlite")


def test_an_impossible_margin_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a margin above -0.5"):
        FaceCutter(None, -0.5)
    closed = FaceCutter("mtcnn", 0, remember=False)
    closed.close()
    closed.close()
