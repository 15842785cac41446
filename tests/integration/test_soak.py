"""Many pictures through one Predictor: memory, open files and threads stay what they were."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeage import ImageError, Predictor
from edgeage.faces import Detection
from edgeage.testing import FakeDetector

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads /proc for memory and open files"
)

_MOST_GROWTH_BYTES = 24_000_000


def _resident_bytes() -> int:
    """Bytes in use: what the C library has free and keeps for later is given back first."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Pictures as people give them: files, bytes, arrays, damaged ones; sides of 48 to 900."""
    rng = np.random.default_rng(0)
    folder, images = tmp_path_factory.mktemp("soak"), []
    for number, side in enumerate((48, 200, 400, 900)):
        small = rng.integers(0, 256, (12, 12, 3), np.uint8)
        picture = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
        encoded = cv2.imencode(".jpg", picture)[1].tobytes()
        path = folder / f"{number}.jpg"
        path.write_bytes(encoded)
        images += [path, encoded, encoded[: len(encoded) // 2], picture, folder / "missing.png"]
    return images


def _some_faces(picture: np.ndarray) -> list[Detection]:
    """None to three faces, by the picture."""
    side = picture.shape[0] / 5
    count = int(picture[0, 0, 0]) % 4
    return [Detection((side * n, 0, side * (n + 1), side), 0.9) for n in range(count)]


def _work(predictor: Predictor, images: list, count: int) -> None:
    """Have pictures go through a stream, through streams given up, and through four threads."""
    good = [image for image in images if isinstance(image, np.ndarray)]
    endless = itertools.cycle(images)
    faces = failed = 0
    for result in predictor.stream(itertools.islice(endless, count)):
        faces += len(result.faces)
        failed += isinstance(result.error, ImageError)
    assert faces > count // 4
    assert failed == count * 2 // 5
    for _ in range(max(count // 200, 2)):
        stream = predictor.stream(endless)
        next(stream)
        stream.close()
    with ThreadPoolExecutor(4) as pool:
        asked = pool.map(predictor.predict, itertools.islice(itertools.cycle(good), count // 20))
        assert all(len(found) >= 1 for found in asked)


@pytest.mark.parametrize(
    # A network's first batch of each size has it take memory for good, and rare sizes come late.
    ("settling", "count", "mode"),
    [
        pytest.param(300, 200, "latency", id="short"),
        pytest.param(10_000, 20_000, "latency", id="long latency", marks=pytest.mark.heavy),
        pytest.param(10_000, 20_000, "throughput", id="long throughput", marks=pytest.mark.heavy),
    ],
)
def test_nothing_grows(settling, count, mode, images, compiled_models):
    threads, files = threading.active_count(), _open_files()
    detector = FakeDetector(_some_faces)
    with Predictor(compiled_models, "CPU", detector=detector, mode=mode) as predictor:
        _work(predictor, images, settling)
        settled, before = _resident_bytes(), _open_files()
        working = threading.active_count()
        _work(predictor, images, count)
        grown = _resident_bytes() - settled
        assert threading.active_count() == working
        assert _open_files() == before
    assert grown < _MOST_GROWTH_BYTES, f"{grown / 1e6:.1f} MB more after {count} pictures"
    assert threading.active_count() == threads
    assert _open_files() <= files
