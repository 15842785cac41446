"""The loop of a training of the zoo: Keras computes a step, everything around it is ours.

What an iteration sees depends on its number alone, so that a resumed training goes on as an
uninterrupted one would have.
"""

from __future__ import annotations

import collections
import contextlib
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import TrainingError
from edgeage.paths import atomic_file
from edgeage.training.joint.state import read_state, write_state
from edgeage.training.logs import Reporter, StepReport, TestReport
from edgeage.training.prefetch import prefetch
from edgeage.training.zoo.score import ZooScore
from edgeage.training.zoo.targets import loss_name, targets
from edgeage.zoo.backend import open_keras

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from edgeage.training.joint.faces import FaceBatch, Faces
    from edgeage.training.zoo.recipe import ZooRecipe
    from edgeage.zoo.network import ZooNetwork

__all__ = ["ZooTrainer"]

_EVERY = 500
"""Iterations between two checkpoints within an epoch."""


class ZooTrainer:
    """Trains a network of the zoo.

    Args:
        network: what to train; its model is changed in place.
        recipe: how.
        train: faces to train on.
        validation: faces to choose the best epoch with.
        state: where the checkpoint is kept, a ``.npz``.
        best: where the network of the best epoch is kept, a ``.keras``.

    Attributes:
        reporters: told about every step and validation.
        iteration: how many updates are done.
        best_loss: smallest validation loss so far.
        best_epoch: the epoch it was reached in, from 1; 0 before the first validation.

    Raises:
        TrainingError: when there are fewer faces than a batch, or a loss does not fit.
    """

    def __init__(
        self,
        network: ZooNetwork,
        recipe: ZooRecipe,
        train: Faces,
        validation: Faces,
        *,
        state: Path,
        best: Path,
    ) -> None:
        self.network, self.recipe = network, recipe
        self.reporters: Sequence[Reporter] = ()
        self._train, self._validation, self._state, self._best = train, validation, state, best
        if len(train) < recipe.batch_size:
            raise TrainingError(
                f"expected at least {recipe.batch_size} faces to train on, a batch of them, found "
                f"{len(train)}; set a smaller batch_size"
            )
        self.an_epoch = len(train) // recipe.batch_size
        names = [loss_name(output, recipe) for output in network.outputs]
        kinds = [output.kind for output in network.outputs]
        self._losses = [_loss(*pair) for pair in zip(names, kinds, strict=True)]
        self._weights = [
            recipe.age_weight if output.task == "age" else recipe.gender_weight
            for output in network.outputs
        ]
        keras = open_keras()
        # What dropout draws with; these are no weights, but a training goes on with them.
        known = {id(weight) for weight in network.model.weights}
        self._randoms = [v for v in network.model.variables if id(v) not in known]
        self._optimizer = _optimizer(recipe)
        # A model of its own, so that the network's stays free of losses and optimizer.
        self._model = keras.Model(network.model.inputs[0], network.model.outputs)
        self._model.compile(
            self._optimizer, loss=self._losses, loss_weights=self._weights, jit_compile=False
        )
        self._optimizer.build(self._model.trainable_variables)
        self.iteration, self.best_loss, self.best_epoch = 0, math.inf, 0
        self.score: ZooScore | None = None
        self._recent: collections.deque[float] = collections.deque(maxlen=50)

    @property
    def last(self) -> int:
        """How many updates there are at most."""
        return self.recipe.epochs * self.an_epoch

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return self.iteration // self.an_epoch

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or too many without a smaller validation loss."""
        patience = self.recipe.patience
        waited = self.epoch - self.best_epoch
        return self.iteration >= self.last or bool(patience and waited >= patience)

    def train(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Train to the end; a checkpoint is left when ``stop`` says True.

        Returns:
            Whether the end was reached.
        """
        saved = self.iteration
        with _own_randomness(), contextlib.closing(self._batches()) as batches:
            while not self.finished and not stop():
                self._iterate(*next(batches))
                whole = self.iteration % self.an_epoch == 0
                if whole:
                    self._judge()
                if whole or self.iteration - saved >= _EVERY:
                    self.save()
                    saved = self.iteration
        if self.iteration > saved:
            self.save()
        return self.finished

    def _batches(self) -> Generator[tuple[np.ndarray, list[np.ndarray]]]:
        yield from prefetch(self._batch(number) for number in range(self.iteration, self.last))

    def _batch(self, number: int) -> tuple[np.ndarray, list[np.ndarray]]:
        batch = self._train.drawn(self.recipe, number)
        pixels, wanted = batch.pixels, self._wanted(batch)
        if self.recipe.mixup:
            random = np.random.default_rng((self.recipe.seed, number, 1))
            share = np.float32(random.beta(self.recipe.mixup, self.recipe.mixup))
            other = random.permutation(len(pixels))
            pixels, *wanted = (
                share * part + (1 - share) * part[other] for part in (pixels, *wanted)
            )
        return pixels, wanted

    def _wanted(self, batch: FaceBatch) -> list[np.ndarray]:
        sizes = [int(tensor.shape[-1]) for tensor in self._model.outputs]
        return [
            targets(output, size, batch.ages_years, batch.genders, self.recipe)
            for output, size in zip(self.network.outputs, sizes, strict=True)
        ]

    def _iterate(self, pixels: np.ndarray, wanted: list[np.ndarray]) -> None:
        started = time.perf_counter()
        rate = self.recipe.rate(self.iteration, self.an_epoch)
        self._optimizer.learning_rate = rate
        _seed((self.recipe.seed << 32) + self.iteration)
        # Older Keras reports the mean of all batches since the last reset (keras-team/keras#22617).
        self._model.reset_metrics()
        loss = float(self._model.train_on_batch(pixels, wanted, return_dict=True)["loss"])
        self.iteration += 1
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} at iteration {self.iteration}; lower learning_rate, or "
                "set clip=1"
            )
        self._recent.append(loss)
        report = StepReport(
            iteration=self.iteration,
            max_iter=self.last,
            loss=sum(self._recent) / len(self._recent),
            learning_rate=rate,
            images_per_second=len(pixels) / (time.perf_counter() - started),
        )
        for reporter in self.reporters:
            reporter.step(report)

    def _judge(self) -> None:
        """Score the epoch's weights and keep them when they are the best."""
        score = self.validate()
        if score.loss < self.best_loss:
            self.best_loss, self.best_epoch = score.loss, self.epoch
            with atomic_file(self._best, suffix=".keras") as temporary:
                self.network.model.save(temporary)

    def validate(self) -> ZooScore:
        """Score the weights as they stand on every validation face and report it.

        Where an answer is no number the loss is infinite and nothing else is told: the statistics
        of batch normalisation settle only after some iterations.
        """
        keras = open_keras()
        rows: list[list[np.ndarray]] = []
        losses: list[np.ndarray] = []
        for batch in self._validation.whole(self.recipe.batch_size):
            answers = self.network.answers(batch.pixels)
            rows.append(answers)
            parts = zip(self._losses, self._weights, self._wanted(batch), answers, strict=True)
            losses.append(
                sum(w * keras.ops.convert_to_numpy(loss(y, found)) for loss, w, y, found in parts)
            )
        columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
        self.score = score = self._scored(columns, float(np.concatenate(losses).mean()))
        report = TestReport(
            self.iteration,
            score.loss,
            float(score.age if score.age is not None else score.gender or 0.0),
            score.faces,
            score.mae_years,
            score.gender if score.age is not None else None,
        )
        for reporter in self.reporters:
            reporter.test(report)
        return score

    def _scored(self, answers: Sequence[np.ndarray], loss: float) -> ZooScore:
        records, outputs = self._validation.records, self.network.outputs
        if not (math.isfinite(loss) and all(np.isfinite(rows).all() for rows in answers)):
            return ZooScore(len(records), math.inf)
        named = {output.name: rows for output, rows in zip(outputs, answers, strict=True)}
        return ZooScore.of(records, outputs, named, loss)

    def take_best(self) -> ZooScore:
        """Give the network the weights of the best epoch and score them.

        Raises:
            TrainingError: when no epoch answered every validation face with a number.
        """
        if not self.best_epoch:
            raise TrainingError(
                f"in none of {self.epoch} epochs every validation face was answered with a number; "
                "train for more epochs, or lower learning_rate"
            )
        self.network.model.load_weights(self._best)
        self.reporters = ()
        return self.validate()

    def save(self) -> None:
        """Write a checkpoint over the last one."""
        arrays = {name: np.asarray(variable.numpy()) for name, variable in self._variables()}
        arrays["best"] = np.array([self.best_loss, self.best_epoch])
        write_state(self._state, self.iteration, arrays)
        for reporter in self.reporters:
            reporter.snapshot(self._state)

    def resume(self) -> None:
        """Go on from the checkpoint.

        Raises:
            TrainingError: when there is none, or it is of another network.
        """
        self.iteration, arrays = read_state(self._state)
        try:
            loss, epoch = arrays.pop("best")
            self.best_loss, self.best_epoch = float(loss), int(epoch)
            for name, variable in self._variables():
                value = arrays.pop(name)
                if value.shape != tuple(variable.shape):
                    raise ValueError(f"{name} is {value.shape}, expected {tuple(variable.shape)}")
                variable.assign(value)
            if arrays:
                raise ValueError(f"{next(iter(arrays))} is too many")
        except (KeyError, ValueError) as error:
            raise TrainingError(f"{self._state} is of another network: {error}") from None

    def _variables(self) -> Iterator[tuple[str, Any]]:
        kinds = {
            "weight": self.network.model.weights,
            "random": self._randoms,
            "optimizer": self._optimizer.variables,
        }
        for kind, variables in kinds.items():
            for index, variable in enumerate(variables):
                yield f"{kind}_{index}", variable


