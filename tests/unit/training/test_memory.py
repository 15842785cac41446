"""What a training step frees stays with the process."""

import platform
import subprocess
import sys

import pytest

from edgeage.training.memory import keep_memory

FAULTS = """
import resource
import numpy as np
from edgeage.training.memory import keep_memory
if {keep}:
    assert keep_memory()
for _ in range(3):
    np.ones(8 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(8 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep):
    words = [sys.executable, "-c", FAULTS.format(keep=keep)]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another")
def test_the_kernel_is_not_asked_again_for_the_same_blocks():
    assert faults(keep=True) < faults(keep=False) / 10


def test_another_system_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_memory()
