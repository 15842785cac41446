"""Progress on stderr: a bar with rate and ETA on a terminal, plain lines otherwise."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

import click

from edgeage.closing import Closing

__all__ = ["ProgressBar"]

_LINE_EVERY_SECONDS = 10.0


class ProgressBar(Closing):
    """A context manager whose :meth:`update` fits every ``on_progress(done, total)`` we take.

    Args:
        label: what is going on, for example ``"decoding"``.
        unit: what is counted, for example ``"img"``.
    """

    def __init__(self, label: str, unit: str = "it") -> None:
        self.label, self.unit = label, unit
        self._initial = self._done = 0
        self._started = self._last_line = time.monotonic()
        self._bar = self._open_bar() if sys.stderr.isatty() else None

    def _open_bar(self) -> Any:
        """Return a tqdm bar, or None where tqdm, which only the extras bring, is missing."""
        with contextlib.suppress(ModuleNotFoundError):
            from tqdm import tqdm

            return tqdm(desc=self.label, unit=self.unit, file=sys.stderr)
        return None

    def close(self) -> None:
        """Leave the line as it is."""
        if self._bar is not None:
            self._bar.close()

    def start_at(self, done: int) -> None:
        """Count from ``done``, which was there before: rate and ETA are of this run alone."""
        self._initial = self._done = done
        self._started = self._last_line = time.monotonic()
        if self._bar is not None:
            self._bar.initial = self._bar.n = done

    def update(self, done: int, total: int | None = None, note: str = "") -> None:
        """Show that ``done`` of ``total`` is reached; ``note`` stands behind the figures."""
        if self._bar is not None:
            self._bar.total = total
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(done - self._done)
            self._done = done
            return
        self._done = done
        now = time.monotonic()
        if now - self._last_line < _LINE_EVERY_SECONDS and done != total:
            return
        self._last_line = now
        click.echo(self._line(done, total, now, note), err=True)

    def write(self, line: str) -> None:
        """Print a line of talk without disturbing the bar."""
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            click.echo(line, err=True)

    def _line(self, done: int, total: int | None, now: float, note: str) -> str:
        rate = (done - self._initial) / max(now - self._started, 1e-9)
        line = f"{self.label}: {done}" + (f"/{total}" if total else "") + f" {self.unit}"
        line += f", {rate:.1f} {self.unit}/s"
        if total and rate > 0:
            line += f", {max(total - done, 0) / rate:.0f} s left"
        return f"{line}, {note}" if note else line
