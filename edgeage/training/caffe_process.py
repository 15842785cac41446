"""Real Caffe in a Python of its own, and the pipe on which it tells how far it is."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
from typing import TYPE_CHECKING, Any

from edgeage.closing import Closing
from edgeage.errors import TrainingError, UsageError
from edgeage.movidius.jobs import script_path
from edgeage.training.caffe_errors import HOW_TO_GET_CAFFE, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["CaffeProcess"]

_POLL_S = 0.2
_GRACE_S = 10.0
_TAIL_BYTES = 20_000
_LONGEST_LINE = 1 << 20
_QUIET = {"GLOG_minloglevel": "2", "GLOG_logtostderr": "1"}
_FIELDS = {
    "ready": ("caffe", "iteration", "left"),
    "step": ("iteration", "loss", "seconds"),
    "test": ("iteration", "loss", "accuracy"),
    "snapshot": ("iteration",),
    "end": ("iteration",),
    "error": ("kind", "message"),
}


class CaffeProcess(Closing):
    """A running ``scripts/train_caffe.py``; a context manager that leaves no process behind.

    Args:
        python: an interpreter that can ``import caffe``.
        environment: its environment variables.
        folder: where it works: snapshots and ``caffe.log`` appear there.
        request: JSON-ready values for the script.

    Raises:
        TrainingError: when it cannot be started.
        UsageError: on Windows, where there is no Caffe.
    """

    def __init__(
        self,
        python: Path,
        environment: Mapping[str, str],
        folder: Path,
        request: Mapping[str, Any],
    ) -> None:
        if os.name == "nt":
            raise UsageError("--engine caffe needs Linux or macOS; --engine torch runs here")
        self.python, self.folder, self.iteration = python, folder, 0
        (folder / "request.json").write_text(json.dumps(dict(request)), encoding="utf-8")
        self._log = folder / "caffe.log"
        self._read_end, write_end = os.pipe()
        command = [str(python), str(script_path("train_caffe")), str(write_end), "request.json"]
        try:
            with self._log.open("wb") as log:
                # A session of its own: Ctrl-C in the terminal is ours to answer.
                self._process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env={**environment, **_QUIET},
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=[write_end],
                    start_new_session=True,
                )
        except OSError as error:
            os.close(self._read_end)
            raise TrainingError(f"{python} cannot be started: {error.strerror}") from None
        finally:
            os.close(write_end)
        self._rest = b""

    def say(self, word: str) -> None:
        """Tell it «go» or «stop»."""
        stream = self._process.stdin
        # One that has died says so on the other pipe.
        with contextlib.suppress(BrokenPipeError):
            if stream:
                stream.write(word.encode() + b"\n")
                stream.flush()

    def events(self, meanwhile: Callable[[], None] = lambda: None) -> Iterator[dict[str, Any]]:
        """Yield what it tells, up to and including «ready» or «end».

        Args:
            meanwhile: called a few times a second, also while nothing is told.

        Raises:
            TrainingError: when it refuses, fails, dies, or tells nonsense.
        """
        while True:
            event = self._next(meanwhile)
            if event["event"] == "error":
                raise TrainingError(_refusal(event, self.python))
            self.iteration = event["iteration"]
            yield event
            if event["event"] in ("ready", "end"):
                return

    def _next(self, meanwhile: Callable[[], None]) -> dict[str, Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._read_end, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                meanwhile()
                if not selector.select(_POLL_S):
                    continue
                data = os.read(self._read_end, 1 << 16)
                self._rest += data
                if not data:
                    raise self._died()
                if len(self._rest) > _LONGEST_LINE:
                    raise TrainingError(_nonsense(self.python, self._rest))
        line, _, self._rest = self._rest.partition(b"\n")
        return _checked(line, self.python)

    def _died(self) -> TrainingError:
        try:
            status = self._process.wait(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            return TrainingError(f"{self.python} closed its pipe and went on; it was ended")
        return TrainingError(explain(status, self._talk(), self.iteration))

    def _talk(self) -> str:
        with self._log.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(stream.tell() - _TAIL_BYTES, 0))
            return stream.read().decode("utf-8", "replace")

    def close(self) -> None:
        """Let it end, or end it."""
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        # One that has said «end» needs no time for more than its exit.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=0.2)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(OSError):
            os.close(self._read_end)
        self._read_end = -1


def _checked(line: bytes, python: Path) -> dict[str, Any]:
    try:
        event: dict[str, Any] = json.loads(line)
        sound = all(name in event for name in _FIELDS[event["event"]])
        sound = sound and isinstance(event.get("iteration", 0), int)
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise TrainingError(_nonsense(python, line))
    return event


def _nonsense(python: Path, line: bytes) -> str:
    return f"{python} told something else than progress: {line[:80]!r}; is it edgeage's own script?"


def _refusal(event: Mapping[str, Any], python: Path) -> str:
    texts = {
        "import": f"{python} cannot import caffe ({event['message']}); {HOW_TO_GET_CAFFE}",
        "misfit": f"the snapshot belongs to another network: it has no layer {event['message']} "
        "of the prototxt's sizes",
        "nothing": "the weights have no layer of this network; nothing to start from",
        "memory": explain(0, "MemoryError", 0),
    }
    return texts.get(event["kind"], str(event["message"]))
