"""Progress: plain lines, not too many, with the figures right; a bar on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from edgeage.cli import progress
from edgeage.cli.progress import ProgressBar


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock)
    return clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_come_every_ten_seconds_and_at_the_end(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressBar("decoding", unit="img") as bar:
        for done in range(1, 26):
            clock.now += 1
            bar.update(done, 25)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "decoding: 10/25 img, 1.0 img/s, 15 s left",
        "decoding: 20/25 img, 1.0 img/s, 5 s left",
        "decoding: 25/25 img, 1.0 img/s, 0 s left",
    ]


def test_what_an_earlier_run_did_is_not_in_the_rate(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressBar("training") as bar:
        bar.start_at(1000)
        clock.now += 10
        bar.update(1020, 1100, note="loss 1.25")
    assert capsys.readouterr().err == "training: 1020/1100 it, 2.0 it/s, 40 s left, loss 1.25\n"


def test_without_a_total_there_is_no_time_left(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressBar("reading", unit="file") as bar:
        clock.now += 10
        bar.update(5)
    assert capsys.readouterr().err == "reading: 5 file, 0.5 file/s\n"


def test_nothing_done_divides_by_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("empty") as bar:
        bar.update(0, 0)
    assert capsys.readouterr().err == "empty: 0 it, 0.0 it/s\n"


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressBar("decoding", unit="img") as bar:
        bar.start_at(2)
        bar.update(3, 4)
        bar.update(4, 4, note="loss 0.5")
    shown = terminal.getvalue()
    assert "\r" in shown
    assert "decoding" in shown
    assert "4/4" in shown
    assert "loss 0.5" in shown


def test_a_terminal_without_tqdm_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with ProgressBar("decoding", unit="img") as bar:
        bar.update(4, 4)
    assert terminal.getvalue().startswith("decoding: 4/4 img")
