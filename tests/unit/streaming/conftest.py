"""Made videos, and what is held against them; from ``benchmarks/``."""

from __future__ import annotations

import dataclasses
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edgeage import Predictor
from edgeage.testing import FakeBackend, FakeDetector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgeage.manifest import Manifest


@pytest.fixture(scope="session")
def made(repo_root: Path) -> Iterator[Any]:
    """The modules ``made_video`` and ``video_score``."""
    import importlib

    sys.path.insert(0, str(repo_root / "benchmarks"))
    try:
        yield importlib.import_module("made_video"), importlib.import_module("video_score")
    finally:
        sys.path.remove(str(repo_root / "benchmarks"))


@pytest.fixture(scope="session")
def video(made: Any) -> Any:
    """Five drawn faces that stand, cross, leave and come back, in 90 small frames."""
    maker, _ = made
    video = maker.MadeVideo(maker.drawn_chips(5), frames=90, size_hw=(240, 320), side=60)
    video.kept = list(video.frames())
    return video


class CalibratedBackend(FakeBackend):
    """Its ages have intervals, as those of calibrated networks."""

    @property
    def models(self) -> tuple[Manifest, ...]:
        return tuple(
            dataclasses.replace(
                manifest,
                outputs=tuple(dataclasses.replace(o, interval=1.0) for o in manifest.outputs),
            )
            if manifest.task == "age"
            else manifest
            for manifest in super().models
        )


@pytest.fixture
def predictor(video: Any) -> Iterator[Predictor]:
    """A Predictor that finds the faces of ``video`` and tells age and gender by brightness."""
    detector = FakeDetector(video.detect)
    with Predictor(backend=CalibratedBackend(), detector=detector, detect="always") as predictor:
        predictor.fake_detector = detector
        yield predictor


def _at_work() -> list[str]:
    """Names of the threads at work; a Predictor that is open keeps its own for the next stream."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("edgeage ") and name != "edgeage idle"]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    end = time.monotonic() + 5
    while (names := _at_work()) and time.monotonic() < end:
        time.sleep(0.002)
    assert names == []


@pytest.fixture
def grey() -> Any:
    """Make a grey picture of a level."""
    return lambda level, hw=(48, 64): np.full((*hw, 3), level, np.uint8)
