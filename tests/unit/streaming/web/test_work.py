"""The predictor's queue: together, in bounds, and honest about a device that fails."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import time

import httpx
import pytest

from edgeage.errors import DeviceLostError, ModelError
from edgeage.faces import Detection
from edgeage.testing import FakeBackend, FakeDetector


@contextlib.contextmanager
def held():
    """A detector that waits until the block ends or ``open.set()``."""
    opened, begun = threading.Event(), threading.Event()

    def find(_):
        begun.set()
        opened.wait(20)
        return [Detection((10, 10, 40, 50), 0.9)]

    detector = FakeDetector(find)
    detector.open, detector.begun = opened, begun
    try:
        yield detector
    finally:
        opened.set()


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(40) as executor:
        yield executor


def waiting(served, count):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if served.client.get("/v1/health").json()["waiting"] == count:
            return True
        time.sleep(0.01)
    return False


def test_more_than_may_wait_are_turned_away(serve, png, pool):
    with held() as detector:
        served = serve(detector=detector, queue=3)
        first = pool.submit(served.send, png)
        assert detector.begun.wait(10)
        queued = [pool.submit(served.send, png) for _ in range(3)]
        assert waiting(served, 3)
        refused = served.send(png)
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert served.figures()["edgeage_queue_pictures{}"] == 3
        detector.open.set()
        assert [future.result().status_code for future in (first, *queued)] == [200] * 4
    assert served.client.get("/v1/health").json()["waiting"] == 0


def test_those_that_wait_go_together(serve, png, pool, monkeypatch):
    sizes = []
    with held() as detector:
        served = serve(detector=detector, queue=8)
        stream = served.predictor.stream
        monkeypatch.setattr(
            served.predictor, "stream", lambda s, **k: sizes.append(len(s)) or stream(s, **k)
        )
        first = pool.submit(served.send, png)
        assert detector.begun.wait(10)
        others = [pool.submit(served.send, png) for _ in range(6)]
        assert waiting(served, 6)
        detector.open.set()
        assert {future.result().status_code for future in (first, *others)} == {200}
    assert sizes == [1, 6]


def test_an_answer_that_takes_too_long(serve, png, pool):
    with held() as detector:
        served = serve(detector=detector, answer_seconds=1.5)
        late = served.send(png)
        assert late.status_code == 503
        assert "1.5 seconds" in late.json()["error"]
        dropped = served.send(png)
        assert dropped.status_code == 503
        detector.open.set()
        assert waiting(served, 0)
        assert served.send(png).status_code == 200
    # The second was given up before its turn, so it cost nothing.
    assert sum(detector.batches) == 2


def test_the_others_are_answered_meanwhile(serve, png, pool):
    with held() as detector:
        served = serve(detector=detector)
        slow = pool.submit(served.send, png)
        assert detector.begun.wait(10)
        began = time.monotonic()
        assert served.client.get("/v1/health").status_code == 200
        assert served.client.get("/").status_code == 200
        assert time.monotonic() - began < 2
        detector.open.set()
        assert slow.result().status_code == 200


def test_a_device_that_fails_is_told_and_works_again(serve, png):
    backend = FakeBackend(infer_faults=[DeviceLostError("the stick was pulled out")])
    served = serve(backend=backend)
    failed = served.send(png)
    assert failed.status_code == 503
    assert failed.json() == {"error": "the stick was pulled out"}
    assert failed.headers["retry-after"] == "5"
    health = served.client.get("/v1/health")
    assert (health.status_code, health.json()["status"]) == (503, "failing")
    assert health.json()["error"] == "the stick was pulled out"
    assert served.send(png).status_code == 200
    assert served.client.get("/v1/health").json()["status"] == "ok"


def test_a_model_that_is_missing_is_the_servers_fault(serve, png):
    served = serve(detector=FakeDetector(faults=[ModelError("the detector's network is damaged")]))
    failed = served.send(png)
    assert failed.status_code == 500
    assert failed.json() == {"error": "the detector's network is damaged"}
    assert served.send(png).status_code == 200


def test_a_defect_is_one_line_for_the_client_and_ends_nothing(serve, png, caplog):
    served = serve(detector=FakeDetector(faults=[ZeroDivisionError("of ours")]))
    failed = served.send(png)
    assert failed.status_code == 500
    assert failed.json() == {"error": "a defect of the server; its log tells more"}
    # It is logged after it is answered.
    until = time.monotonic() + 10
    while "ZeroDivisionError: of ours" not in caplog.text and time.monotonic() < until:
        time.sleep(0.01)
    assert "ZeroDivisionError: of ours" in caplog.text
    assert served.send(png).status_code == 200


def test_a_closed_predictor(serve, png):
    served = serve()
    served.predictor.close()
    refused = served.send(png)
    assert refused.status_code == 503
    assert "closed" in refused.json()["error"]


def test_a_client_that_leaves_takes_nothing_with_it(serve, png):
    with held() as detector:
        served = serve(detector=detector)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{served.url}v1/predict", files={"image": png}, timeout=0.3)
        detector.open.set()
        assert served.send(png).status_code == 200


def test_a_bad_picture_spoils_no_other(serve, png, pool):
    served = serve(queue=64)
    kinds = [png, b"no picture", png[:100]] * 8
    answers = [f.result() for f in [pool.submit(served.send, data) for data in kinds]]
    assert [answer.status_code for answer in answers] == [200, 422, 422] * 8
    figures = served.figures()
    assert figures["edgeage_pictures_total{result=analysed}"] == 8
    assert figures["edgeage_pictures_total{result=failed}"] == 16
    assert figures["edgeage_faces_total{device=FAKE}"] == 8
