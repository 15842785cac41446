"""What is freed stays with the process; threads share what it has."""

import platform
import subprocess
import sys

import pytest

from edgeage.memory import keep_memory, share_memory

FAULTS = """
import resource
import numpy as np
from edgeage.memory import keep_memory
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


HEAPS = """
import ctypes, threading
from edgeage.memory import share_memory
if {share}:
    assert share_memory()
malloc = ctypes.CDLL(None).malloc
def take():
    malloc(ctypes.c_size_t(1000))
    together.wait(20)
together = threading.Barrier(8)
threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
file = ctypes.CDLL(None).fopen
file.restype = ctypes.c_void_p
out = ctypes.c_void_p(file(b"/dev/stdout", b"w"))
ctypes.CDLL(None).malloc_info(0, out)
ctypes.CDLL(None).fflush(out)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another")
@pytest.mark.parametrize("share", [True, False])
def test_threads_share_two_heaps(share):
    words = [sys.executable, "-c", HEAPS.format(share=share)]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    heaps = run.stdout.count("<heap ")
    assert heaps <= 2 if share else heaps > 2


def test_another_system_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_memory()
    assert not share_memory()
