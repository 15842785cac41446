"""A device that is not there, for ``edgeage/movidius/scripts/worker.py`` to drive.

The folder in ``$STANDIN`` says how it behaves, and may change while it runs: a file ``devices``
lists ids and ``refuses`` the devices that are busy; ``load_error``, ``blob_error`` and
``run_error`` hold the text of an error, ``start_s``, ``load_s`` and ``run_s`` seconds to take,
``chatter`` the bytes to print on stdout and stderr at each run; ``loads`` gets a line a load.

A network is a JSON file with ``input`` (3, height, width) and ``labels``; it answers the number
that a picture has in its first two bytes, then zeros.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

FOLDER = Path(os.environ["STANDIN"])


def told(name: str, default: str = "") -> str:
    try:
        return (FOLDER / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return default


def fail_if_told(name: str) -> None:
    if text := told(name):
        raise RuntimeError(text)


def devices() -> list[str]:
    return told("devices", "1.1-ma2480").split()


class Network:
    def __init__(self, path: str) -> None:
        self.shape = json.loads(Path(path).read_text(encoding="utf-8"))
        self.path = path

    def load(self, device: str) -> None:
        started = time.time()
        time.sleep(float(told("load_s", "0")))
        fail_if_told("load_error")
        if device in told("refuses").split():
            raise RuntimeError("Resource busy")
        with (FOLDER / "loads").open("a", encoding="utf-8") as stream:
            print(device, Path(self.path).name, started, time.time(), file=stream)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        picture = np.zeros((1, *self.shape["input"]), np.uint8)
        return picture, np.zeros((1, self.shape["labels"]), np.float32)


def run(picture: np.ndarray, answer: np.ndarray) -> None:
    chatter = int(told("chatter", "0"))
    if chatter:
        print("x" * 100, flush=True)
        print("\n".join(["y" * 99] * (chatter // 100)), file=sys.stderr, flush=True)
    time.sleep(float(told("run_s", "0")))
    fail_if_told("run_error")
    answer[:] = 0
    answer[0, 0] = int(picture[0, 0, 0, 0]) + 256 * int(picture[0, 0, 0, 1])


time.sleep(float(told("start_s", "0")))
print("a greeting on stdout, as libraries have it", flush=True)
