"""``/v1/stream`` and ``/v1/events``: what viewers get, and what they cannot do."""

from __future__ import annotations

import contextlib
import json
import threading
import time

import cv2
import httpx
import numpy as np
import pytest


def frame_event(number):
    return {"type": "frame", "frame": number, "faces": []}


def parts(response):
    """Yield the pictures of a multipart/x-mixed-replace body as they come."""
    buffer, end = b"", b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"
    for chunk in response.iter_bytes():
        # The first part's head opens the body.
        buffer += chunk if buffer else b"\r\n" + chunk
        while buffer.count(end) > 1 or (buffer.endswith(end) and buffer != end):
            data, _, rest = buffer.removeprefix(end).partition(end)
            buffer = end + rest
            yield cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def events(response):
    """Yield the events of a text/event-stream body as they come."""
    for line in response.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line[6:])


@contextlib.contextmanager
def publishing(hub, picture, every_s=0.01):
    """Publish frames from a thread while the block runs; yields what counts them."""
    stop, numbers = threading.Event(), []

    def publish():
        while not stop.wait(every_s):
            numbers.append(len(numbers) + 1)
            hub.publish(picture, frame_event(numbers[-1]))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield numbers
    finally:
        stop.set()
        thread.join()


def soon(condition, seconds=5):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def test_viewers_see_the_picture_change(serve, frame):
    served = serve(live=True)
    served.hub.publish(frame, frame_event(1))
    with served.client.stream("GET", "/v1/stream") as response:
        assert response.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        seen = parts(response)
        assert abs(int(next(seen).mean()) - 128) < 3
        served.hub.publish(frame // 2, frame_event(2))
        assert abs(int(next(seen).mean()) - 64) < 3


def test_other_programs_can_watch_too(serve, frame):
    served = serve(live=True)
    with publishing(served.hub, frame):
        video = cv2.VideoCapture(f"{served.url}v1/stream")
        read, picture = video.read()
        video.release()
    assert read
    assert abs(int(picture.mean()) - 128) < 3


def test_viewers_hear_the_events(serve, frame):
    served = serve(live=True)
    served.hub.publish(None, {"type": "start", "source": "«Kamera»"})
    with served.client.stream("GET", "/v1/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        heard = events(response)
        assert next(heard) == {"type": "start", "source": "«Kamera»"}
        for event in (frame_event(1), {"type": "lost", "track": 1}, {"type": "end"}):
            served.hub.publish(None, event)
            assert next(heard) == event


def test_a_slow_viewer_misses_frames_and_delays_nobody(serve):
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    served = serve(live=True)
    with (
        served.client.stream("GET", "/v1/stream"),
        publishing(served.hub, noise) as numbers,
        httpx.Client(base_url=served.url) as other,
        other.stream("GET", "/v1/events") as response,
    ):
        latest = [event["frame"] for event, _ in zip(events(response), range(100), strict=False)]
        # The first viewer has taken nothing of some 20 MB.
        assert latest == sorted(set(latest))
        assert numbers[-1] - latest[-1] < 50


def test_nothing_is_encoded_while_nobody_watches(serve, frame, monkeypatch):
    encoded = []
    real = cv2.imencode
    monkeypatch.setattr(cv2, "imencode", lambda *a: encoded.append(1) or real(*a))
    served = serve(live=True)
    with served.client.stream("GET", "/v1/events") as response:
        for number in range(20):
            served.hub.publish(frame, frame_event(number))
        next(events(response))
    assert not encoded
    with served.client.stream("GET", "/v1/stream") as response:
        next(parts(response))
    assert len(encoded) == 1


def test_who_leaves_is_counted_out(serve, frame):
    served = serve(live=True)
    with publishing(served.hub, frame):
        for path in ("/v1/stream", "/v1/events"):
            with served.client.stream("GET", path) as response:
                chunks = response.iter_bytes()
                next(chunks)
                assert sum(v for k, v in viewers(served).items()) == 1
            assert soon(lambda: sum(viewers(served).values()) == 0)
        assert soon(lambda: not served.hub.watched)
        assert not served.hub._listeners


def viewers(served):
    return {k: v for k, v in served.figures().items() if k.startswith("edgeage_viewers")}


def test_too_many_viewers_are_told_so(serve, frame):
    served = serve(live=True, viewers=1)
    served.hub.publish(frame, frame_event(1))
    with served.client.stream("GET", "/v1/stream") as response:
        seen = parts(response)
        next(seen)
        refused = served.client.get("/v1/events")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "5"
    assert soon(lambda: served.client.head("/v1/events").status_code == 200)


def test_without_a_stream_there_is_none(plain):
    for path in ("/v1/stream", "/v1/events"):
        refused = plain.client.get(path)
        assert refused.status_code == 404
        assert "edgeage stream --serve" in refused.json()["error"]
    assert plain.client.get("/v1/health").json()["live"] is False


def test_head_ends(serve):
    served = serve(live=True)
    for path in ("/v1/stream", "/v1/events"):
        answer = served.client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


def test_closing_the_server_ends_viewing(serve, frame):
    served = serve(live=True)
    served.hub.publish(frame, frame_event(1))
    with served.client.stream("GET", "/v1/stream") as response:
        seen = parts(response)
        next(seen)
        began = time.monotonic()
        served.server.close()
        assert list(seen) == []
    assert time.monotonic() - began < 4
    with pytest.raises(httpx.ConnectError):
        served.client.get("/v1/health")


def test_a_stream_may_outlive_its_server(serve, frame):
    served = serve(live=True)
    with publishing(served.hub, frame) as numbers:
        with served.client.stream("GET", "/v1/events") as response:
            heard = events(response)
            next(heard)
            served.server.close()
        count = len(numbers)
        assert soon(lambda: len(numbers) > count + 5)
