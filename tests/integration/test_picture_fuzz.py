"""Ten thousand damaged pictures in a process of their own: none crashes, hangs or is made up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = Path(__file__).with_name("picture_fuzz.py")
# libtiff writes what it finds wrong to stderr itself: «Fax4Decode: Bad code word at line 5 …»; so
# does older Pillows' decoder of AVIF.
_OF_LIBRARIES = re.compile(
    r"\w+(\.tif)?: .*|More samples per pixel than can be decoded: \d+"
    r"|Unknown OBU type \d+ of size \d+|Error parsing OBU data"
)


@pytest.mark.parametrize(
    "count", [300, pytest.param(10_000, marks=pytest.mark.heavy)], ids=["some", "ten thousand"]
)
def test_damaged_pictures(count: int, repo_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, _PROGRAM, str(count), "230"],
        capture_output=True, text=True, check=False, timeout=3600, cwd=repo_root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert [line for line in done.stderr.splitlines() if not _OF_LIBRARIES.fullmatch(line)] == []
    report = json.loads(done.stdout)
    assert report["answered"] + report["refused"] == count
    assert report["answered"] > count / 20
    assert report["kinds"] >= 34
    assert report["grown_mib"] < 400, report
