"""OpenCV's import writes environment variables: no thread of ours may run beside it."""

from __future__ import annotations

import subprocess
import sys

import pytest

BODIES = {
    "ordered_map": """
from edgeage.datasets.parallel import ordered_map
list(ordered_map(decode, [PICTURE] * 4, 2))
""",
    "prefetch": """
from edgeage.training.prefetch import prefetch
list(prefetch(decode(PICTURE) for _ in range(2)))
""",
    "pipeline": """
from edgeage.prediction.pipeline import Pipeline, Stage
stage = Stage("decode", lambda items: [decode(item) for item in items])
list(Pipeline([PICTURE] * 4, [stage], ahead=2))
""",
    "server": """
from edgeage.streaming.web.work import PredictorWork
PredictorWork(None, None)._thread.submit(decode, PICTURE).result()
""",
    "video": """
from edgeage.streaming.capture import Capture
from edgeage.streaming.framesources import ArraySource
from edgeage.streaming.options import StreamOptions
frames = (numpy.zeros((40, 40, 3), numpy.uint8) + decode(PICTURE) for _ in range(2))
list(Capture(ArraySource(frames), StreamOptions()))
""",
}

PROGRAM = """
import sys, threading
seen = []
def watch(event, arguments):
    if event == "os.putenv" and arguments[0] != b"OPENBLAS_MAIN_FREE":
        seen.append((arguments[0], threading.active_count()))
sys.addaudithook(watch)
def decode(picture):
    import cv2
    return cv2.countNonZero(picture)
import numpy
PICTURE = numpy.ones((4, 4), numpy.uint8)
BODY
assert seen, "OpenCV's import wrote nothing: what this test watches is gone"
assert all(count == 1 for _, count in seen), seen
"""


@pytest.mark.parametrize("name", sorted(BODIES))
def test_opencv_is_imported_before_threads_start(name: str) -> None:
    program = PROGRAM.replace("BODY", BODIES[name])
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
