"""A compiled network's requests, shared by all threads that want to run it."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RequestPool", "even_sizes"]


class RequestPool:
    """Runs a network for any number of threads, as many runs at a time as there are requests.

    A thread that holds no request waits for one; a thread that holds some and finds none free
    waits for its own runs instead, so no two threads wait for each other.

    Args:
        compiled: OpenVINO's compiled model.
        limit: how many requests there may be; they are made when they are needed.

    Attributes:
        compiled: the same; None after :meth:`close`.
        limit: the same.
    """

    def __init__(self, compiled: Any, limit: int) -> None:
        self.compiled: Any | None = compiled
        self.limit = self._left = limit
        self._free: list[Any] = []
        self._changed = threading.Condition()

    def run(self, parts: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        """Run the network on each part of a batch, side by side as far as requests go.

        What has nothing to run beside runs in the calling thread, which saves handing it over.

        Args:
            parts: uint8 arrays of shape (n, 3, height, width).

        Returns:
            For every part, in order, the network's outputs: float32 of shape (n, values).

        Raises:
            UsageError: after :meth:`close`.
            RuntimeError: OpenVINO's, when the device fails.
        """
        if self.limit == 1 or len(parts) == 1:
            return [self._alone(part) for part in parts]
        answers: list[list[np.ndarray]] = []
        flying: deque[tuple[Any, np.ndarray]] = deque()
        try:
            for part in parts:
                while (request := self._take(wait=not flying)) is None:
                    answers.append(self._landed(flying))
                # The pixels are not copied, so they must stay where they are until it has landed.
                flying.append((request, np.ascontiguousarray(part)))
                request.start_async([flying[-1][1]], share_inputs=True)
            while flying:
                answers.append(self._landed(flying))
        finally:
            for request, _ in flying:
                with contextlib.suppress(RuntimeError):
                    request.wait()
                self._give(request)
        return answers

    def close(self) -> None:
        """Let the network go, as soon as what runs has ended; closing twice is harmless."""
        with self._changed:
            self.compiled = None
            self._free.clear()
            self._changed.notify_all()

    def _alone(self, part: np.ndarray) -> list[np.ndarray]:
        request = self._take(wait=True)
        assert request is not None
        try:
            request.infer([np.ascontiguousarray(part)], share_inputs=True)
            return _outputs(request, len(part))
        finally:
            self._give(request)

    def _landed(self, flying: deque[tuple[Any, np.ndarray]]) -> list[np.ndarray]:
        """Wait for the first one under way."""
        request, part = flying[0]
        request.wait()
        outputs = _outputs(request, len(part))
        flying.popleft()
        self._give(request)
        return outputs

    def _take(self, *, wait: bool) -> Any | None:
        with self._changed:
            while True:
                if self.compiled is None:
                    raise UsageError("this session is closed; load the model again")
                if self._free:
                    return self._free.pop()
                if self._left:
                    self._left -= 1
                    return self.compiled.create_infer_request()
                if not wait:
                    return None
                self._changed.wait()

    def _give(self, request: Any) -> None:
        with self._changed:
            if self.compiled is not None:
                self._free.append(request)
                self._changed.notify()


def _outputs(request: Any, count: int) -> list[np.ndarray]:
    """Copy an answer out of a request, which the next run will overwrite."""
    copies = [np.array(tensor.data, np.float32) for tensor in request.output_tensors]
    return [values.reshape(count, -1) for values in copies]


def even_sizes(count: int, most: int, lanes: int) -> list[int]:
    """Cut a batch into parts of about the same size that keep all lanes busy to the end.

    Args:
        count: how many rows there are.
        most: how many a part may have.
        lanes: how many parts run side by side.

    >>> even_sizes(20, 8, 2), even_sizes(3, 8, 1), even_sizes(1, 8, 2), even_sizes(0, 8, 2)
    ([5, 5, 5, 5], [3], [1], [])
    """
    rounds = -(-count // (most * lanes))
    parts = min(rounds * lanes, count)
    return [count * (place + 1) // parts - count * place // parts for place in range(parts)]
