"""Caffe's SGD solver over a :class:`TorchNet` (``sgd_solver.cpp``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from edgeage.caffe import SolverState
from edgeage.errors import TrainingError
from edgeage.training.schedule import current_step, learning_rate

if TYPE_CHECKING:
    from edgeage.training.net import Parameter

__all__ = ["SgdSolver"]


class SgdSolver:
    """Stochastic gradient descent with Caffe's momentum.

    The update is ``v ← momentum · v + lr · (gradient + decay · w)``, ``w ← w − v``: the learning
    rate stands inside the history, unlike in ``torch.optim.SGD``.

    Args:
        param: a ``SolverParameter`` of type SGD.
        parameters: the net's blobs with their multipliers.

    Raises:
        TrainingError: for another solver type or regularisation.
    """

    def __init__(self, param: Any, parameters: list[Parameter]) -> None:
        if param.type not in ("", "SGD"):
            raise TrainingError(
                f"solver type «{param.type}» is not known to the torch engine; expected SGD"
            )
        if param.regularization_type not in ("L1", "L2"):
            raise TrainingError(
                f"regularization_type «{param.regularization_type}» is not known; expected L1 or L2"
            )
        learning_rate(param, 0)
        self.param = param
        self.parameters = parameters
        self.history = [torch.zeros_like(entry.blob) for entry in parameters]

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, iteration: int) -> float:
        """Update every blob from its gradient, clear the gradients, return the learning rate."""
        rate = learning_rate(self.param, iteration)
        self._clip()
        for entry, history in zip(self.parameters, self.history, strict=True):
            # A frozen blob has none, yet what momentum it has from before runs out.
            gradient = torch.zeros_like(history) if entry.blob.grad is None else entry.blob.grad
            if self.param.iter_size > 1:
                gradient.div_(self.param.iter_size)
            self._regularize(entry, gradient)
            history.mul_(self.param.momentum).add_(gradient, alpha=rate * entry.lr_mult)
            entry.blob.sub_(history)
        for entry in self.parameters:
            entry.blob.grad = None
        return rate

    def _regularize(self, entry: Parameter, gradient: torch.Tensor) -> None:
        decay = self.param.weight_decay * entry.decay_mult
        if decay:
            penalty = entry.blob.sign() if self.param.regularization_type == "L1" else entry.blob
            gradient.add_(penalty, alpha=decay)

    def _clip(self) -> None:
        limit = self.param.clip_gradients
        if limit < 0:
            return
        gradients = [entry.blob.grad for entry in self.parameters if entry.blob.grad is not None]
        if not gradients:
            return
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
        if norm > limit:
            for gradient in gradients:
                gradient.mul_(limit / norm)

    def state(self, iteration: int, learned_net: str) -> SolverState:
        """Return what a ``.solverstate`` holds after ``iteration`` updates."""
        history = [np.ascontiguousarray(values.numpy()).copy() for values in self.history]
        return SolverState(
            iter=iteration,
            learned_net=learned_net,
            history=history,
            # The step of the last update, not of the next one.
            current_step=current_step(self.param, iteration - 1),
        )

    def restore(self, state: SolverState, origin: str) -> None:
        """Take the history of a ``.solverstate``.

        Raises:
            TrainingError: when it belongs to another network.
        """
        found = [values.size for values in state.history]
        expected = [values.numel() for values in self.history]
        if found != expected:
            raise TrainingError(
                f"{origin} belongs to another network: expected {len(expected)} history blobs of "
                f"{expected} values, found {found}"
            )
        for values, stored in zip(self.history, state.history, strict=True):
            values.copy_(torch.from_numpy(np.array(stored).reshape(tuple(values.shape))))
