"""What is told, drawn, blurred, written and published of a stream."""

from __future__ import annotations

import io
import itertools
import json
import sys

import cv2
import jsonschema
import numpy as np
import pytest

import edgeage.streaming
from edgeage import Predictor
from edgeage.errors import UsageError, VideoError
from edgeage.faces import Detection
from edgeage.streaming import (
    ArraySource,
    JsonLines,
    Play,
    PublisherSink,
    StreamOptions,
    VideoFrame,
    blur_faces,
    shown_picture,
    video_file,
    window,
)
from edgeage.testing import FakeBackend, FakeDetector

FACE = Detection((10, 8, 30, 32), 0.9)


@pytest.fixture(scope="module")
def validator(repo_root):
    text = (repo_root / "edgeage" / "streaming" / "events.schema.json").read_text("utf-8")
    jsonschema.Draft202012Validator.check_schema(json.loads(text))
    return jsonschema.Draft202012Validator(json.loads(text))


class Hub:
    watched = True

    def __init__(self):
        self.got = []

    def publish(self, picture_bgr, event):
        self.got.append((picture_bgr, event))


@pytest.fixture
def play():
    """Play frames to sinks; return the end event and the Play."""

    def run(source, sinks, detections=(FACE,), **wanted):
        detector = FakeDetector(list(detections))
        with Predictor(backend=FakeBackend(), detector=detector) as predictor:
            options = wanted.pop("options", None)
            played = Play(predictor.stream(source, options=options), sinks, **wanted)
            return played.run(), played

    return run


def test_every_event_is_as_the_schema_says(play, grey, validator):
    text = io.StringIO()
    end, played = play(ArraySource([grey(80)] * 7, fps=25, name="made"), [JsonLines(text)])
    events = [json.loads(line) for line in text.getvalue().splitlines()]
    for event in events:
        validator.validate(event)
    assert [event["type"] for event in events] == ["start", *["frame"] * 7, "end"]
    assert events[0] | {"timestamp": 0} == {
        "type": "start", "timestamp": 0, "source": "made", "live": False, "width": 64,
        "height": 48, "source_fps": 25, "device": "FAKE",
    }  # fmt: skip
    assert events[3]["faces"][0]["box"] == [10, 8, 30, 32]
    assert [event["frame"] for event in events[1:-1]] == list(range(7))
    assert events[-1] == end
    assert (end["frames"], end["reason"], end["tracks"], played.error) == (7, "end", 1, None)


@pytest.mark.parametrize(
    "change",
    [{"type": "other"}, {"faces": [{}]}, {"counts": {}}, {"frame": -1}, {"extra": 1}],
    ids=str,
)
def test_the_schema_refuses_what_is_no_event(validator, change):
    event = {
        "type": "frame", "timestamp": 1.0, "frame": 0, "position_s": None, "fps": 0.0,
        "latency_ms": 1.0, "faces": [],
    }  # fmt: skip
    assert validator.is_valid(event)
    assert not validator.is_valid(event | change)


def test_a_lost_source_is_told_and_is_an_error_in_the_end(play, grey, validator):
    text = io.StringIO()
    source = ArraySource(iter([grey(80)] * 3), live=True, name="camera")
    options = StreamOptions(reconnect_s=0.6)
    end, played = play(source, [JsonLines(text)], options=options)
    events = [json.loads(line) for line in text.getvalue().splitlines()]
    for event in events:
        validator.validate(event)
    assert "lost" in [event["type"] for event in events]
    assert end["reason"] == "error"
    assert isinstance(played.error, VideoError)
    assert str(played.error) == end["error"]
    assert "camera was lost and not back within 0.6 s" in end["error"]


def test_counts_tell_nobody_apart(play, grey, validator):
    text, hub = io.StringIO(), Hub()
    source = ArraySource([grey(80)] * 4)
    other = Detection((35, 8, 55, 32), 0.9)
    play(source, [JsonLines(text), PublisherSink(hub)], (FACE, other), aggregate=True)
    events = [json.loads(line) for line in text.getvalue().splitlines()]
    for event in events:
        validator.validate(event)
    assert all("faces" not in event for event in events)
    assert events[1]["counts"]["faces"] == 2
    assert sum(events[1]["counts"]["genders"].values()) == 2
    assert '"track"' not in text.getvalue()
    pictures = [picture for picture, _ in hub.got if picture is not None]
    assert all((picture == 80).all() for picture in pictures)


def test_a_publisher_gets_pictures_with_frames_only(play, grey):
    hub = Hub()
    play(ArraySource([grey(80, (240, 320))] * 3), [PublisherSink(hub)])
    assert [(event["type"], picture is None) for picture, event in hub.got] == [
        ("start", True), ("frame", False), ("frame", False), ("frame", False), ("end", True),
    ]  # fmt: skip
    assert hub.got[1][0].shape == (240, 320, 3)
    assert (hub.got[1][0] != 80).any()


def test_nothing_is_drawn_while_nobody_watches(play, grey, monkeypatch):
    drawn = []
    real = edgeage.streaming.play.draw_faces
    monkeypatch.setattr(
        "edgeage.streaming.play.draw_faces", lambda *a, **b: drawn.append(1) or real(*a, **b)
    )

    class Seldom(Hub):
        def publish(self, picture_bgr, event):
            super().publish(picture_bgr, event)
            self.watched = event.get("frame") in (2, 3)

    hub = Seldom()
    hub.watched = False
    play(ArraySource([grey(80)] * 8), [PublisherSink(hub), JsonLines(io.StringIO())])
    with_picture = [event["frame"] for picture, event in hub.got if picture is not None]
    assert with_picture == [3, 4]
    assert len(drawn) == 2


