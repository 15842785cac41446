"""The programs in examples/, run as a user runs them."""

from __future__ import annotations

import csv
import functools
import io
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

import edgeage
from edgeage.faces import Detection
from edgeage.testing import FakeBackend, FakeDetector

_FACE = Detection((10, 20, 40, 50), 0.9)


@pytest.fixture
def examples(repo_root: Path) -> Path:
    return repo_root / "examples"


@pytest.fixture
def fake_predictor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``from edgeage import Predictor`` give one that needs no models and no detector."""
    backend = FakeBackend(age=[0, 0, 0.25, 0.75, 0, 0, 0, 0, 0], gender=[0.125, 0.875])
    detector = FakeDetector(lambda picture: [_FACE] if picture.mean() > 50 else [])
    predictor = functools.partial(edgeage.Predictor, backend=backend, detector=detector)
    monkeypatch.setattr(edgeage, "Predictor", predictor)


def run(script: Path, *words: object) -> int:
    """Run a script in this process as ``__main__`` and return its exit status."""
    argv, sys.argv = sys.argv, [str(script), *map(str, words)]
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as request:
        return request.code if isinstance(request.code, int) else 1 if request.code else 0
    finally:
        sys.argv = argv
    return 0


def test_predict_one(
    examples: Path, fake_predictor: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(examples / "predict_one.py") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Female (88%), 32 years"
    assert lines[1:5] == [
        "      0-9   0.0% ",
        "    10-19   0.0% ",
        "    20-29  25.0% ##########",
        "    30-39  75.0% ##############################",
    ]
    assert len(lines) == 10


def test_predict_folder(
    examples: Path, fake_predictor: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(examples / "test_0.png", tmp_path / "a face.png")
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    shutil.copy(examples / "test_0.png", tmp_path / "same.png")
    assert run(examples / "predict_folder.py", tmp_path) == 1
    captured = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(captured.out)))
    assert [Path(row["image"]).name for row in rows] == ["a face.png", "same.png"]
    assert rows[0]["gender"] == "Female"
    assert rows[0]["age_group"] == "30-39"
    assert rows[0]["age_years"] == "32.0"
    assert "broken.jpg is not a picture in a known format" in captured.err
    assert captured.err.count("\n") == 1
    (tmp_path / "broken.jpg").unlink()
    assert run(examples / "predict_folder.py", tmp_path) == 0


def test_predict_folder_says_what_it_expects(examples: Path) -> None:
    assert run(examples / "predict_folder.py") == 1


def test_predict_video(
    examples: Path, fake_predictor: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 120))
    for level in (200, 0, 200):
        writer.write(np.full((120, 160, 3), level, np.uint8))
    writer.release()
    assert run(examples / "predict_video.py", video) == 0
    assert capsys.readouterr().out.splitlines() == [
        "frame 0: Female 32 at (10, 20)",
        "frame 1: no face",
        "frame 2: Female 32 at (10, 20)",
    ]
    assert run(examples / "predict_video.py", tmp_path / "none.avi") == 1
    assert run(examples / "predict_video.py") == 1


def test_predict_many(
    examples: Path, fake_predictor: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        shutil.copy(examples / "test_0.png", tmp_path / f"{number}.png")
    (tmp_path / "5.jpg").write_bytes(b"not a picture")
    assert run(examples / "predict_many.py", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["     5 Female, 30-39", "     1 unreadable"]
    assert float(lines[2].removesuffix(" pictures a second")) > 0
    assert [line.split()[0] for line in lines[3:]] == ["decode", "detect", "align", "age", "gender"]
    assert run(examples / "predict_many.py") == 1


def test_own_detector(
    examples: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    backend = FakeBackend(age=[0, 0, 0.25, 0.75, 0, 0, 0, 0, 0], gender=[0.125, 0.875])
    monkeypatch.setattr(edgeage, "Predictor", functools.partial(edgeage.Predictor, backend=backend))
    cv2.imwrite(str(tmp_path / "portrait.png"), astronaut()[:, :, ::-1])
    assert run(examples / "own_detector.py", tmp_path / "portrait.png") == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = re.fullmatch(r"\((\d+), (\d+), \d+, \d+\) \(0\.\d\d\): Female, 32 years", line)
    assert found is not None
    # The portrait's face is at 168 to 278 across and 64 to 174 down.
    assert 168 < int(found[1]) < 278
    assert 64 <= int(found[2]) < 174


def test_own_detector_with_own_models(
    examples: Path, compiled_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "portrait.png"), astronaut()[:, :, ::-1])
    assert run(examples / "own_detector.py", tmp_path / "portrait.png", compiled_models) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_every_example_is_run_here(examples: Path) -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in examples.glob("*.py") if f'"{path.name}"' not in text] == []


def test_the_test_image_is_what_its_script_makes(examples: Path, tmp_path: Path) -> None:
    assert run(examples / "make_test_image.py", tmp_path / "again.png") == 0
    made, kept = Image.open(tmp_path / "again.png"), Image.open(examples / "test_0.png")
    assert kept.size == (200, 200)
    np.testing.assert_array_equal(np.asarray(made), np.asarray(kept))


def test_predict_one_with_the_released_networks(examples: Path) -> None:
    done = subprocess.run(
        [sys.executable, examples / "predict_one.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # The portrait is of a grown woman; the networks must see as much.
    assert done.stdout.startswith("Female (")
    assert 18 <= int(done.stdout.split("), ")[1].split()[0]) <= 50


def test_follow_faces(
    examples: Path, fake_predictor: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((80, 80, 3), 90, np.uint8))
    assert run(examples / "follow_faces.py", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "frame 0: face 1 at (10, 20)"
    assert lines[1] == "face 1: Female, 32 years (32 to 32)"
    assert lines[2].startswith("6 frames, ")
    assert run(examples / "follow_faces.py", tmp_path / "none") == 1
