"""Learning-rate policies and the update rule of Caffe's SGD solver, as plain numbers."""

from __future__ import annotations

import math
from typing import Any

from edgeage.errors import TrainingError, did_you_mean

__all__ = ["POLICIES", "current_step", "learning_rate"]

POLICIES = ("fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid")


def current_step(solver: Any, iteration: int) -> int:
    """Return how many steps of ``step`` or ``multistep`` an iteration's learning rate has taken.

    ``multistep`` takes its values in the order they are given, at most one an iteration.

    Args:
        solver: a ``SolverParameter``.
        iteration: 0 for the first; -1, before any, has taken none.

    Raises:
        TrainingError: for ``step`` without a stepsize.
    """
    if solver.lr_policy == "step":
        if solver.stepsize <= 0:
            raise TrainingError("lr_policy «step» needs a stepsize above 0")
        return max(iteration, 0) // int(solver.stepsize)
    taken, last = 0, -1
    if solver.lr_policy == "multistep":
        for value in solver.stepvalue:
            last = max(value, last + 1)
            taken += iteration >= last
    return taken


def learning_rate(solver: Any, iteration: int) -> float:
    """Return the learning rate of an iteration (``SGDSolver::GetLearningRate``).

    Args:
        solver: a ``SolverParameter``; its ``lr_policy`` is one of :data:`POLICIES`.
        iteration: 0 for the first.

    Raises:
        TrainingError: for an unknown policy, or one whose parameters are missing.
    """
    policy, base, gamma = solver.lr_policy, solver.base_lr, solver.gamma
    if policy == "fixed":
        return float(base)
    if policy in ("step", "multistep"):
        return float(base * gamma ** current_step(solver, iteration))
    if policy == "exp":
        return float(base * gamma**iteration)
    if policy == "inv":
        return float(base * (1 + gamma * iteration) ** -solver.power)
    if policy == "poly":
        if solver.max_iter <= 0:
            raise TrainingError("lr_policy «poly» needs a max_iter above 0")
        return float(base * (1 - iteration / solver.max_iter) ** solver.power)
    if policy == "sigmoid":
        return float(base / (1 + math.exp(-gamma * (iteration - solver.stepsize))))
    raise TrainingError(
        f"unknown lr_policy «{policy}»{did_you_mean(policy, POLICIES)}; expected one of "
        f"{', '.join(POLICIES)}"
    )