def test_an_interrupted_stream_ends_well(grey):
    class Interrupting(Hub):
        def publish(self, picture_bgr, event):
            super().publish(picture_bgr, event)
            if event["type"] == "frame" and event["frame"] == 4:
                played.interrupt()

    hub = Interrupting()
    with Predictor(backend=FakeBackend(), detector=FakeDetector()) as predictor:
        stream = predictor.stream(ArraySource(map(grey, itertools.repeat(3))))
        played = Play(stream, [PublisherSink(hub)])
        end = played.run()
    assert end["reason"] == "interrupted"
    assert 5 <= end["frames"] == len(hub.got) - 2 < 20


def test_a_sink_that_is_done_ends_the_stream(play, grey):
    class Done(PublisherSink):
        is_done = True

    end, _ = play(ArraySource(map(grey, itertools.repeat(3))), [Done(Hub())])
    assert (end["reason"], end["frames"] < 20) == ("end", True)


def test_a_blurred_face_cannot_be_made_out(astronaut_face):
    picture = np.full((300, 300, 3), 120, np.uint8)
    picture[100:210, 90:200] = astronaut_face
    kept = picture.copy()
    blurred = blur_faces(picture, [(90, 100, 200, 210)])
    assert (picture == kept).all()
    inside = blurred[100:210, 90:200].astype(float)
    # Nothing finer than the tiles is left, and not what the tiles' edges would tell.
    detail = cv2.Laplacian(cv2.cvtColor(inside.astype(np.uint8), cv2.COLOR_BGR2GRAY), cv2.CV_64F)
    sharp = cv2.Laplacian(cv2.cvtColor(astronaut_face, cv2.COLOR_BGR2GRAY), cv2.CV_64F)
    assert detail.std() < sharp.std() / 20
    assert (blurred[:50] == 120).all()
    assert (blurred[:, 260:] == 120).all()


@pytest.mark.parametrize(
    "box", [(-20, -20, 30, 30), (5, 5, 9, 9), (50, 40, 64, 48), (70, 50, 90, 80), (0, 0, 64, 48)]
)
def test_blurring_at_the_edges(box, grey):
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    blurred = blur_faces(noise, [box])
    assert blurred.shape == noise.shape
    inside = blurred[max(box[1], 0) : box[3], max(box[0], 0) : box[2]]
    assert not inside.size or inside.std() < 40


def test_faces_out_of_sight_are_blurred_too():
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    frame = VideoFrame(0, 1.0, noise, hidden=((100, 80, 160, 150),))
    shown = shown_picture(frame, blur=True)
    assert shown[80:150, 100:160].std() < 25
    assert (shown[200:] == noise[200:]).all()
    assert (shown_picture(frame) == noise).all()


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".webm"])
def test_a_video_is_written(tmp_path, play, grey, suffix):
    path = tmp_path / f"out{suffix}"
    frames = [grey(20 * n, (240, 320)) for n in range(10)]
    frames[4] = grey(80, (200, 401))
    with video_file(path) as sink:
        play(ArraySource(frames, fps=20), [sink], ())
        assert not path.exists()
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(20)
    levels = []
    while (read := capture.read())[0]:
        assert read[1].shape == (240, 320, 3)
        levels.append(read[1][120, 160].mean())
    capture.release()
    assert np.allclose(levels, range(0, 200, 20), atol=6)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_a_live_video_is_as_long_as_what_it_shows(tmp_path, grey):
    with video_file(tmp_path / "out.avi", fps=10) as sink:
        sink.take({"type": "start", "live": True, "source_fps": None}, None)
        for timestamp in (100.0, 100.1, 100.15, 100.5, 101.0):
            sink.take({"type": "frame", "timestamp": timestamp}, grey(50))
    capture = cv2.VideoCapture(str(tmp_path / "out.avi"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 11
    capture.release()


def test_a_video_is_there_whole_or_not_at_all(tmp_path, grey):
    with pytest.raises(RuntimeError), video_file(tmp_path / "out.mp4") as sink:
        sink.take({"type": "start", "live": False, "source_fps": 25}, None)
        sink.take({"type": "frame", "timestamp": 1.0}, grey(50))
        raise RuntimeError
    with pytest.raises(VideoError, match="no frame came"), video_file(tmp_path / "out.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_videos_name_is_checked_first(tmp_path):
    (tmp_path / "there.mp4").write_bytes(b"mine")
    with (
        pytest.raises(UsageError, match=r"expected .mp4, .avi, .webm"),
        video_file(tmp_path / "out.mov"),
    ):
        pass
    with pytest.raises(UsageError, match="already there"), video_file(tmp_path / "there.mp4"):
        pass
    assert (tmp_path / "there.mp4").read_bytes() == b"mine"


@pytest.mark.skipif(sys.platform != "linux", reason="where Qt asks for a display")
def test_without_a_screen_there_is_no_window(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="there is no screen for --show"), window("x"):
        pass


def test_all_is_there():
    for name in edgeage.streaming.__all__:
        assert getattr(edgeage.streaming, name) is not None
    with pytest.raises(AttributeError):
        edgeage.streaming.nothing  # noqa: B018
