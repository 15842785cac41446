"""Sessions that are opened and closed again leave no memory and no open files behind."""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeage.manifest import Manifest
from edgeage.runtime.openvino import BATCH, OpenVINOBackend
from edgeage.runtime.options import RuntimeOptions

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def maps() -> int:
    """Return how many of the networks' files are mapped."""
    text = Path("/proc/self/maps").read_text(errors="replace")
    return sum(line.endswith((".bin", ".blob")) for line in text.splitlines())


def memory_mb() -> float:
    gc.collect()
    # What is freed and kept by the allocator for later is no leak.
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096 / 1e6


def use(manifest: Manifest, mode: str, batch: np.ndarray) -> None:
    session = OpenVINOBackend("CPU", RuntimeOptions(mode)).load(manifest)
    session.infer(batch)
    session.close()


def leak(manifest: Manifest, mode: str, count: int, times: int) -> tuple[int, int, float]:
    """Return how many files, maps and megabytes more there are after so many sessions."""
    batch = np.zeros((count, 3, 67, 67), np.uint8)
    for _ in range(10):
        use(manifest, mode, batch)
    gc.collect()  # what others left behind is not ours to lose
    files, mapped, before_mb = open_files(), maps(), memory_mb()
    for _ in range(times):
        use(manifest, mode, batch)
    return open_files() - files, maps() - mapped, memory_mb() - before_mb


@pytest.fixture
def manifest(compiled_models):
    return Manifest.read(compiled_models / "agenet" / "model.json")


@pytest.mark.parametrize("mode", ["latency", "throughput"])
def test_twenty_sessions_leave_nothing(mode, manifest):
    files, mapped, more_mb = leak(manifest, mode, 1, 20)
    assert (files, mapped) == (0, 0)
    # One of them holds 5 MB of weights, twice.
    assert more_mb < 20


@pytest.mark.heavy
@pytest.mark.parametrize("mode", ["latency", "throughput"])
def test_two_hundred_sessions_of_both_compilations_leave_nothing(mode, manifest):
    files, mapped, more_mb = leak(manifest, mode, BATCH, 200)
    assert (files, mapped) == (0, 0)
    assert more_mb < 40
