"""Requests shared by threads: order, copies, failures, and nobody who waits for ever."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeage.errors import UsageError
from edgeage.runtime.requests import RequestPool, even_sizes


class Request:
    """Answers the first byte of every picture; a picture of 255 fails."""

    def __init__(self, device):
        self.device = device
        device.made += 1

    def start_async(self, inputs, share_inputs):
        assert share_inputs
        self.pixels, self.flies = inputs[0], True
        with self.device.lock:
            self.device.flying += 1
            self.device.most = max(self.device.most, self.device.flying)

    def infer(self, inputs, share_inputs):
        self.start_async(inputs, share_inputs)
        self.device.alone += 1
        self.wait()

    def wait(self):
        with self.device.lock:
            self.device.flying -= self.flies
            self.flies = False
        if (self.pixels == 255).any():
            raise RuntimeError("it broke")

    @property
    def output_tensors(self):
        self.device.answer[:] = 0
        data = self.device.answer[: len(self.pixels)]
        data[:, 0] = self.pixels[:, 0, 0, 0]
        return [SimpleNamespace(data=data)]


class Device:
    made = flying = most = alone = 0

    def __init__(self):
        self.lock, self.answer = threading.Lock(), np.empty((8, 2), np.float16)

    def create_infer_request(self):
        return Request(self)


@pytest.fixture
def device():
    return Device()


def parts(*numbers: int) -> list[np.ndarray]:
    return [np.full((1, 3, 2, 2), number, np.uint8) for number in numbers]


def test_answers_come_in_order_and_are_copies(device):
    answers = RequestPool(device, 3).run(parts(*range(10)))
    assert [outputs[0].tolist() for outputs in answers] == [[[n, 0]] for n in range(10)]
    assert answers[0][0].dtype == np.float32
    assert (device.made, device.most, device.flying) == (3, 3, 0)


@pytest.mark.parametrize(("limit", "count", "alone"), [(1, 3, 3), (3, 1, 1), (3, 2, 0)])
def test_what_runs_alone_runs_in_its_own_thread(limit, count, alone, device):
    answers = RequestPool(device, limit).run(parts(*range(count)))
    assert [outputs[0].tolist() for outputs in answers] == [[[n, 0]] for n in range(count)]
    assert device.alone == alone


@pytest.mark.parametrize("limit", [1, 2])
def test_a_failure_alone_leaves_the_request_free_again(limit, device):
    pool = RequestPool(device, limit)
    with pytest.raises(RuntimeError, match="it broke"):
        pool.run(parts(255))
    assert pool.run(parts(4))[0][0][0, 0] == 4
    assert device.made == 1


def test_nothing_is_nothing(device):
    assert RequestPool(device, 2).run([]) == []
    assert device.made == 0


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_threads_share_the_requests_and_all_get_theirs(limit, device):
    pool, found = RequestPool(device, limit), {}

    def work(number: int) -> None:
        for _ in range(20):
            rows = pool.run(parts(*[number] * 5))
            found.setdefault(number, []).extend(outputs[0][0, 0] for outputs in rows)

    # The answer's memory is one for all here, so that only one at a time may be copied.
    if limit > 1:
        device.answer = _PerThread()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == {number: [number] * 100 for number in range(6)}
    assert device.most <= device.made <= limit


class _PerThread(threading.local):
    def __init__(self):
        self.data = np.empty((8, 2), np.float16)

    def __getitem__(self, key):
        return self.data[key]

    def __setitem__(self, key, value):
        self.data[key] = value


def test_a_failure_leaves_every_request_free_again(device):
    pool = RequestPool(device, 2)
    with pytest.raises(RuntimeError, match="it broke"):
        pool.run(parts(1, 255, 2, 3))
    assert device.flying == 0
    assert [outputs[0][0, 0] for outputs in pool.run(parts(4, 5, 6))] == [4, 5, 6]
    assert device.made == 2


def test_closed_wakes_who_waits(device):
    pool, told = RequestPool(device, 1), []
    held = pool._take(wait=True)

    def wait() -> None:
        with pytest.raises(UsageError, match="closed"):
            pool.run(parts(1))
        told.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    pool.close()
    pool.close()
    thread.join(5)
    pool._give(held)
    assert told == [True]
    assert pool.compiled is None
    assert pool._free == []


@given(st.integers(0, 200), st.integers(1, 16), st.integers(1, 9))
def test_parts_are_even_and_keep_all_lanes_busy(count, most, lanes):
    sizes = even_sizes(count, most, lanes)
    assert sum(sizes) == count
    assert all(1 <= size <= most for size in sizes)
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
    assert len(sizes) % lanes == 0 or len(sizes) == count
