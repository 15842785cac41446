"""Motion JPEG over HTTP, as cameras send it, from a server on this machine that misbehaves."""

from __future__ import annotations

import http.server
import itertools
import threading

import cv2
import numpy as np
import pytest

from edgeage.errors import VideoError
from edgeage.streaming import Lost, StreamOptions, open_source
from edgeage.streaming.capture import Capture

SMALL, LARGE = (48, 64), (96, 128)


class Camera(http.server.ThreadingHTTPServer):
    """Sends a list of bodies to each who connects, and then does as it is told.

    Bodies are pictures' sizes or bytes; after them a connection ``"ends"`` or ``"stalls"``.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Connection)
        self.bodies, self.then, self.answered = [], "ends", 0
        self.over = threading.Event()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}/video"


class _Connection(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.answered += 1
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=part")
        self.end_headers()
        try:
            for body in self.server.bodies:
                data = body if isinstance(body, bytes) else jpeg(*body)
                head = f"--part\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                self.server.over.wait(0.01)
            if self.server.then == "stalls":
                self.server.over.wait(20)
        except OSError:
            pass

    def log_message(self, *_):
        pass


def jpeg(hw, level):
    return cv2.imencode(".jpg", np.full((*hw, 3), level, np.uint8))[1].tobytes()


@pytest.fixture
def camera():
    with Camera() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def watch(camera, *, losses=1, **options):
    """Take frames until the camera was lost so often; return frames and losses."""
    taken = Capture(open_source(camera.address), StreamOptions(**options))
    seen, lost = [], []
    for item in taken:
        (lost if isinstance(item, Lost) else seen).append(item)
        if len(lost) == losses:
            taken.end()
    assert taken.live
    assert [item.number for item in seen] == sorted({item.number for item in seen})
    return seen, lost


def levels(seen):
    """The pictures' levels, to the next ten, each run of equal ones once."""
    return [level for level, _ in itertools.groupby(round(s.picture.mean(), -1) for s in seen)]


@pytest.mark.parametrize(
    ("then", "reason"), [("ends", "video ended"), ("stalls", "gave no frame for 0.6 s")]
)
def test_a_camera_that_is_lost_is_tried_again(camera, then, reason):
    camera.bodies, camera.then = [*[(SMALL, 50)] * 20, *[(SMALL, 150)] * 20], then
    seen, lost = watch(camera, losses=2, stall_s=0.6)
    assert camera.answered == 2
    assert [reason in one.reason for one in lost] == [True, True]
    assert levels(seen) == [50, 150, 50, 150]


def test_garbage_on_the_way_costs_the_connection_and_no_more(camera):
    junk = np.random.default_rng(0).bytes(5000)
    camera.bodies = [*[(SMALL, 50)] * 20, junk, b"", *[(SMALL, 150)] * 20]
    seen, lost = watch(camera, losses=2)
    assert levels(seen)[0] == 50
    assert len(lost) == camera.answered == 2


def test_nothing_but_garbage_is_an_error_in_the_end(camera):
    camera.bodies = [np.random.default_rng(0).bytes(5000)] * 20
    with pytest.raises(VideoError, match=f"{camera.address} (cannot be opened|was lost and not)"):
        watch(camera, losses=99, reconnect_s=0.2)


@pytest.mark.skipif(
    tuple(map(int, cv2.__version__.split(".")[:2])) < (4, 13),
    reason="OpenCV before 4.13 ends there",
)
def test_pictures_of_another_size_come_in_the_first_ones(camera):
    """So OpenCV has it; faces, tracks and a video that is written go on."""
    camera.bodies = [*[(SMALL, 50)] * 20, *[(LARGE, 150)] * 20]
    seen, _ = watch(camera)
    assert {item.picture.shape[:2] for item in seen} == {SMALL}
    assert levels(seen) == [50, 150]
