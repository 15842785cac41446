"""The models that are scored: whatever a Predictor takes, and trained networks by name or file."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeage.compiler import compile_model, find_model
from edgeage.compiler.sources import RELEASED
from edgeage.errors import UsageError
from edgeage.modelfiles import read_models
from edgeage.networks import check_models, load_networks
from edgeage.prediction.clock import StageClock
from edgeage.runtime.devices import open_backend, target_of
from edgeage.runtime.options import RuntimeOptions
from edgeage.speed.grid import split_words
from edgeage.speed.timing import Figures, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgeage.evaluation.faces import LabelledFaces
    from edgeage.evaluation.raw import RawAnswers
    from edgeage.manifest import Manifest

    _Answer = Callable[[Sequence[Manifest], LabelledFaces], RawAnswers]

__all__ = ["FOLD", "Candidate", "Finder", "time_candidates"]

FOLD = "{fold}"
"""What stands, in the path of a model trained without it, for a face's fold or else its person."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Models that are scored together as one, for one task each.

    Attributes:
        words: what was asked for.
        manifests: the compiled models; of one fold where there is one a fold.
        name: what to call it.
        folds: by fold the models that were trained without it; empty for the same models for all.
    """

    words: str
    manifests: tuple[Manifest, ...]
    name: str
    folds: dict[str, tuple[Manifest, ...]] = dataclasses.field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it answers."""
        return tuple(task for manifest in self.manifests for task in manifest.tasks)

    @property
    def bytes(self) -> int:
        """Size of the networks' files."""
        roles = ("ir_xml", "ir_bin", "onnx", "blob")
        files = {
            manifest.file(role) for manifest in self.manifests for role in roles
            if role in manifest.files
        }  # fmt: skip
        return sum(file.stat().st_size for file in files)

    def answers(
        self,
        faces: LabelledFaces,
        answer: Callable[[Sequence[Manifest], LabelledFaces], RawAnswers],
    ) -> RawAnswers:
        """Have every face answered by the models for it.

        Args:
            faces: what to answer for.
            answer: runs models on faces.
        """
        if not self.folds:
            return answer(self.manifests, faces)
        labels = np.array(faces.truth.left_out)
        found: RawAnswers = {}
        for fold, manifests in self.folds.items():
            chosen = labels == fold
            for task, rows in answer(manifests, faces.only(chosen)).items():
                whole = found.setdefault(task, np.zeros((len(faces), *rows.shape[1:]), np.float32))
                whole[chosen] = rows
        return found


class Finder:
    """Finds candidates by what a user writes; trained networks are compiled once each.

    Args:
        folder: gets what is compiled, and has to stay as long as it is used.
        precision: what trained networks are compiled in.
        device: what for.
    """

    def __init__(self, folder: Path, *, precision: str = "FP32", device: str = "CPU") -> None:
        self._folder, self._precision = folder, precision
        self._target = target_of(device)
        self._made: dict[str, Manifest] = {}

    def find(self, words: str, folds: Sequence[str] = ()) -> Candidate:
        """Find one candidate.

        Args:
            words: separated by commas: names of released models, ``.caffemodel`` files, and what
                a Predictor takes. A path with :data:`FOLD` is of one model for every fold.
            folds: the folds there are.

        Raises:
            UsageError: for an unknown name, or folds that the data set does not have.
            ModelError: when a model is missing or damaged, or two answer the same task.
        """
        if FOLD not in words:
            manifests = self._manifests(words)
            return Candidate(words, manifests, _name(manifests))
        if not folds:
            raise UsageError(f"{words} is a model a fold, and the data set tells no folds")
        each = {fold: self._manifests(words.replace(FOLD, fold)) for fold in folds}
        first = next(iter(each.values()))
        return Candidate(words, first, f"{_name(first)}, one a fold", each)

    def _manifests(self, words: str) -> tuple[Manifest, ...]:
        found = [manifest for word in split_words([words]) for manifest in self._of_word(word)]
        return tuple(check_models(found))

    def _of_word(self, word: str) -> list[Manifest]:
        if word not in RELEASED and Path(word).suffix != ".caffemodel":
            return read_models(word)
        if word not in self._made:
            place = self._folder / str(len(self._made))
            self._made[word] = compile_model(
                find_model(word), place, target=self._target, precision=self._precision
            )
        return [self._made[word]]


def _name(manifests: Sequence[Manifest]) -> str:
    names = "+".join(dict.fromkeys(manifest.name for manifest in manifests))
    precisions = dict.fromkeys(manifest.precision for manifest in manifests if manifest.precision)
    return " ".join([names, *precisions])


def time_candidates(
    candidates: Sequence[Candidate], *, device: str = "CPU", seconds: float = 2.0, crops: int = 1
) -> list[Figures | None]:
    """Time all candidates in turn, on one face at a time of noise, ready cut and resized.

    Args:
        candidates: what to time.
        device: where.
        seconds: how long each.
        crops: how many views of the face each is given.

    Returns:
        For each its times; None for one that failed.
    """
    with contextlib.ExitStack() as stack:
        calls = []
        for candidate in candidates:
            backend = open_backend(device, RuntimeOptions("latency"))
            networks = stack.enter_context(
                contextlib.closing(load_networks(candidate.manifests, backend, None, None, crops))
            )
            random = np.random.default_rng(0)
            batch = {
                spec: random.integers(0, 256, (crops, 3, *spec.input_hw), np.uint8)
                for spec in networks.inputs
            }
            calls.append(lambda n=networks, b=batch: n.infer(b, StageClock()))
        laps = take_turns(calls, seconds=seconds)
    return [Figures.of(lap.turns_ms) if lap.error is None else None for lap in laps]
