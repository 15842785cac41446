"""A build holds a few pictures at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from own_memory import run_program

if TYPE_CHECKING:
    from pathlib import Path

_CODE = """
import sys
from edgeage.datasets import BuildOptions, build_utkface
from own_memory import peak_mib
build_utkface(sys.argv[1], sys.argv[2], BuildOptions(workers=2, oversample=False))
print(peak_mib())
"""


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    import cv2

    rng = np.random.default_rng(0)
    peaks = []
    for count in (100, 400):
        source = tmp_path / f"in{count}"
        source.mkdir()
        for number in range(count):
            noise = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            picture = cv2.imencode(".png", noise)[1].tobytes()
            (source / f"{number % 90}_{number % 2}_2_{number}.png").write_bytes(picture)
        (peak,) = run_program(_CODE, source, tmp_path / f"out{count}")
        peaks.append(float(peak))
    # 300 pictures more are 46 MB of pixels; 100 fill the writer's batch.
    assert peaks[1] - peaks[0] < 15, peaks
