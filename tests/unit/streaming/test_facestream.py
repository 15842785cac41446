"""Faces followed through made videos: whose they are, how steady, how often they are looked at."""

from __future__ import annotations

import itertools
import time

import cv2
import numpy as np
import pytest

from edgeage import Predictor, UsageError
from edgeage.errors import DeviceError, VideoError
from edgeage.faces import Detection
from edgeage.faces.boxes import overlap
from edgeage.streaming import ArraySource, StreamOptions
from edgeage.streaming.events import frame_event
from edgeage.testing import FakeBackend, FakeDetector


class Rechecking(FakeDetector):
    """Finds a face again that overlaps the box it is expected in."""

    def look_again(self, picture, boxes):
        found = self._find(picture)
        if not found:
            return [None] * len(boxes)
        shared = overlap(
            np.array(boxes).reshape(-1, 4), np.array([one.box for one in found]), of_smaller=False
        )
        best = shared.argmax(axis=1) if len(boxes) else []
        return [found[n] if row[n] > 0.4 else None for row, n in zip(shared, best, strict=True)]


@pytest.fixture
def follow(predictor, video, made):
    """Follow the video's faces and score the answers."""

    def run(**options):
        source = ArraySource(video.kept, fps=25)
        with predictor.stream(source, options=StreamOptions(**options)) as stream:
            frames = list(stream)
        score = made[1].score(video, [(frame.number, frame.faces) for frame in frames])
        return score, stream.summary, frames

    return run


@pytest.mark.parametrize(("detect_every", "found"), [(1, 0.95), (2, 0.94), (3, 0.93), (5, 0.92)])
def test_everybody_keeps_their_number(follow, video, detect_every, found):
    score, summary, frames = follow(detect_every=detect_every)
    assert [frame.number for frame in frames] == list(range(90))
    assert (score.switches, score.tracks) == (0, 5)
    assert score.found > found
    assert score.false < 0.15
    assert summary.tracks == 5
    assert 90 / detect_every <= summary.searched <= 90 * min(1, 1 / detect_every + 0.1)
    # Frames between searches have their faces where they were going, never for long.
    searched = [frame.number for frame in frames if not any(f.predicted for f in frame.faces)]
    assert len(searched) == summary.searched
    assert max(map(int.__sub__, searched[1:], searched)) <= detect_every


@pytest.mark.parametrize("step", [0, 3, 15], ids=["still", "slow", "fast"])
def test_a_face_is_followed_between_searches_however_it_turns(step, made):
    """A face of 40 pixels moves by so many a frame, and turns back between searches."""
    chip = cv2.resize(made[0].drawn_chips(1)[0].pixels, (40, 40), interpolation=cv2.INTER_AREA)
    ways = np.cumsum([step if n % 14 < 7 else -step for n in range(30)]) + 60

    def frame(number):
        picture = np.full((90, 250, 3), 90, np.uint8)
        picture[20:60, ways[number] : ways[number] + 40] = chip
        picture[0, 0, 0] = number
        return picture

    def found(picture):
        left = ways[picture[0, 0, 0]]
        return [Detection((left, 20, left + 40, 60), 0.9)]

    with Predictor(backend=FakeBackend(), detector=FakeDetector(found)) as predictor:
        source, options = ArraySource(map(frame, range(30))), StreamOptions(detect_every=5)
        stream = predictor.stream(source, options=options)
        faces = [(n, face) for n, frame in enumerate(stream) for face in frame.faces]
    # The first two frames, then every fifth.
    assert stream.summary.searched == 7
    assert [(n, face.track) for n, face in faces] == [(n, 1) for n in range(30)]
    assert max(abs(face.box[0] - ways[n]) for n, face in faces) <= 2


@pytest.mark.parametrize("detect_every", [3, 5])
def test_a_detector_that_rechecks_searches_no_more_than_it_has_to(video, made, detect_every):
    detector, options = Rechecking(video.detect), StreamOptions(detect_every=detect_every)
    with Predictor(backend=FakeBackend(), detector=detector, detect="always") as predictor:
        stream = predictor.stream(ArraySource(video.kept, fps=25), options=options)
        frames = list(stream)
        assert list(predictor.timing.stages_ms)[:2] == ["detect", "follow"]
    score = made[1].score(video, [(frame.number, frame.faces) for frame in frames])
    assert stream.summary.searched == 90 / detect_every
    assert (score.switches, score.tracks, score.false) == (0, 5, pytest.approx(0, abs=0.1))
    assert score.found > 0.93
    assert all(face.age is not None for frame in frames for face in frame.faces)
    # What is shown was seen there; who is gone is gone at once.
    assert not any(face.predicted for frame in frames for face in frame.faces)


