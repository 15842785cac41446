"""``Hub``: one picture, bounded queues, nothing encoded for nobody."""

from __future__ import annotations

import json
import threading
from unittest import mock

import cv2
import numpy as np
import pytest

from edgeage.errors import ImageError, UsageError
from edgeage.streaming.web import Hub


def frame_event(number):
    return {"type": "frame", "frame": number, "faces": []}


def texts(listener):
    return [json.loads(event.text) for event in listener.take()]


def test_the_picture_is_what_was_published(frame):
    hub = Hub(quality=95)
    assert hub.jpeg() == b""
    frame[:, 32:] = (0, 0, 255)
    hub.publish(frame, frame_event(1))
    shown = cv2.imdecode(np.frombuffer(hub.jpeg(), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(shown.astype(int) - frame)[:, (8, 56)].max() < 6
    assert hub.frames == 1


def test_a_frame_without_a_picture_leaves_no_old_one(frame):
    hub = Hub()
    hub.publish(frame, frame_event(1))
    hub.publish(None, {"type": "lost"})
    assert hub.jpeg()
    hub.publish(None, frame_event(2))
    assert hub.jpeg() == b""
    hub.publish(frame, frame_event(3))
    assert hub.jpeg()
    # Frames count whether or not somebody sees them, as /metrics tells.
    assert hub.frames == 3


def test_a_large_picture_is_brought_down():
    hub = Hub(max_side=320)
    hub.publish(np.zeros((720, 1280, 3), np.uint8), frame_event(1))
    shown = cv2.imdecode(np.frombuffer(hub.jpeg(), np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (180, 320, 3)


def test_a_picture_is_encoded_once_and_only_when_asked_for(frame):
    hub = Hub()
    with mock.patch.object(cv2, "imencode", wraps=cv2.imencode) as encode:
        for number in range(50):
            hub.publish(frame, frame_event(number))
        assert encode.call_count == 0
        threads = [threading.Thread(target=hub.jpeg) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert encode.call_count == 1
        hub.publish(frame, frame_event(51))
        hub.jpeg()
        assert encode.call_count == 2


def test_somebody_watches_while_they_do():
    hub = Hub()
    with hub.listen(lambda: None):
        assert not hub.watched
        with hub.listen(lambda: None, watch=True), hub.listen(lambda: None, watch=True):
            assert hub.watched
    assert not hub.watched


def test_who_is_behind_has_the_latest_frame_and_all_else():
    hub = Hub()
    with hub.listen(lambda: None) as listener:
        for number in range(1, 500):
            hub.publish(None, frame_event(number))
            if number in (100, 200):
                hub.publish(None, {"type": "lost", "track": number})
        assert texts(listener) == [
            {"type": "lost", "track": 100},
            {"type": "lost", "track": 200},
            frame_event(499),
        ]
        assert listener.take() == []


def test_a_queue_has_an_end():
    hub = Hub()
    with hub.listen(lambda: None) as listener:
        for track in range(1000):
            hub.publish(None, {"type": "lost", "track": track})
        waiting = texts(listener)
    assert len(waiting) == 64
    assert waiting[-1]["track"] == 999


def test_newcomers_are_told_where_the_stream_is(frame):
    hub = Hub()
    hub.publish(None, {"type": "start", "source": "old"})
    hub.publish(None, {"type": "end"})
    hub.publish(None, {"type": "start", "source": "new"})
    hub.publish(None, {"type": "lost", "track": 1})
    hub.publish(frame, frame_event(1))
    hub.publish(frame, frame_event(2))
    with hub.listen(lambda: None) as listener:
        assert texts(listener) == [{"type": "start", "source": "new"}, frame_event(2)]


def test_a_listener_is_woken_once_until_it_takes():
    hub, woken = Hub(), []
    with hub.listen(lambda: woken.append(1)) as listener:
        for number in range(10):
            hub.publish(None, frame_event(number))
        assert len(woken) == 1
        listener.take()
        hub.publish(None, frame_event(11))
        assert len(woken) == 2
    hub.publish(None, frame_event(12))
    assert len(woken) == 2


def test_closing_wakes_everybody():
    hub, woken = Hub(), []
    with hub.listen(lambda: woken.append(1)):
        hub.close()
        hub.close()
    assert woken
    assert hub.closed


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
        b"bytes",
    ],
    ids=["grey", "with alpha", "floats", "empty", "no array"],
)
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(ImageError, match="expected a uint8 array of shape"):
        Hub().publish(picture, frame_event(1))


def test_an_event_that_is_no_json_is_the_streams_fault():
    hub = Hub()
    with pytest.raises(ValueError, match="JSON"):
        hub.publish(None, {"type": "frame", "fps": float("nan")})
    assert hub.frames == 0


@pytest.mark.parametrize("wrong", [{"quality": 0}, {"quality": 101}, {"max_side": 4}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        Hub(**wrong)
