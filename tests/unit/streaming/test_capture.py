"""Sources that end, stall, break, come back, drop and wait."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from edgeage.errors import UsageError, VideoError
from edgeage.streaming import ArraySource, Lost, StreamOptions, open_source
from edgeage.streaming.capture import Capture


def numbers(items):
    return [item.number for item in items]


def capture(source, **options):
    return Capture(source, StreamOptions(**options))


class Flaky:
    """A live source; each connection gives so many frames, then an error, an end or nothing."""

    name = "flaky"

    def __init__(self, picture, *connections):
        self.picture, self.connections, self.opened = picture, list(connections), 0
        self.hanging = threading.Event()

    def open_frames(self):
        self.opened += 1
        what = self.connections.pop(0) if self.connections else "refused"
        if what == "refused":
            raise VideoError("flaky cannot be opened")
        if what == "hangs":
            self.hanging.wait(20)
        return Connection(self, *what)


class Connection:
    fps, live = 30.0, True

    def __init__(self, source, frames, then):
        self.source, self.left, self.then = source, frames, then

    def read(self):
        time.sleep(0.005)
        self.left -= 1
        if self.left >= 0:
            return self.source.picture
        if self.then == "garbage":
            raise VideoError("a frame cannot be read")
        if self.then == "stalls":
            self.source.hanging.wait(20)
        return None

    def skip(self):
        return self.read() is not None

    def close(self):
        pass


def test_a_file_is_never_dropped(grey):
    taken = capture(ArraySource(map(grey, range(30)), fps=25))
    items = []
    for item in taken:
        items.append(item)
        time.sleep(0.002)
    assert numbers(items) == list(range(30))
    assert [item.picture[0, 0, 0] for item in items] == list(range(30))
    assert items[10].position_s == pytest.approx(0.4)
    assert (taken.counts.read, taken.counts.dropped, taken.live, taken.fps) == (30, 0, False, 25)


def test_of_a_live_source_the_oldest_are_dropped(grey):
    def frames():
        for level in range(60):
            yield grey(level)
            time.sleep(0.002)

    taken = capture(ArraySource(frames(), live=True))
    items = []
    with pytest.raises(VideoError, match="ended"):
        for item in capture_until_lost(taken):
            items.append(item)
            time.sleep(0.02)
    assert numbers(items) == sorted(set(numbers(items)))
    assert taken.counts.dropped > 10
    assert taken.counts.dropped + len(items) == taken.counts.read
    assert all(item.picture[0, 0, 0] == item.number for item in items)
    assert items[-1].position_s is None


def capture_until_lost(taken):
    for item in taken:
        if isinstance(item, Lost):
            raise VideoError(item.reason)
        yield item


def test_every_nth_frame(grey):
    taken = capture(ArraySource(map(grey, range(20))), every=6)
    assert numbers(taken) == [0, 6, 12, 18]
    assert (taken.counts.read, taken.counts.skipped) == (4, 16)


def test_a_file_is_slowed_down_to_max_fps(grey):
    began = time.monotonic()
    taken = capture(ArraySource(map(grey, range(6))), max_fps=50)
    assert numbers(taken) == list(range(6))
    assert time.monotonic() - began > 0.08


def test_a_live_source_is_passed_over_above_max_fps(grey):
    def frames():
        for level in range(40):
            yield grey(level)
            time.sleep(0.005)

    taken = capture(ArraySource(frames(), live=True), max_fps=20, reconnect_s=0)
    items = []
    with pytest.raises(VideoError):
        items.extend(taken)
    assert taken.counts.skipped > 25


@pytest.mark.parametrize("then", ["ends", "garbage", "stalls"])
def test_a_lost_source_comes_back(grey, then):
    source = Flaky(grey(9), (3, then), "refused", (3, then))
    taken = capture(source, stall_s=0.3, reconnect_s=30)
    seen, lost = [], []
    for item in taken:
        (lost if isinstance(item, Lost) else seen).append(item)
        if len(lost) == 3:
            taken.end()
    source.hanging.set()
    assert source.opened >= 3
    assert taken.counts.reconnects == 1
    assert numbers(seen) == sorted(set(numbers(seen)))
    assert [one.retry_s for one in lost[:2]] == [0.5, 1.0]
    assert {"ends": "ended", "garbage": "cannot be read", "stalls": "no frame for"}[then] in (
        lost[0].reason
    )


@pytest.mark.parametrize("what", ["refused", "hangs"])
def test_a_source_that_never_opens_is_an_error_at_once(grey, what):
    source = Flaky(grey(9), what)
    with pytest.raises(VideoError, match="cannot be opened|no frame for 0.2 s"):
        list(capture(source, stall_s=0.2))
    source.hanging.set()
    assert source.opened == 1


def test_a_source_that_stays_away_is_given_up(grey):
    taken = capture(Flaky(grey(9), (2, "ends")), reconnect_s=0.6)
    with pytest.raises(VideoError, match="lost and not back within 0.6 s: flaky cannot"):
        list(taken)


def test_a_programs_own_error_comes_after_the_frames_before_it(grey):
    def frames():
        yield grey(1)
        raise OSError("gone")

    items = []
    with pytest.raises(OSError, match="gone"):
        items.extend(capture(ArraySource(frames())))
    assert len(items) == 1


def test_ending_it_ends_a_source_without_end(grey):
    taken = capture(ArraySource(map(grey, itertools.repeat(7))))
    for item in taken:
        if item.number == 5:
            taken.end()
    assert item.number < 8


def write_video(path, frames, code="mp4v"):
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), 20, (64, 48))
    for frame in frames:
        writer.write(frame)
    writer.release()


def test_a_video_file(tmp_path, grey):
    write_video(tmp_path / "a.mp4", map(grey, range(0, 200, 20)))
    taken = capture(open_source(tmp_path / "a.mp4"))
    levels = [int(item.picture.mean()) for item in taken]
    assert np.allclose(levels, range(0, 200, 20), atol=4)
    assert (taken.fps, taken.live) == (20, False)


def test_a_folder_of_frames_of_several_sizes_and_a_broken_one(tmp_path, grey):
    for number, hw in enumerate([(20, 30), (40, 30), (20, 30)]):
        cv2.imwrite(str(tmp_path / f"{number:03}.png"), grey(10 * number, hw))
    (tmp_path / "001a.jpg").write_bytes(b"junk")
    items = list(capture(open_source(str(tmp_path))))
    assert [item.picture.shape[0] for item in items] == [20, 40, 20]
    assert [int(item.picture[0, 0, 0]) for item in items] == [0, 10, 20]


@pytest.mark.parametrize("size", [0, 300, 3000], ids=["empty", "short", "long"])
def test_garbage_is_no_video(tmp_path, size):
    path = tmp_path / "junk.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(size))
    with pytest.raises(VideoError, match="junk.mp4 cannot be opened"):
        list(capture(open_source(path)))


def test_a_video_cut_off_in_the_middle_ends_there(tmp_path, grey):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(30)]
    write_video(tmp_path / "a.avi", noise, "MJPG")
    whole = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "a.avi").write_bytes(whole[: len(whole) // 2])
    assert 5 < len(list(capture(open_source(tmp_path / "a.avi")))) < 25


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_nobody_writes_to_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(VideoError, match="gave no frame for 0.3 s"):
        list(capture(open_source(tmp_path / "pipe.mp4"), stall_s=0.3))
    # Lets the thread that opens it go.
    os.close(os.open(tmp_path / "pipe.mp4", os.O_WRONLY | os.O_NONBLOCK))


@pytest.mark.parametrize(
    ("word", "error", "reason"),
    [
        ("none.mp4", VideoError, "does not exist; expected a camera's number"),
        ("ftp://a:b@host/x", UsageError, r"^ftp://host/x is no address edgeage reads"),
        ("a.png", UsageError, "expected several pictures, got one, a.png"),
    ],
    ids=["missing", "scheme", "picture"],
)
def test_what_is_no_source_is_refused_at_once(word, error, reason):
    with pytest.raises(error, match=reason):
        open_source(word)


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux names cameras")
@pytest.mark.parametrize("word", [99, "99", "/dev/video99"])
def test_a_camera_that_is_not_there(word):
    with pytest.raises(VideoError, match="there is no camera /dev/video99; "):
        open_source(word)


def test_an_empty_folder_is_no_source(tmp_path):
    with pytest.raises(VideoError, match="holds no picture"):
        open_source(tmp_path)


def test_an_address_keeps_its_password_to_itself():
    assert open_source("rtsp://me:secret@camera/1").name == "rtsp://camera/1"


@pytest.mark.parametrize(
    "wrong",
    [{"every": 0}, {"detect_every": 0}, {"refresh": 0}, {"max_fps": 0}, {"stall_s": -1}],
    ids=str,
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        StreamOptions(**wrong)


def test_a_frame_that_opencv_cannot_read_is_told_with_its_source(tmp_path, monkeypatch):
    class Broken:
        def open(self, *_):
            return True

        def get(self, _):
            return 2.0

        def read(self):
            raise cv2.error("OpenCV: no\n memory")

        def release(self):
            pass

    video = tmp_path / "door.avi"
    video.write_bytes(b"RIFF")
    monkeypatch.setattr(cv2, "VideoCapture", Broken)
    with pytest.raises(VideoError) as caught:
        list(capture(open_source(video)))
    assert str(caught.value) == f"{video}: a frame cannot be read: OpenCV: no memory"
