"""The loop of a joint training: AdamW, a cosine, and a running average of the weights."""

from __future__ import annotations

import collections
import contextlib
import math
import time
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch.nn import functional

from edgeage.errors import TrainingError
from edgeage.training.joint.score import JointScore
from edgeage.training.joint.state import read_state, write_state
from edgeage.training.joint.targets import age_targets, gender_targets
from edgeage.training.joint.teacher import mixed
from edgeage.training.logs import Reporter, StepReport, TestReport
from edgeage.training.precision import autocast
from edgeage.training.prefetch import prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from edgeage.training.joint.faces import FaceBatch, Faces
    from edgeage.training.joint.recipe import JointRecipe

__all__ = ["FaceNetwork", "JointTrainer"]

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
"""Pixels, ages in years, and both tasks' targets."""


class FaceNetwork(Protocol):
    """A network of both tasks that can be trained."""

    @property
    def starts_years(self) -> Sequence[int]:
        """The age at which each of its age classes begins."""

    @property
    def class_ages(self) -> Sequence[float]:
        """The age in years that stands for each."""

    @property
    def parameters(self) -> list[torch.Tensor]:
        """Every learnable blob, changed in place."""

    @property
    def statistics(self) -> list[torch.Tensor]:
        """Every running statistic of batch normalisation, averaged as the parameters are."""

    def __call__(self, phase: str, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores of age (n, classes) and of gender (n, 2), before the softmax."""


class JointTrainer:
    """Trains a network of both tasks.

    Args:
        network: what to train.
        recipe: how.
        train: faces to train on.
        validation: faces to watch it with.
        state: where checkpoints are kept, a ``.npz``.
        every: iterations between two checkpoints, and between two validations.
        reporters: told about every step and validation.
        precision: ``fp32``, or ``bf16`` where the network allows it.

    Attributes:
        origins: what else than faces it learns from, by what that is; for the manifests.
    """

    def __init__(
        self,
        network: FaceNetwork,
        recipe: JointRecipe,
        train: Faces,
        validation: Faces,
        state: Path,
        *,
        every: int = 500,
        reporters: Sequence[Reporter] = (),
        precision: str = "fp32",
    ) -> None:
        self.network, self.recipe, self.precision = network, recipe, precision
        self._train, self._validation = train, validation
        self._state, self._every, self.reporters = state, every, reporters
        blobs = network.parameters
        decayed = [blob for blob in blobs if blob.ndim > 1]
        biases = [blob for blob in blobs if blob.ndim <= 1]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": recipe.weight_decay},
                {"params": biases, "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
            betas=(0.9, 0.99),
            fused=True,
        )
        self.average = [blob.detach().clone() for blob in self._blobs]
        self._class_ages = torch.tensor(network.class_ages)
        self.origins: Mapping[str, str | None] = {}
        self.iteration = 0
        self.score: JointScore | None = None
        self._losses: collections.deque[float] = collections.deque(maxlen=50)

    @property
    def _blobs(self) -> list[torch.Tensor]:
        return [*self.network.parameters, *self.network.statistics]

    def learning_rate(self, iteration: int) -> float:
        """Return the rate of an update, counted from 0."""
        recipe = self.recipe
        rise = min(1.0, (iteration + 1) / recipe.warmup)
        fall = 0.5 * (1 + math.cos(math.pi * iteration / recipe.iterations))
        return recipe.learning_rate * rise * fall

    def train(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Train up to the recipe's iterations; a checkpoint is left when ``stop`` says True.

        Returns:
            Whether the end was reached.
        """
        last = self.recipe.iterations
        with torch.random.fork_rng(devices=[]), contextlib.closing(self._batches()) as batches:
            while self.iteration < last and not stop():
                self._iterate(next(batches))
                if self.iteration % self._every == 0 or self.iteration == last:
                    self.validate()
                    self.save()
        if self.iteration % self._every and self.iteration < last:
            self.save()
        return self.iteration >= last

    def _batches(self) -> Generator[Batch]:
        numbers = range(self.iteration, self.recipe.iterations)
        yield from prefetch(
            self._tensors(self._train.drawn(self.recipe, number)) for number in numbers
        )

    def _tensors(self, batch: FaceBatch) -> Batch:
        ages = age_targets(batch.ages_years, self.recipe.age_spread, self.network.starts_years)
        genders = gender_targets(batch.genders, self.recipe.gender_smoothing)
        if batch.lesson is not None:
            share = self.recipe.teacher_weight
            ages = mixed(ages, batch.lesson[0], share)
            genders = mixed(genders, batch.lesson[1], share)
        # (n, height, width, channels) in memory is what torch calls channels-last.
        pixels = torch.from_numpy(batch.pixels).permute(0, 3, 1, 2)
        years = torch.from_numpy(batch.ages_years).float()
        return pixels, years, torch.from_numpy(ages), torch.from_numpy(genders)

    def _loss(self, scores: tuple[torch.Tensor, torch.Tensor], batch: Batch) -> torch.Tensor:
        _, years, ages, genders = batch
        age_scores, gender_scores = (part.float() for part in scores)
        loss = functional.cross_entropy(age_scores, ages)
        loss = loss + self.recipe.gender_weight * functional.cross_entropy(gender_scores, genders)
        if self.recipe.year_weight:
            expected = age_scores.softmax(1) @ self._class_ages
            loss = loss + self.recipe.year_weight * (expected - years).abs().mean()
        return loss

    def _iterate(self, batch: Batch) -> None:
        started = time.perf_counter()
        torch.manual_seed((self.recipe.seed << 32) + self.iteration)
        with autocast(self.precision):
            scores = self.network("TRAIN", batch[0])
        loss = self._loss(scores, batch)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        rate = self._update()
        self.iteration += 1
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"the loss became {loss.item()} at iteration {self.iteration}; lower learning_rate"
            )
        self._losses.append(loss.item())
        report = StepReport(
            iteration=self.iteration,
            max_iter=self.recipe.iterations,
            loss=sum(self._losses) / len(self._losses),
            learning_rate=rate,
            images_per_second=len(batch[0]) / (time.perf_counter() - started),
        )
        for reporter in self.reporters:
            reporter.step(report)

    def _update(self) -> float:
        rate = self.learning_rate(self.iteration)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        torch.nn.utils.clip_grad_norm_(self.network.parameters, self.recipe.clip)
        self._optimizer.step()
        # Early weights are forgotten sooner: the average starts as a plain mean.
        share = max(1 - self.recipe.average, 1 / (self.iteration + 1))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self._blobs, share)
        return rate

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the network compute with the averaged weights inside the block."""
        blobs = self._blobs
        kept = [blob.detach().clone() for blob in blobs]
        with torch.no_grad():
            torch._foreach_copy_(blobs, self.average)
            try:
                yield
            finally:
                torch._foreach_copy_(blobs, kept)

    def validate(self) -> JointScore:
        """Score the averaged weights on every validation face and report it."""
        probabilities: list[tuple[np.ndarray, np.ndarray]] = []
        with self.averaged(), torch.no_grad(), autocast(self.precision):
            for batch in self._validation.whole(self.recipe.batch_size):
                pixels = torch.from_numpy(batch.pixels).permute(0, 3, 1, 2)
                ages, genders = self.network("TEST", pixels)
                probabilities.append(
                    (ages.float().softmax(1).numpy(), genders.float().softmax(1).numpy())
                )
        ages, genders = (np.concatenate(part) for part in zip(*probabilities, strict=True))
        self.score = JointScore.of(self._validation.records, ages, genders, self.network.class_ages)
        report = TestReport(
            self.iteration, self.score.loss, self.score.age, self.score.faces,
            self.score.mae_years, self.score.gender,
        )  # fmt: skip
        for reporter in self.reporters:
            reporter.test(report)
        return self.score

    def save(self) -> None:
        """Write a checkpoint over the last one."""
        arrays = {}
        for index, (blob, average) in enumerate(zip(self._blobs, self.average, strict=True)):
            arrays[f"weight_{index}"] = blob.detach().numpy()
            arrays[f"average_{index}"] = average.numpy()
        for index, blob in enumerate(self.network.parameters):
            moment = self._optimizer.state[blob]
            arrays[f"first_{index}"] = moment["exp_avg"].numpy()
            arrays[f"second_{index}"] = moment["exp_avg_sq"].numpy()
        write_state(self._state, self.iteration, arrays)
        for reporter in self.reporters:
            reporter.snapshot(self._state)

    def resume(self) -> None:
        """Go on from the checkpoint.

        Raises:
            TrainingError: when there is none, or it is of another network.
        """
        self.iteration, arrays = read_state(self._state)
        self._take(arrays, "average", self._state)
        try:
            with torch.no_grad():
                for index, blob in enumerate(self.network.parameters):
                    self._optimizer.state[blob] = {
                        "step": torch.tensor(float(self.iteration)),
                        "exp_avg": _laid_out_as(blob, arrays[f"first_{index}"]),
                        "exp_avg_sq": _laid_out_as(blob, arrays[f"second_{index}"]),
                    }
        except (KeyError, RuntimeError) as error:
            raise TrainingError(f"{self._state} is of another network: {error}") from None

    def begin_with(self, state: Path) -> None:
        """Begin with the weights of another training's checkpoint, at iteration 0.

        Raises:
            TrainingError: when there is none, or it is of another network.
        """
        _, arrays = read_state(state)
        self._take(arrays, "weight", state)

    def _take(self, arrays: Mapping[str, np.ndarray], average: str, origin: Path) -> None:
        try:
            with torch.no_grad():
                for index, blob in enumerate(self._blobs):
                    blob.copy_(torch.from_numpy(arrays[f"weight_{index}"]))
                    self.average[index].copy_(torch.from_numpy(arrays[f"{average}_{index}"]))
        except (KeyError, RuntimeError) as error:
            raise TrainingError(f"{origin} is of another network: {error}") from None


def _laid_out_as(blob: torch.Tensor, values: np.ndarray) -> torch.Tensor:
    """Copy values into a tensor of a blob's strides, which the fused optimizer takes for given."""
    return torch.empty_like(blob, requires_grad=False).copy_(torch.from_numpy(values))