def test_a_face_that_rushes_on_is_looked_for_where_its_pixels_went(made):
    """It moves by half its side a frame, of which nothing is known at first."""
    chip = cv2.resize(made[0].drawn_chips(1)[0].pixels, (50, 50), interpolation=cv2.INTER_AREA)

    def frame(number):
        picture = np.full((90, 350, 3), 90, np.uint8)
        picture[20:70, 10 + 24 * number : 60 + 24 * number] = chip
        picture[0, 0, 0] = number
        return picture

    def found(picture):
        left = 10 + 24 * int(picture[0, 0, 0])
        return [Detection((left, 20, left + 50, 70), 0.9)]

    with Predictor(backend=FakeBackend(), detector=Rechecking(found)) as predictor:
        source, options = ArraySource(map(frame, range(12))), StreamOptions(detect_every=5)
        stream = predictor.stream(source, options=options)
        faces = [(n, face.track, face.box[0]) for n, f in enumerate(stream) for face in f.faces]
    assert stream.summary.searched == 3
    assert faces == [(n, 1, 10 + 24 * n) for n in range(12)]


def test_ages_flicker_less_and_err_no_more_than_frame_by_frame(follow, predictor, video, made):
    alone = made[1].score(video, [(n, r.faces) for n, r in enumerate(predictor.stream(video.kept))])
    score, summary, _ = follow()
    assert score.age_flicker < alone.age_flicker / 5
    assert score.age_noise < alone.age_noise / 1.5
    assert score.gender_flips <= alone.gender_flips
    assert summary.estimates < 90 * 5 / 8
    every, all_estimates, _ = follow(detect_every=1, refresh=1)
    assert every.age_flicker < alone.age_flicker / 3
    assert all_estimates.estimates > 4 * summary.estimates


def test_the_same_video_has_the_same_answers(follow):
    (_, _, one), (_, _, other) = follow(), follow()
    assert [[(f.track, f.box, f.age) for f in frame.faces] for frame in one] == [
        [(f.track, f.box, f.age) for f in frame.faces] for frame in other
    ]


def test_what_a_frame_and_a_face_tell(follow):
    _, summary, frames = follow()
    frame = frames[30]
    assert frame.position_s == pytest.approx(30 / 25)
    assert frame.latency_ms > 0
    assert frames[-1].fps > 0
    face = frame.faces[0]
    assert 0 < face.quality <= 1
    assert face.age_interval[0] < face.age < face.age_interval[1]
    assert frame_event(frame)["faces"][0]["age_interval"] == [
        pytest.approx(end, abs=0.05) for end in face.age_interval
    ]
    assert (face.device, face.latency_ms) == ("FAKE", frame.latency_ms)
    found = {face.predicted: face for frame in frames[30:36] for face in frame.faces}
    assert (len(found[False].landmarks), len(found[True].landmarks)) == (5, 0)
    assert face.to_dict()["track"] == face.track
    assert "picture" not in frame.to_dict()
    assert (summary.frames, summary.dropped) == (90, 0)
    assert summary.latency_ms["p50"] <= summary.latency_ms["p99"]


def test_a_hidden_face_is_not_shown_but_known(predictor, video):
    frames = list(predictor.stream(ArraySource(video.kept), options=StreamOptions(detect_every=1)))
    gone = [f for f in frames if any(not t.is_visible for t in video.truth(f.number))]
    assert any(frame.hidden for frame in gone)
    for frame in frames:
        assert {face.box for face in frame.faces}.isdisjoint(frame.hidden)


def test_frames_of_changing_size_and_none_with_faces(grey):
    sizes = [(48, 64), (200, 100), (30, 30), (9, 9)] * 5
    with Predictor(backend=FakeBackend(), detector=FakeDetector()) as predictor:
        frames = list(predictor.stream(ArraySource([grey(5, hw) for hw in sizes])))
    assert [frame.picture.shape[:2] for frame in frames] == sizes
    assert [frame.faces for frame in frames] == [()] * 20


