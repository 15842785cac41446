"""``edgeage stream --serve`` as a user types it: the page shows the stream while it runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import cv2
import httpx
import numpy as np


def test_the_page_shows_the_stream_and_ends_with_it(tmp_path, astronaut_face):
    frames = tmp_path / "frames"
    frames.mkdir()
    picture = np.full((240, 320, 3), 128, np.uint8)
    picture[60:170, 100:210] = astronaut_face
    for number in range(40):
        cv2.imwrite(str(frames / f"{number:03d}.png"), picture)
    words = ["stream", str(frames), "--serve", "0", "--max-fps", "5", "--device", "CPU"]
    with subprocess.Popen(
        [sys.executable, "-m", "edgeage", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            line = process.stderr.readline()
            found = re.search(r"http://\S+", line)
            assert found, line + process.stderr.read()
            url = found[0].rstrip("/")
            with httpx.stream("GET", f"{url}/v1/events", timeout=60) as answer:
                events = (text for text in answer.iter_lines() if text.startswith("data:"))
                event = next(e for e in map(_read, events) if e["type"] == "frame")
            assert event["frame"] >= 0
            with httpx.stream("GET", f"{url}/v1/stream", timeout=60) as answer:
                assert any(b"\xff\xd8" in part for part in answer.iter_bytes())
            out, rest = process.communicate(timeout=120)
        finally:
            process.kill()
    assert (process.returncode, out) == (0, ""), rest
    assert "40 frames" in rest


def _read(line):
    return json.loads(line.removeprefix("data:"))
