"""Caffe's SGD against its update rule written out, one number at a time."""

import pytest
import torch

from edgeage.caffe import parse_solver
from edgeage.errors import TrainingError
from edgeage.training.net import Parameter
from edgeage.training.solver import SgdSolver

BASE = 'base_lr: 0.1 lr_policy: "step" gamma: 0.1 stepsize: 2 momentum: 0.9 weight_decay: 0.01'


def _solver(text: str, value: float = 2.0, lr_mult: float = 1.0, decay_mult: float = 1.0):
    blob = torch.tensor([value], dtype=torch.float64)
    solver = SgdSolver(parse_solver(text), [Parameter("ip", 0, blob, lr_mult, decay_mult)])
    solver.history = [history.double() for history in solver.history]
    return solver, blob


def _run(solver, blob, gradients):
    for iteration, gradient in enumerate(gradients):
        blob.grad = torch.tensor([gradient], dtype=torch.float64)
        solver.step(iteration)
    return blob.item()


def test_the_learning_rate_stands_inside_the_history():
    # With lr outside (torch's form), the step after a drop of lr would be ten times smaller.
    solver, blob = _solver(BASE)
    w, v = 2.0, 0.0
    for rate, gradient in zip((0.1, 0.1, 0.01), (1.0, -0.5, 0.25), strict=True):
        v = 0.9 * v + rate * (gradient + 0.01 * w)
        w -= v
    assert _run(solver, blob, (1.0, -0.5, 0.25)) == pytest.approx(w, rel=1e-6)


@pytest.mark.parametrize(
    ("extra", "multipliers", "update"),
    [
        pytest.param("", (3.0, 1.0), 3 * 0.1 * (1 + 0.02), id="lr_mult"),
        pytest.param("", (1.0, 0.0), 0.1 * 1, id="no-decay"),
        pytest.param("", (1.0, 5.0), 0.1 * (1 + 5 * 0.02), id="decay_mult"),
        pytest.param("", (0.0, 1.0), 0.0, id="frozen"),
        pytest.param(
            'regularization_type: "L1"', (1.0, 1.0), 0.1 * (1 + 0.01), id="l1-is-the-sign"
        ),
        pytest.param("clip_gradients: 0.5", (1.0, 1.0), 0.1 * (0.5 + 0.02), id="clipped"),
        pytest.param("clip_gradients: 2", (1.0, 1.0), 0.1 * (1 + 0.02), id="not-clipped"),
        pytest.param("iter_size: 4", (1.0, 1.0), 0.1 * (0.25 + 0.02), id="iter_size-divides"),
        pytest.param(
            "iter_size: 4 clip_gradients: 0.5",
            (1.0, 1.0),
            0.1 * (0.125 + 0.02),
            id="clipped-before-divided",
        ),
    ],
)
def test_first_update(extra, multipliers, update):
    solver, blob = _solver(f"{BASE} {extra}", 2.0, *multipliers)
    assert _run(solver, blob, (1.0,)) == pytest.approx(2.0 - update, rel=1e-6)


def test_clipping_takes_the_norm_over_all_blobs():
    blobs = [torch.tensor([0.0]), torch.tensor([0.0])]
    parameters = [Parameter("ip", index, blob, 1, 0) for index, blob in enumerate(blobs)]
    solver = SgdSolver(parse_solver('base_lr: 1 lr_policy: "fixed" clip_gradients: 1'), parameters)
    blobs[0].grad, blobs[1].grad = torch.tensor([3.0]), torch.tensor([4.0])
    solver.step(0)
    assert [blob.item() for blob in blobs] == pytest.approx([-0.6, -0.8])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('type: "Adam" base_lr: 1 lr_policy: "fixed"', id="type"),
        pytest.param(
            'base_lr: 1 lr_policy: "fixed" regularization_type: "L3"', id="regularization"
        ),
    ],
)
def test_what_the_engine_does_not_know_is_refused(text):
    with pytest.raises(TrainingError, match="not known"):
        SgdSolver(parse_solver(text), [])
