"""One network on one or several workers, which share its pictures."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import DeviceLostError, EdgeageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.movidius.worker import Call, LoadedNetwork

__all__ = ["NetworkPool"]


class NetworkPool:
    """Gives every picture to whichever worker has a free slot; safe to use from several threads.

    Args:
        networks: the same network, loaded on each worker.
    """

    def __init__(self, networks: Sequence[LoadedNetwork]) -> None:
        self.networks = list(networks)
        self._ready = threading.Condition()
        self._free: deque[tuple[LoadedNetwork, int]] = deque()
        for slot in range(self.networks[0].layout.slots):
            self._free.extend((network, slot) for network in self.networks)
        for network in self.networks:
            network.on_free = self._freed

    @property
    def alive(self) -> list[LoadedNetwork]:
        """Those whose worker still works."""
        return [network for network in self.networks if network.worker.lost is None]

    def infer(self, batch: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Answer every picture of a batch, in order.

        What a lost worker had under way goes to another one.

        Args:
            batch: uint8 of shape (n, 3, height, width).

        Returns:
            float32 of shape (n, labels), and the name of the worker that answered each.

        Raises:
            EdgeageError: when the last worker is lost; what is already answered is lost with it.
        """
        answers = np.empty((len(batch), self.networks[0].layout.labels), np.float32)
        names = [""] * len(batch)
        rows, under_way = deque(range(len(batch))), deque[tuple[int, "Call"]]()
        while rows or under_way:
            slot = self._take(wait=not under_way) if rows else None
            if slot is not None:
                row = rows.popleft()
                under_way.append((row, slot[0].send(batch[row], slot[1])))
                continue
            row, call = under_way.popleft()
            try:
                answers[row] = call.result()
            except DeviceLostError:
                if not self.alive:
                    raise
                rows.appendleft(row)
            names[row] = call.network.worker.name
        return answers, tuple(names)

    def _take(self, *, wait: bool) -> tuple[LoadedNetwork, int] | None:
        with self._ready:
            while True:
                while self._free:
                    network, slot = self._free.popleft()
                    if network.worker.lost is None:
                        return network, slot
                if not self.alive:
                    raise self._lost()
                if not wait:
                    return None
                self._ready.wait(1.0)

    def _lost(self) -> EdgeageError:
        error = self.networks[-1].worker.lost
        assert error is not None
        return type(error)(str(error))

    def _freed(self, network: LoadedNetwork, slot: int) -> None:
        with self._ready:
            self._free.append((network, slot))
            self._ready.notify()
