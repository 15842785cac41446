"""What real Caffe does with a solver, a step at a time; run by its Python, not a test itself.

    python caffe_steps.py SCRIPTS JOBS.json

SCRIPTS is the folder of ``train_caffe.py``. Each job names a folder with a solver and weights; its
answer is the ``caffe.npz`` there: losses, learning rates, the first step's gradients and blobs,
the test set's score, and the weights at the end.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np


def parameters(prefix, net, kind):
    """Return a copy of every blob's data or diff, named ``prefix/LAYER/INDEX``."""
    return {
        f"{prefix}/{name}/{index}": getattr(blob, kind).copy()
        for name, blobs in net.params.items()
        for index, blob in enumerate(blobs)
    }


def run(caffe, ours, job):
    """Do one job."""
    os.chdir(job["folder"])
    solver = caffe.get_solver("solver.prototxt")
    solver.net.copy_from("start.caffemodel")
    first = {}

    def keep():
        if not first:
            first.update(parameters("grad", solver.net, "diff"))
            first.update({"train/" + name: b.data.copy() for name, b in solver.net.blobs.items()})

    solver.add_callback(lambda: None, keep)
    solver.test_nets[0].share_with(solver.net)
    score = ours.score(solver, job["images"])
    losses, rates = [], []
    counted = ours.Losses(solver.net, job["passes"])
    for _ in range(job["steps"]):
        if job["rates"]:
            rates.append(solver.lr)
        solver.step(1)
        losses.append(counted.take())
    if job["steps"]:
        solver.snapshot()
    end = parameters("end", solver.net, "data")
    np.savez("caffe.npz", score=score, losses=losses, rates=rates, **first, **end)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    import caffe
    import train_caffe

    caffe.set_mode_cpu()
    for task in json.loads(Path(sys.argv[2]).read_text()):
        run(caffe, train_caffe, task)
