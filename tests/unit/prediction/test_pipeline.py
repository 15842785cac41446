"""Stages that overlap: order, bounds, errors in their place, and no thread left behind."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import threading
import time
import weakref

import pytest

from edgeage.prediction.pipeline import Pipeline, Stage


class Thing:
    """An item that notes what was done to it."""

    def __init__(self, number: int, weight: int = 1) -> None:
        self.number, self.weight = number, weight
        self.done: list[str] = []


def things(count: int, taken: list[int] | None = None):
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield Thing(number)


def mark(name: str, delay_s=lambda thing: 0.0):
    def work(items):
        for item in items:
            time.sleep(delay_s(item))
            item.done.append(name)

    return work


def own_threads() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith("edgeage ")}


def soon(condition, limit_s: float = 5.0) -> bool:
    end = time.monotonic() + limit_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert soon(lambda: own_threads() == set()), own_threads()


@pytest.mark.parametrize("ahead", [1, 3, 100])
@pytest.mark.parametrize("workers", [1, 4])
def test_every_item_goes_through_every_stage_and_comes_back_in_order(ahead, workers):
    def uneven_s(thing):
        return (thing.number * 7 % 5) / 2000

    stages = [
        Stage("a", mark("a", uneven_s), workers=workers),
        Stage("b", mark("b"), limit=4),
        Stage("c", mark("c", uneven_s), limit=2, workers=workers),
    ]
    found = list(Pipeline(things(40), stages, ahead=ahead))
    assert [thing.number for thing in found] == list(range(40))
    assert all(thing.done == ["a", "b", "c"] for thing in found)


def test_nothing_gives_nothing():
    assert list(Pipeline([], [Stage("a", mark("a"))], ahead=4)) == []


def test_no_thread_runs_before_the_first_item_is_asked_for():
    taken = []
    iterator = iter(Pipeline(things(5, taken), [Stage("a", mark("a"))], ahead=4))
    assert (own_threads(), taken) == (set(), [])
    assert next(iterator).number == 0
    assert own_threads() == {"edgeage source", "edgeage a"}
    iterator.close()
    assert own_threads() == set()


@pytest.mark.parametrize("ahead", [1, 2, 7])
def test_no_more_is_taken_than_allowed(ahead):
    taken = []
    stages = [Stage("a", mark("a"), limit=100), Stage("b", mark("b"), limit=100)]
    for given, _ in enumerate(Pipeline(things(20, taken), stages, ahead=ahead), 1):
        most = min(given + ahead, 20)
        soon(lambda most=most: len(taken) >= most, 0.05)
        assert len(taken) <= given + ahead
    assert len(taken) == 20


def test_what_may_be_taken_is_taken_while_the_reader_is_busy():
    taken = []
    iterator = iter(Pipeline(things(20, taken), [Stage("a", mark("a"), limit=9)], ahead=5))
    next(iterator)
    assert soon(lambda: len(taken) == 6)
    iterator.close()


def test_stages_overlap():
    """Each of two stages waits for the other to be at work on another item."""
    meeting = threading.Barrier(2)

    def meet(items):
        for item in items:
            # The first item of a stage, and the last of the other, has nobody to meet.
            if (item.number, threading.current_thread().name) not in {
                (0, "edgeage a"), (5, "edgeage b"),
            }:  # fmt: skip
                meeting.wait(10)

    stages = [Stage("a", meet), Stage("b", meet)]
    assert len(list(Pipeline(things(6), stages, ahead=4))) == 6


def test_what_piles_up_is_taken_together_up_to_the_limit():
    gate, batches = threading.Event(), []

    def work(items):
        batches.append([item.weight for item in items])
        gate.wait(3)

    def source():
        for number, weight in enumerate([1, 2, 2, 0, 1, 9, 1, 4]):
            yield Thing(number, weight)
            assert soon(lambda: batches != [])

    stage = Stage("a", work, lambda item: item.weight, 4)
    found = []
    reader = threading.Thread(target=lambda: found.extend(Pipeline(source(), [stage], ahead=9)))
    reader.start()
    assert soon(lambda: batches == [[1]])
    time.sleep(0.05)
    gate.set()
    reader.join(10)
    assert [item.number for item in found] == list(range(8))
    assert batches[:2] == [[1], [2, 2]]
    assert [9] in batches
    assert all(sum(batch) <= 4 for batch in batches if batch != [9])


def test_a_stage_hands_on_only_where_there_is_room():
    gate, made = threading.Event(), []

    def make(items):
        made.extend(items)

    stages = [Stage("make", make), Stage("use", lambda _: gate.wait(3), limit=2)]
    iterator = iter(Pipeline(things(50), stages, ahead=50))
    reader = threading.Thread(target=lambda: list(iterator))
    reader.start()
    soon(lambda: len(made) >= 6, 0.2)
    # One or two in use, two waiting, one finished and not yet handed on.
    assert 3 <= len(made) <= 5
    gate.set()
    reader.join(10)
    assert len(made) == 50


class TestErrors:
    def test_of_the_source_come_after_what_was_before_them(self):
        def source():
            yield from things(3)
            raise OSError("camera gone")

        iterator = iter(Pipeline(source(), [Stage("a", mark("a"))], ahead=9))
        assert [next(iterator).number for _ in range(3)] == [0, 1, 2]
        with pytest.raises(OSError, match="camera gone"):
            next(iterator)
        assert own_threads() == set()

    def test_of_a_source_that_is_none(self):
        with pytest.raises(TypeError):
            list(Pipeline(5, [Stage("a", mark("a"))], ahead=9))

    @pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), MemoryError()], ids=repr)
    @pytest.mark.parametrize("failing", [0, 1, 2])
    def test_of_a_stage_come_in_their_place(self, failing, error):
        def work(items):
            if any(item.number == 4 for item in items):
                raise error

        stages = [Stage(str(n), work if n == failing else mark("")) for n in range(3)]
        iterator = iter(Pipeline(things(9), stages, ahead=9))
        assert [next(iterator).number for _ in range(4)] == [0, 1, 2, 3]
        with pytest.raises(type(error)):
            next(iterator)
        assert own_threads() == set()
        assert list(iterator) == []


class TestStopping:
    def endless(self):
        return (Thing(number) for number in itertools.count())

    def test_closing_the_iteration_ends_the_threads(self):
        stages = [Stage("a", mark("a"), workers=3), Stage("b", mark("b", lambda _: 0.002))]
        iterator = iter(Pipeline(self.endless(), stages, ahead=20))
        assert next(iterator).number == 0
        iterator.close()
        assert own_threads() == set()

    def test_dropping_the_iteration_ends_the_threads(self):
        iterator = iter(Pipeline(self.endless(), [Stage("a", mark("a"))], ahead=20))
        next(iterator)
        del iterator
        gc.collect()
        assert soon(lambda: own_threads() == set())

    def test_a_reason_is_raised_instead_of_the_next_item(self):
        pipeline = Pipeline(self.endless(), [Stage("a", mark("a"))], ahead=4)
        iterator = iter(pipeline)
        next(iterator)
        pipeline.stop(ValueError("closed"))
        assert own_threads() == set()
        with pytest.raises(ValueError, match="closed"):
            next(iterator)

    def test_a_reason_wakes_who_waits(self):
        never = threading.Event()

        def source():
            yield Thing(0)
            never.wait(20)

        pipeline = Pipeline(source(), [Stage("a", mark("a"))], ahead=4)
        threading.Timer(0.05, pipeline.stop, [ValueError("closed")]).start()
        with pytest.raises(ValueError, match="closed"):
            list(pipeline)
        assert own_threads() <= {"edgeage source"}
        never.set()

    def test_from_within_the_source(self):
        def source():
            yield Thing(0)
            pipeline.stop(ValueError("closed"))
            yield Thing(1)

        pipeline = Pipeline(source(), [Stage("a", mark("a"))], ahead=4)
        with pytest.raises(ValueError, match="closed"):
            list(pipeline)

    def test_a_source_that_does_not_return_holds_nobody_up(self):
        never, began = threading.Event(), time.monotonic()

        def source():
            yield Thing(0)
            never.wait(20)

        iterator = iter(Pipeline(source(), [Stage("a", mark("a"))], ahead=4))
        next(iterator)
        iterator.close()
        assert time.monotonic() - began < 5
        assert own_threads() == {"edgeage source"}
        never.set()


def test_an_item_that_was_given_out_is_not_kept():
    """Neither by the stage that had it last nor by the iteration that waits for the next."""
    last, refs = threading.Event(), []

    def source():
        yield Thing(0)
        last.wait(10)

    def read():
        for thing in Pipeline(source(), [Stage("a", mark("a"))], ahead=3):
            refs.append(weakref.ref(thing))
            del thing

    reader = threading.Thread(target=read)
    reader.start()
    assert soon(lambda: bool(refs) and refs[0]() is None)
    last.set()
    reader.join(10)


def test_python_ends_though_an_iteration_is_left_open():
    program = (
        "import atexit, itertools, threading, time\n"
        "from edgeage.prediction.pipeline import Pipeline, Stage\n"
        "atexit.register(lambda: print(threading.active_count()))\n"
        "stage = Stage('a', lambda items: time.sleep(0.01))\n"
        "iterator = iter(Pipeline(({'n': n} for n in itertools.count()), [stage], ahead=4))\n"
        "print(next(iterator)['n'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n1\n", "")
