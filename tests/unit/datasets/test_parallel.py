from __future__ import annotations

import threading
import time

import pytest

from edgeage.datasets.parallel import ordered_map


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_results_keep_the_order_of_the_items(workers: int) -> None:
    def slow_for_even(item: int) -> int:
        time.sleep(0.002 * (item % 2 == 0))
        return item * item

    assert list(ordered_map(slow_for_even, range(40), workers)) == [n * n for n in range(40)]


@pytest.mark.parametrize("workers", [1, 3])
def test_items_are_not_taken_far_ahead_of_their_use(workers: int) -> None:
    taken = 0

    def items() -> object:
        nonlocal taken
        while taken < 5000:
            taken += 1
            yield taken

    results = ordered_map(lambda item: item, items(), workers, ahead=4)
    for used in range(1, 30):
        next(results)
        assert taken - used < workers * 4
    results.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_comes_through_and_no_thread_stays(workers: int) -> None:
    def fail(item: int) -> int:
        if item == 5:
            raise ValueError("five")
        return item

    before = threading.active_count()
    with pytest.raises(ValueError, match="five"):
        list(ordered_map(fail, range(100), workers))
    assert threading.active_count() == before
