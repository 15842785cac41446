"""A build holds a few pictures at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    import cv2

    rng = np.random.default_rng(0)
    peaks = []
    for count in (40, 240):
        source = tmp_path / f"in{count}"
        source.mkdir()
        for number in range(count):
            noise = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            picture = cv2.imencode(".png", noise)[1].tobytes()
            (source / f"{number % 90}_{number % 2}_2_{number}.png").write_bytes(picture)
        code = (
            "import json, resource, sys; from edgeage.datasets import *;"
            "build_utkface(sys.argv[1], sys.argv[2], BuildOptions(workers=2, oversample=False));"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        output = tmp_path / f"out{count}"
        done = subprocess.run(
            [sys.executable, "-c", code, str(source), str(output)],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout) / 1024)
    # 200 pictures more are 30 MB of pixels.
    assert peaks[1] - peaks[0] < 15, peaks
