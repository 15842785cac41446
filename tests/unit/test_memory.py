"""What a step of work frees stays with the process."""

import os
import platform
import subprocess
import sys

import pytest

from edgeage.memory import PICTURES_BYTES, keep_memory

FAULTS = """
import resource
import numpy as np
from edgeage.memory import keep_memory
if {keep}:
    assert keep_memory({at_most})
def work():
    return [np.ones({megabytes} << 17) for _ in range({blocks})]
for _ in range(3):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")


def faults(**given):
    words = [sys.executable, "-c", FAULTS.format(**given)]
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    run = subprocess.run(words, capture_output=True, text=True, check=True, env=own)
    return int(run.stdout)


@glibc
@pytest.mark.parametrize(
    ("at_most", "blocks", "megabytes"), [(None, 1, 64), (PICTURES_BYTES, 8, 3)]
)
def test_the_kernel_is_not_asked_again_for_the_same_blocks(at_most, blocks, megabytes):
    given = {"at_most": at_most, "blocks": blocks, "megabytes": megabytes}
    assert faults(keep=True, **given) < faults(keep=False, **given) / 10


@glibc
def test_no_more_is_kept_than_asked():
    """A block of 64 MB is fetched each time: 20 times 32 pages, were they the largest there are."""
    assert faults(keep=True, at_most=PICTURES_BYTES, blocks=1, megabytes=64) > 600


@pytest.mark.parametrize(
    "own", [{"MALLOC_TRIM_THRESHOLD_": "1"}, {"GLIBC_TUNABLES": "glibc.malloc.arena_max=1"}]
)
def test_what_the_user_told_the_c_library_holds(monkeypatch, own):
    monkeypatch.setenv(*own.popitem())
    assert not keep_memory(PICTURES_BYTES)


def test_another_system_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_memory()
