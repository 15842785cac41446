"""The fallback: nothing lost, nothing doubled, said once, and the way back."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edgeage import Predictor
from edgeage.errors import (
    DeviceBusyError,
    DeviceLostError,
    DeviceNotFoundError,
    MissingDependencyError,
    ModelError,
    ParityError,
    ToolchainError,
    UsageError,
)
from edgeage.movidius.protocol import Limits
from edgeage.runtime.backend import Answer
from edgeage.runtime.fallback import FallbackBackend
from edgeage.runtime.myriad import MyriadBackend
from edgeage.testing import FakeBackend

AGE = FakeBackend().models[0]
GREY = np.full((40, 40, 3), 90, np.uint8)
GONE = DeviceLostError("the stick is gone; plug it in")


def batch(count: int = 1) -> np.ndarray:
    return np.zeros((count, 3, 227, 227), np.uint8)


def guarded(primary, fallback=None, **options) -> FallbackBackend:
    options = {"first_retry_s": 0.05, "longest_retry_s": 0.4, **options}
    return FallbackBackend(primary, fallback, **options)


def until(condition, within_s: float = 10.0) -> bool:
    end = time.monotonic() + within_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


@pytest.fixture
def here():
    return FakeBackend(device="HERE")


class TestRequest:
    def test_the_same_request_is_answered_and_every_later_one(self, here, caplog):
        stick = FakeBackend(device="STICK", infer_faults=[None, GONE])
        session = guarded(stick, here, first_retry_s=60).load(AGE)
        devices = [session.infer(batch(2)).devices for _ in range(4)]
        assert devices == [("STICK",) * 2] + [("HERE",) * 2] * 3
        assert session.device == "HERE"
        assert caplog.messages == ["the stick is gone; plug it in; using HERE instead"]
        session.close()

    def test_a_face_says_who_answered_it(self, here):
        stick = FakeBackend(device="STICK", infer_faults=[None, None, None, GONE])
        backend = guarded(stick, here, first_retry_s=60)
        with Predictor(detector=None, backend=backend) as predictor:
            faces = [predictor.predict(GREY)[0] for _ in range(3)]
        # The second face's gender was the stick's end.
        assert [face.device for face in faces] == ["STICK", "STICK, HERE", "HERE"]
        assert len({(face.age, face.gender) for face in faces}) == 1

    @pytest.mark.parametrize(
        "error",
        [
            ToolchainError("no tools"),
            DeviceNotFoundError("no stick"),
            DeviceBusyError("busy"),
            ModelError("corrupt blob"),
            MissingDependencyError("no depthai"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_whatever_keeps_the_device_from_opening(self, error, here, caplog):
        stick = FakeBackend(device="STICK", load_error=error)
        with Predictor(detector=None, backend=stick, fallback=here) as predictor:
            faces = [predictor.predict(GREY)[0] for _ in range(3)]
        assert {face.device for face in faces} == {"HERE"}
        warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
        assert [r.getMessage() for r in warnings] == [f"{error}; using HERE instead"]

    def test_another_error_is_not_covered_up(self, here):
        stick = FakeBackend(infer_faults=[ParityError("wrong")])
        session = guarded(stick, here).load(AGE)
        with pytest.raises(ParityError, match="wrong"):
            session.infer(batch())
        assert session.infer(batch()).devices == ("FAKE",)
        session.close()

    def test_a_second_network_that_does_not_load_takes_both(self, here):
        stick = FakeBackend(device="STICK", load_faults=[None, ModelError("corrupt")])
        with Predictor(detector=None, backend=stick, fallback=here) as predictor:
            assert predictor.predict(GREY)[0].device == predictor.device == "HERE"

    def test_a_fallback_that_is_not_there_is_found_at_the_start(self):
        broken = FakeBackend(load_error=DeviceNotFoundError("no GPU"))
        with pytest.raises(DeviceNotFoundError, match="no GPU"):
            Predictor(detector=None, backend=FakeBackend(), fallback=broken)

    def test_a_fallback_that_fails_too(self, here):
        here.infer_error = DeviceLostError("HERE is gone as well")
        session = guarded(FakeBackend(infer_error=GONE), here).load(AGE)
        for _ in range(2):
            with pytest.raises(DeviceLostError, match="HERE is gone as well"):
                session.infer(batch())
        session.close()

    def test_is_opened_at_the_start_not_in_a_requests_time(self, here):
        guarded(FakeBackend(), here).load(AGE).close()
        assert len(here.means) == 1

    def test_many_threads_one_event(self, here, caplog):
        faults = itertools.chain([None] * 40, itertools.repeat(GONE))
        session = guarded(
            FakeBackend(device="STICK", infer_faults=faults), here, first_retry_s=60
        ).load(AGE)
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: session.infer(batch()), range(200)))
        assert all(answer.probabilities.shape == (1, 9) for answer in answers)
        assert [answer.devices[0] for answer in answers].count("STICK") == 40
        assert len(caplog.messages) == 1
        session.close()


class TestReturn:
    def test_the_device_is_taken_back_by_every_network(self, here, caplog):
        caplog.set_level(logging.INFO, "edgeage")
        stick = FakeBackend(
            device="STICK",
            infer_faults=[None, GONE],
            load_faults=[None, None, DeviceNotFoundError("not yet"), None, GONE],
        )
        with Predictor(detector=None, backend=guarded(stick, here)) as predictor:
            assert predictor.predict(GREY)[0].device == "STICK, HERE"
            assert until(lambda: predictor.predict(GREY)[0].device == "STICK")
        texts = [message for message in caplog.messages if "fake" not in message]
        assert texts == [
            "the stick is gone; plug it in; using HERE instead", "STICK is back after 0 s",
        ]  # fmt: skip

    def test_not_in_a_requests_time(self, here):
        class Slow(FakeBackend):
            def load(self, manifest, *, mean=None):
                if self.means:
                    time.sleep(1.0)
                return super().load(manifest, mean=mean)

        stick = Slow(device="STICK", infer_faults=[GONE])
        session = guarded(stick, here).load(AGE)
        slowest, devices = 0.0, []
        while "STICK" not in devices:
            started = time.monotonic()
            devices += session.infer(batch()).devices
            slowest = max(slowest, time.monotonic() - started)
        assert slowest < 0.9
        assert set(devices[:-1]) == {"HERE"}
        session.close()

    def test_with_longer_and_longer_waits(self, here):
        class Counting(FakeBackend):
            times: list[float]

            def load(self, manifest, *, mean=None):
                self.times.append(time.monotonic())
                return super().load(manifest, mean=mean)

        stick = Counting(load_error=GONE)
        stick.times = []
        session = guarded(stick, here, first_retry_s=0.1, longest_retry_s=0.4).load(AGE)
        assert until(lambda: len(stick.times) >= 6)
        session.close()
        waits = np.diff(stick.times)[:5]
        for wait, least in zip(waits, (0.1, 0.2, 0.4, 0.4, 0.4), strict=True):
            assert least * 0.95 <= wait < least + 0.35

    def test_one_that_comes_and_goes_waits_longer_and_longer(self, here):
        stick = FakeBackend(device="STICK", infer_error=GONE)
        backend = guarded(stick, here, longest_retry_s=30)
        session = backend.load(AGE)
        for _ in range(3):
            session.infer(batch())
            assert until(lambda: session.device == "STICK")
        assert backend._wait_s == pytest.approx(0.05 * 2**3)
        session.close()

    @pytest.mark.parametrize("error", [ToolchainError("no tools"), ModelError("corrupt")])
    def test_what_waiting_does_not_mend_is_not_tried_again(self, error, here):
        stick = FakeBackend(load_faults=[error])
        session = guarded(stick, here).load(AGE)
        time.sleep(0.3)
        assert session.device == "HERE"
        session.close()

    def test_closing_ends_the_tries(self, here):
        loads = itertools.chain(itertools.repeat(GONE, 1000))
        stick = FakeBackend(load_faults=loads)
        session = guarded(stick, here).load(AGE)
        session.close()
        session.close()
        left = len(list(loads))
        time.sleep(0.3)
        assert left > 900
        with pytest.raises(UsageError, match="this session is closed"):
            session.infer(batch())

    def test_a_session_closed_under_a_threads_hands_costs_no_answer(self, here):
        """One thread finds the stick gone while another is about to use it."""
        entered, go = threading.Event(), threading.Event()

        class Waiting(FakeBackend):
            def load(self, manifest, *, mean=None):
                session = super().load(manifest, mean=mean)
                infer = session.infer

                def wait(pictures) -> Answer:
                    if len(pictures) == 2:
                        entered.set()
                        go.wait(10)
                    return infer(pictures)

                session.infer = wait
                return session

        stick = Waiting(device="STICK", infer_faults=[GONE])
        session = guarded(stick, here, first_retry_s=60).load(AGE)
        with ThreadPoolExecutor(1) as thread:
            slow = thread.submit(session.infer, batch(2))
            assert entered.wait(10)
            assert session.infer(batch()).devices == ("HERE",)
            time.sleep(0.1)
            go.set()
            assert slow.result(10).devices == ("HERE", "HERE")
        session.close()

    def test_a_late_report_of_an_old_session_does_not_take_the_new_one_out(self, here):
        stick = FakeBackend(device="STICK", infer_faults=[GONE])
        backend = guarded(stick, here)
        session = backend.load(AGE)
        old = session.main
        session.infer(batch())
        assert until(lambda: session.device == "STICK")
        backend.give_up(GONE, old)
        assert backend.outage is None
        assert session.infer(batch()).devices == ("STICK",)
        session.close()


class TestNoFallback:
    def test_a_clear_error_then_the_device_again(self):
        stick = FakeBackend(
            device="MYRIAD", infer_faults=[None, None, GONE], load_faults=[None] * 2
        )
        with Predictor(detector=None, backend=guarded(stick)) as predictor:
            assert predictor.predict(GREY)[0].device == "MYRIAD"
            with pytest.raises(DeviceLostError, match="the stick is gone; plug it in"):
                predictor.predict(GREY)
            assert until(lambda: predictor.device == "MYRIAD" and _answers(predictor))

    def test_a_stick_is_guarded_without_being_asked(self):
        stick = FakeBackend(device="MYRIAD", infer_faults=[GONE])
        with Predictor(detector=None, backend=stick) as predictor:
            with pytest.raises(DeviceLostError):
                predictor.predict(GREY)
            # While it is away, at once, with the same reason.
            with pytest.raises(DeviceLostError, match="the stick is gone"):
                predictor.predict(GREY)
            assert until(lambda: _answers(predictor))


def _answers(predictor) -> bool:
    try:
        return bool(predictor.predict(GREY))
    except DeviceLostError:
        return False


class Numbers(FakeBackend):
    """Answers as the stand-in does: with the number a picture holds."""

    def load(self, manifest, *, mean=None):
        session = super().load(manifest, mean=mean)

        def infer(pictures) -> Answer:
            answer = np.zeros((len(pictures), len(manifest.labels)), np.float32)
            answer[:, 0] = pictures[:, 0, 0, 0] + 256.0 * pictures[:, 0, 0, 1]
            return Answer({manifest.output_name: answer}, (self.device,) * len(pictures))

        session.infer = infer
        return session


def test_a_worker_that_dies_again_and_again_costs_no_answer(standin, numbered, caplog):
    """A fault every hundred requests: killed, stopped, an error of the stick, garbage."""
    limits = Limits(start_s=30, load_s=30, request_s=10, silence_s=1.0, beat_s=0.05)
    stick = MyriadBackend(python=standin.python, limits=limits)
    session = guarded(stick, Numbers(device="CPU"), longest_retry_s=0.05).load(standin.model())
    rng, number, devices = random.Random(0), 0, []
    for fault in (signal.SIGKILL, signal.SIGSTOP, "error", signal.SIGKILL, "garbage", None):
        assert until(lambda: session.device == "MYRIAD", 30)
        for request in range(100):
            if request == 50:
                _break(session, fault, standin)
            count = rng.randint(1, 6)
            answer = session.infer(numbered(range(number, number + count)))
            assert answer.probabilities[:, 0].tolist() == list(range(number, number + count))
            number, devices = number + count, [*devices, *answer.devices]
        (standin.folder / "run_error").unlink(missing_ok=True)
    session.close()
    assert len(devices) == number
    assert set(devices) == {"MYRIAD", "CPU"}
    assert sum(message.endswith("using CPU instead") for message in caplog.messages) == 5


def _break(session, fault, standin) -> None:
    worker = session.main.pool.networks[0].worker
    if fault == "error":
        standin.tell(run_error="Failed to read output from FIFO: NC_ERROR")
    elif fault == "garbage":
        worker._process._process.stdin.write(b"\0" * 64)
        worker._process._process.stdin.flush()
    elif fault is not None:
        os.kill(worker.pid, fault)


def test_the_files_are_kept_for_a_stick_that_comes_back(standin, monkeypatch):
    """Released models in a temporary folder live as long as the Predictor."""
    from edgeage.compiler import released

    manifest = standin.model()
    left = []

    @contextlib.contextmanager
    def models(target="CPU", names=None):
        yield [manifest]
        left.append(target)

    monkeypatch.setattr(released, "released_models", models)
    stick = MyriadBackend(python=standin.python)
    predictor = Predictor(detector=None, backend=stick, fallback=Numbers(device="CPU"))
    assert predictor.device == "MYRIAD"
    assert left == []
    predictor.close()
    assert left == ["MYRIAD"]
