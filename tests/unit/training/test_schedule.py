"""Every learning-rate policy against values worked out by hand."""

import math

import pytest

from edgeage.caffe import parse_solver
from edgeage.errors import TrainingError
from edgeage.training.schedule import POLICIES, current_step, learning_rate


@pytest.mark.parametrize(
    ("text", "iteration", "expected"),
    [
        pytest.param('lr_policy: "fixed"', 999, 0.1, id="fixed"),
        pytest.param('lr_policy: "step" gamma: 0.1 stepsize: 10', 9, 0.1, id="step-before"),
        pytest.param('lr_policy: "step" gamma: 0.1 stepsize: 10', 10, 0.01, id="step-at"),
        pytest.param('lr_policy: "exp" gamma: 0.5', 3, 0.0125, id="exp"),
        pytest.param('lr_policy: "inv" gamma: 1 power: 2', 1, 0.025, id="inv"),
        pytest.param(
            'lr_policy: "multistep" gamma: 0.5 stepvalue: 5 stepvalue: 7', 6, 0.05, id="multi-one"
        ),
        pytest.param(
            'lr_policy: "multistep" gamma: 0.5 stepvalue: 5 stepvalue: 7', 7, 0.025, id="multi-two"
        ),
        pytest.param('lr_policy: "poly" power: 2 max_iter: 4', 2, 0.025, id="poly"),
        pytest.param(
            'lr_policy: "sigmoid" gamma: -1 stepsize: 3', 4, 0.1 / (1 + math.e), id="sigmoid"
        ),
    ],
)
def test_policy(text, iteration, expected):
    solver = parse_solver(f"base_lr: 0.1 {text}")
    assert learning_rate(solver, iteration) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param('lr_policy: "stp"', "did you mean «step»", id="typo"),
        pytest.param('lr_policy: "step"', "stepsize", id="step-without-stepsize"),
        pytest.param('lr_policy: "poly"', "max_iter", id="poly-without-max-iter"),
    ],
)
def test_bad_policy_is_refused_with_its_reason(text, reason):
    with pytest.raises(TrainingError, match=reason):
        learning_rate(parse_solver(f"base_lr: 0.1 {text}"), 0)


def test_every_policy_is_known():
    for policy in POLICIES:
        text = f'base_lr: 0.1 lr_policy: "{policy}" gamma: 1 stepsize: 5 max_iter: 10'
        solver = parse_solver(text)
        assert learning_rate(solver, 1) > 0


def test_current_step_is_what_caffe_would_store():
    steps = parse_solver('lr_policy: "multistep" stepvalue: 5 stepvalue: 7')
    assert [current_step(steps, iteration) for iteration in (4, 5, 8)] == [0, 1, 2]
    assert current_step(parse_solver('lr_policy: "step" stepsize: 10'), 25) == 2
    assert current_step(parse_solver('lr_policy: "fixed"'), 25) == 0