def test_a_box_beyond_the_picture_is_left_out(grey):
    found = [Detection((-30, -30, -5, -5), 0.9), Detection((50, 30, 90, 90), 0.9)]
    with Predictor(backend=FakeBackend(), detector=FakeDetector(found)) as predictor:
        frames = list(predictor.stream(ArraySource([grey(5)] * 4)))
    assert [face.box for face in frames[-2].faces + frames[3].faces] == [(50, 30, 64, 48)] * 2


def test_without_a_detector_every_frame_is_one_face(grey):
    with Predictor(backend=FakeBackend(), detector=None) as predictor:
        frames = list(predictor.stream(ArraySource([grey(90)] * 5)))
    assert {(f.track, f.box, f.detected) for frame in frames for f in frame.faces} == {
        (1, (0, 0, 64, 48), False)
    }


def test_an_unsure_gender_is_not_named(grey):
    found = [Detection((5, 5, 40, 40), 0.9)]
    backend = FakeBackend(gender=[0.45, 0.55])
    with Predictor(backend=backend, detector=FakeDetector(found), min_confidence=0.8) as predictor:
        (frame,) = predictor.stream(ArraySource([grey(90)]))
    assert (frame.faces[0].gender, frame.faces[0].gender_probability) == (
        "unknown",
        pytest.approx(0.55),
    )


def test_a_live_source_lags_by_no_more_than_a_few_frames(grey):
    def frames():
        for level in itertools.count():
            yield grey(level % 200)
            time.sleep(0.002)

    def slow(_picture):
        time.sleep(0.02)
        return ()

    with (
        Predictor(backend=FakeBackend(), detector=FakeDetector(slow)) as predictor,
        predictor.stream(
            ArraySource(frames(), live=True), options=StreamOptions(detect_every=1)
        ) as stream,
    ):
        seen = list(itertools.islice(stream, 25))
        summary = stream.summary
    assert summary.dropped > 25
    # Six frames of 20 ms may be on their way, and the machine be busy; ten times that is lagging.
    assert np.median([frame.latency_ms for frame in seen]) < 6 * 20 * 3
    assert seen[-1].number > 50


def test_a_failing_device_comes_after_the_frames_before(grey):
    found = FakeDetector([Detection((5, 5, 40, 40), 0.9)])
    backend = FakeBackend(infer_faults=[None, None, None, None, DeviceError("unplugged")])
    with Predictor(backend=backend, detector=found) as predictor:
        stream = predictor.stream(
            ArraySource([grey(90)] * 9), options=StreamOptions(detect_every=1, refresh=1)
        )
        seen = []
        with pytest.raises(DeviceError, match="unplugged"):
            seen.extend(stream)
        # What piles up goes to the device together, so these are one to eight.
        assert [frame.number for frame in seen] == list(range(len(seen)))
        assert 1 <= len(seen) < 9


def test_closing_the_predictor_ends_its_streams(grey):
    with Predictor(backend=FakeBackend(), detector=FakeDetector()) as predictor:
        stream = predictor.stream(ArraySource(map(grey, itertools.repeat(3))))
        next(stream)
    with pytest.raises(UsageError, match="closed"):
        list(stream)
    with pytest.raises(UsageError, match="closed"):
        predictor.stream(0)


@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        (lambda p: p.stream("none.mp4"), VideoError, "none.mp4 does not exist"),
        (lambda p: p.stream("none.mp4", ahead=2), UsageError, "a video takes options"),
        (lambda p: p.stream([], options=StreamOptions()), UsageError, "wrap frames in an Array"),
    ],
    ids=["missing", "ahead", "options"],
)
def test_a_wrong_call_is_refused_at_once(predictor, call, error, reason):
    with pytest.raises(error, match=reason):
        call(predictor)


def test_memory_is_that_of_a_few_frames(grey):
    import tracemalloc

    def frames():
        for level in range(300):
            yield grey(level % 250, (400, 500)).copy()

    with Predictor(backend=FakeBackend(), detector=FakeDetector()) as predictor:
        tracemalloc.start()
        for _ in predictor.stream(ArraySource(frames())):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 25 * 400 * 500 * 3
