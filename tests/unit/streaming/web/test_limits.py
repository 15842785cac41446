"""What a client may ask: the rate, the budgets, the settings' own limits."""

from __future__ import annotations

import pytest

from edgeage.errors import UsageError
from edgeage.streaming.web import WebSettings
from edgeage.streaming.web.limits import Budget, RateLimit, whole_seconds
from edgeage.streaming.web.settings import is_local


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_burst_and_then_the_rate():
    clock = Clock()
    limit = RateLimit(rate=2, burst=3, clock=clock)
    assert [limit.wait_seconds("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert limit.wait_seconds("b") == 0
    clock.now = 0.5
    assert [limit.wait_seconds("a") for _ in range(2)] == [0, 0.5]
    clock.now = 1000
    assert [limit.wait_seconds("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_no_rate_is_no_limit():
    limit = RateLimit(rate=0, burst=1)
    assert not any(limit.wait_seconds("a") for _ in range(1000))


def test_clients_without_number_take_no_memory_without_end():
    limit = RateLimit(rate=1, burst=1, clock=Clock())
    for number in range(20_000):
        limit.wait_seconds(str(number))
    assert len(limit._buckets) <= 4096
    assert limit.wait_seconds("19999") == 1


def test_a_budget_is_given_back_whatever_happens():
    budget = Budget(10)
    with pytest.raises(RuntimeError), budget.part() as part:
        assert part.grow(7)
        assert not part.grow(4)
        assert part.grow(3)
        assert budget.used == 10
        raise RuntimeError
    assert budget.used == 0


def test_seconds_are_whole_and_never_none():
    assert [whole_seconds(s) for s in (0.001, 1, 1.2)] == ["1", "1", "2"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"queue": 0},
        {"max_body_bytes": 0},
        {"max_pixels": -1},
        {"rate": -1},
        {"rate": float("nan")},
        {"read_seconds": 0},
        {"answer_seconds": float("nan")},
        {"token": "short"},
        {"token": "with a space in it"},
        {"token": "ümläutümläutümläut"},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        WebSettings(**wrong)


def test_a_token_is_not_shown():
    assert "secret" not in repr(WebSettings(token="secret-secret-secret"))


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.7", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("", False),
    ],
)
def test_what_is_this_machine(name, local):
    assert is_local(name) is local
