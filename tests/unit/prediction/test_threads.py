"""Threads that are used again: no more of them than jobs at once, and none after the end."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import numpy as np

from edgeage import Predictor
from edgeage.prediction.threads import Threads
from edgeage.testing import FakeBackend


def started(monkeypatch) -> list[threading.Thread]:
    """Every thread that is started from now on."""
    begun, start = [], threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda t: (begun.append(t), start(t))[1])
    return begun


def test_a_free_thread_takes_the_next_job(monkeypatch):
    begun, names = started(monkeypatch), []
    with Threads() as threads:
        for number in range(20):
            threads.start(
                f"job {number}", lambda: names.append(threading.current_thread().name)
            ).wait()
    assert names == [f"job {number}" for number in range(20)]
    assert len(begun) == 1


def test_jobs_at_once_have_a_thread_each(monkeypatch):
    begun, meeting = started(monkeypatch), threading.Barrier(4)
    with Threads() as threads:
        for _ in range(3):
            jobs = [threads.start("meet", meeting.wait, 20) for _ in range(4)]
            for job in jobs:
                job.wait()
    assert len(begun) == 4
    assert not any(thread.is_alive() for thread in begun)


def test_a_job_outlasts_the_end_and_its_thread_does_not_outlast_the_job(monkeypatch):
    begun, gate = started(monkeypatch), threading.Event()
    threads = Threads()
    job = threads.start("slow", gate.wait, 20)
    threads.close()
    assert begun[0].is_alive()
    gate.set()
    job.wait()
    begun[0].join(20)
    assert not begun[0].is_alive()


def test_after_the_end_a_job_has_a_thread_of_its_own():
    threads = Threads()
    threads.start("first", int).wait()
    threads.close()
    threads.close()
    done = threading.Event()
    threads.start("late", done.set).wait(20)
    assert done.is_set()


def test_a_wait_has_its_time_and_a_job_does_not_wait_for_itself():
    gate, itself = threading.Event(), []
    with Threads() as threads:
        slow = threads.start("slow", gate.wait, 20)
        began = time.monotonic()
        slow.wait(0.05)
        assert 0.04 < time.monotonic() - began < 10
        gate.set()
        slow.wait()
        ready, past = threading.Event(), threading.Event()

        def wait_for_itself() -> None:
            ready.wait(20)
            itself[0].wait()
            past.set()

        itself.append(threads.start("itself", wait_for_itself))
        ready.set()
        assert past.wait(20)


def test_what_a_job_worked_on_is_not_kept():
    class Load:
        def work(self) -> None: ...

    load = Load()
    gone = weakref.ref(load)
    with Threads() as threads:
        job = threads.start("load", load.work)
        job.wait()
        del load
        deadline = time.monotonic() + 10
        while gone() is not None and time.monotonic() < deadline:
            gc.collect()
            time.sleep(0.01)
        assert gone() is None


PICTURE = np.zeros((64, 64, 3), np.uint8)


def test_a_predictor_begins_no_threads_for_its_next_stream(monkeypatch):
    begun = started(monkeypatch)
    with Predictor(backend=FakeBackend(), detector=None) as predictor:
        predictor.predict_batch([PICTURE] * 3)
        first = len(begun)
        assert first > 1
        for _ in range(5):
            predictor.predict_batch([PICTURE] * 3)
        unread = predictor.stream([PICTURE] * 40)
        next(unread)
        unread.close()
        predictor.predict_batch([PICTURE] * 3)
        assert len(begun) == first
    assert not any(thread.is_alive() for thread in begun)


def test_a_predictor_dropped_unclosed_gives_its_threads_back(monkeypatch):
    begun = started(monkeypatch)
    predictor = Predictor(backend=FakeBackend(), detector=None)
    predictor.predict_batch([PICTURE] * 3)
    del predictor
    gc.collect()
    for thread in begun:
        thread.join(20)
    assert not any(thread.is_alive() for thread in begun)
