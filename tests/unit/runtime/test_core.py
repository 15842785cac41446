"""One core for the life of the process, whatever thread asks and whatever is closed where."""

import re
import signal
import subprocess
import sys
import threading

import pytest

from edgeage.runtime.core import openvino_core

_PROGRAM = """
import gc, os, signal, sys, threading
from pathlib import Path
import numpy as np
from edgeage import Predictor
from edgeage.manifest import Manifest

signal.signal(signal.SIGUSR1, lambda *_: print("handled", flush=True))
models = [Manifest.read(Path(name)) for name in sys.argv[1:]]
predictors = [Predictor(models, device="CPU", detector=None)]
predictors[0].predict(np.zeros((80, 80, 3), np.uint8))

def close():
    predictors.pop().close()
    gc.collect()

thread = threading.Thread(target=close)
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGUSR1)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signals")
def test_a_signal_is_handled_after_another_thread_closed_the_predictor(compiled_models):
    models = [str(compiled_models / name / "model.json") for name in ("agenet", "gendernet")]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *models],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


def test_all_threads_get_the_same_core():
    found, start = [], threading.Barrier(4)

    def ask():
        start.wait()
        found.append(openvino_core())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(core is openvino_core() for core in found)


def test_nothing_else_makes_one(repo_root):
    made = re.compile(r"\bCore\(\)|\bov\.(compile_model|read_model)\(")
    modules = (repo_root / "edgeage").rglob("*.py")
    ours = [path for path in modules if "scripts" not in path.parts]
    found = {path.name for path in ours if made.search(path.read_text(encoding="utf-8"))}
    assert found == {"core.py"}