def _optimizer(recipe: ZooRecipe) -> Any:
    optimizers = open_keras().optimizers
    common = {
        "learning_rate": recipe.learning_rate,
        "global_clipnorm": recipe.clip or None,
        "weight_decay": recipe.weight_decay or None,
    }
    if recipe.optimizer == "adam":
        made = optimizers.Adam(**common)
    else:
        made = optimizers.SGD(momentum=recipe.momentum, nesterov=recipe.momentum > 0, **common)
    if recipe.weight_decay:
        made.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return made


def _loss(name: str, kind: str) -> Callable[[Any, Any], Any]:
    """Return a loss: (n, values) twice to (n,)."""
    losses = open_keras().losses
    if name == "crossentropy":
        name = "binary_crossentropy" if kind == "sigmoid" else "categorical_crossentropy"
    names = {"mae": "mean_absolute_error", "mse": "mean_squared_error"}
    found: Callable[[Any, Any], Any] = getattr(losses, names.get(name, name))
    return found


@contextlib.contextmanager
def _own_randomness() -> Iterator[None]:
    """Leave torch's random numbers as they were."""
    if open_keras().config.backend() != "torch":
        yield
        return
    import torch

    with torch.random.fork_rng(devices=[]):
        yield


def _seed(number: int) -> None:
    """Make what is drawn next depend on this number; with torch, dropout draws from its own."""
    if open_keras().config.backend() == "torch":
        import torch

        torch.manual_seed(number)
