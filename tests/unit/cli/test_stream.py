"""``edgeage stream``: its outputs, its errors, its end."""

from __future__ import annotations

import functools
import json
import os
import signal
import threading
import time

import cv2
import numpy as np
import pytest

import edgeage.predictor
from edgeage.errors import ModelError
from edgeage.faces import Detection
from edgeage.testing import FakeBackend, FakeDetector


@pytest.fixture(autouse=True)
def fake_predictor(monkeypatch):
    detector = FakeDetector([Detection((10, 8, 30, 32), 0.9)])
    real = edgeage.predictor.Predictor

    def made(**settings):
        settings = {name: settings[name] for name in ("min_confidence",)}
        return real(backend=FakeBackend(), detector=detector, **settings)

    for name in ("OPENCV_LOG_LEVEL", "OPENCV_FFMPEG_LOGLEVEL"):
        monkeypatch.setenv(name, os.environ.get(name, "-8" if "FFMPEG" in name else "SILENT"))
    monkeypatch.setattr(edgeage.predictor, "Predictor", functools.wraps(real)(made))
    return detector


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 20, (64, 48)
    )
    for level in range(0, 240, 20):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return path


def events(text):
    return [json.loads(line) for line in text.splitlines()]


def test_lines_of_json_are_the_default(cli, clip):
    done = cli("stream", clip)
    assert done.exit_code == 0
    told = events(done.stdout)
    assert [event["type"] for event in told] == ["start", *["frame"] * 12, "end"]
    assert told[1]["faces"][0]["track"] == 1
    assert done.stderr.startswith("12 frames in ")
    assert done.stderr.rstrip().endswith("; 1 tracks")


def test_every_and_the_searches(cli, clip, fake_predictor):
    told = events(cli("stream", clip, "--every", 2, "--detect-every", 3, "--jsonl", "-").stdout)
    assert [event["frame"] for event in told[1:-1]] == [0, 2, 4, 6, 8, 10]
    # The first, the one after it, since a face found once may go anywhere, and the third from then.
    assert (told[-1]["skipped"], told[-1]["searched"]) == (6, 3)
    assert sum(fake_predictor.batches) == 3


def test_a_video_and_lines_in_files(cli, clip, tmp_path):
    outputs = "--save", tmp_path / "out.mp4", "--jsonl", tmp_path / "out.jsonl", "--blur"
    done = cli("stream", clip, *outputs)
    assert (done.exit_code, done.stdout) == (0, "")
    told = events((tmp_path / "out.jsonl").read_text())
    assert told[-1]["searched"] == 12
    capture = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 12
    capture.release()
    again = cli("stream", clip, *outputs)
    assert (again.exit_code, "already there; pass --overwrite" in again.stderr) == (2, True)
    assert cli("stream", clip, *outputs, "--overwrite").exit_code == 0
    assert events((tmp_path / "out.jsonl").read_text())[-1]["frames"] == 12


def test_old_events_stay_where_no_model_can_be_opened(cli, clip, tmp_path, monkeypatch):
    from edgeage.cli.predicting import Predicting

    def missing(self):
        raise ModelError("the model is not there")

    monkeypatch.setattr(Predicting, "open", missing)
    kept = tmp_path / "out.jsonl"
    kept.write_text("old\n")
    done = cli("stream", clip, "--jsonl", kept, "--overwrite")
    assert (done.exit_code, kept.read_text()) == (1, "old\n")


def test_counts_only(cli, clip):
    done = cli("stream", clip, "--aggregate")
    assert events(done.stdout)[1]["counts"]["faces"] == 1
    assert '"box"' not in done.stdout


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (["none.mp4"], 1, "none.mp4 does not exist"),
        (["photo.jpg"], 2, "expected several pictures, got one"),
        (["gopher://a/b"], 2, "is no address edgeage reads"),
        (["CLIP", "--save", "a.gif"], 2, "expected .mp4, .avi, .webm"),
        (["CLIP", "--blur", "--detect-every", "2"], 2, "--blur searches every frame"),
        (["CLIP", "--every", "0"], 2, "--every"),
    ],
    ids=["missing", "picture", "scheme", "suffix", "blur", "every"],
)
def test_a_wrong_call_is_one_clear_line(cli, clip, words, status, reason):
    done = cli("stream", *(clip if word == "CLIP" else word for word in words))
    assert done.exit_code == status
    assert reason in done.stderr
    assert done.stdout == ""


def test_garbage_is_one_line(cli, tmp_path):
    (tmp_path / "junk.mp4").write_bytes(b"junk" * 500)
    done = cli("stream", tmp_path / "junk.mp4", "--jsonl", tmp_path / "out.jsonl")
    done.assert_one_line("junk.mp4 cannot be opened")
    (end,) = events((tmp_path / "out.jsonl").read_text())
    assert (end["type"], end["reason"]) == ("end", "error")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_it_well(cli, clip, tmp_path, number):
    def press():
        lines = tmp_path / "out.jsonl"
        while not (lines.exists() and lines.read_text().count("\n") >= 3):
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    presser = threading.Thread(target=press)
    presser.start()
    before = signal.getsignal(number)
    outputs = "--save", tmp_path / "out.avi", "--jsonl", tmp_path / "out.jsonl"
    done = cli("stream", clip, *outputs, "--max-fps", 8)
    presser.join()
    assert done.exit_code == 0
    assert signal.getsignal(number) is before
    end = events((tmp_path / "out.jsonl").read_text())[-1]
    assert end["reason"] == "interrupted"
    assert 2 <= end["frames"] < 12
    capture = cv2.VideoCapture(str(tmp_path / "out.avi"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == end["frames"]
    capture.release()
