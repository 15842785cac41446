"""The whole evaluation: models × sets of faces × crops, with intervals and comparisons."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.errors import DatasetError, UsageError, did_you_mean
from edgeage.evaluation.bootstrap import Resampler
from edgeage.evaluation.crops import CROPS
from edgeage.evaluation.faces import Readers, open_faces
from edgeage.evaluation.raw import kept_answers
from edgeage.scoring.candidates import FOLD, Finder, time_candidates
from edgeage.scoring.compare import compare
from edgeage.scoring.score import Scored, score
from edgeage.speed.hardware import machine
from edgeage.views import check_crops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgeage.evaluation.faces import LabelledFaces
    from edgeage.evaluation.raw import RawAnswers
    from edgeage.manifest import Manifest
    from edgeage.scoring.candidates import Candidate
    from edgeage.speed.timing import Figures

__all__ = ["EvaluateOptions", "evaluate"]

_TOOLS = ("edgeage", "openvino", "numpy", "opencv-python")


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """How models are evaluated.

    Attributes:
        split: which side of each data set, or ``"all"`` of it.
        lists: lists of faces to score instead, by path or name; each is a set of its own.
        crop: in which of :data:`edgeage.evaluation.crops.CROPS` each face is scored.
        crops: how many views of that the models answer for, of :data:`edgeage.views.CROPS`; their
            probabilities are averaged.
        device: where the models run.
        precision: what trained networks are compiled in.
        resamples: how often faces are drawn anew for the intervals.
        seconds: how long each model is timed; 0 to leave that out.
        limit: score at most so many faces of each set.
        cache: keep answers, and take those kept earlier.

    Raises:
        UsageError: for an unknown crop, or a number out of range.
    """

    split: str = "test"
    lists: tuple[str, ...] = ()
    crop: tuple[str, ...] = ("tight",)
    crops: int = 1
    device: str = "CPU"
    precision: str = "FP32"
    resamples: int = 1000
    seconds: float = 1.0
    limit: int | None = None
    cache: bool = True

    def __post_init__(self) -> None:
        for crop in self.crop:
            if crop not in CROPS:
                raise UsageError(
                    f"unknown crop «{crop}»; expected {' or '.join(CROPS)}"
                    f"{did_you_mean(crop, CROPS)}"
                )
        check_crops(self.crops)
        if self.resamples < 100:
            raise UsageError(f"expected at least 100 resamples, got {self.resamples}")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"expected a limit of at least 1 face, got {self.limit}")


def evaluate(
    models: Sequence[str],
    data: Sequence[str | Path],
    options: EvaluateOptions | None = None,
    *,
    on_step: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Score models on data sets.

    Models run in batches on the device; answers are kept in the user's cache by the hashes of
    models and faces, so an evaluation that was interrupted goes on where it was, model by set.

    Args:
        models: each one what a Predictor takes, or names and files separated by commas; see
            :meth:`edgeage.scoring.candidates.Finder.find`.
        data: folders made by ``edgeage dataset build``.
        options: see :class:`EvaluateOptions`.
        on_step: told which model is run on which faces, before it is.
        on_progress: told how many of how many faces of that step are done.

    Returns:
        JSON-ready values: ``models`` and ``sets``; ``results``, one for each model on each set in
        each crop; ``comparisons`` of each two models on the same; ``not_scored``, a line for
        each thing the data sets do not tell. Shares are 0 to 1.

    Raises:
        UsageError: for an unknown model or no data set.
        ModelError: when a model is missing or damaged.
        DatasetError: when a data set is not finished, or lacks what is asked of it.
        DeviceError: when the device fails.
    """
    options = options or EvaluateOptions()
    if not models or not data:
        raise UsageError("expected at least one model and one data set")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edgeage-evaluate-"))
        readers = stack.enter_context(Readers())
        opened = functools.partial(
            open_faces, split=options.split, limit=options.limit, readers=readers
        )
        sets = [
            stack.enter_context(opened(place, faces=faces))
            for place in data
            for faces in options.lists or (None,)
        ]
        candidates = _candidates(models, sets, Path(folder), options, on_step)
        rounds = [
            _one_set(candidates, faces, crop, options, on_step=on_step, on_progress=on_progress)
            for faces in sets
            for crop in options.crop
        ]
        times: list[Figures | None] = [None] * len(candidates)
        if options.seconds > 0:
            on_step("Timing all of them in turn.")
            times = time_candidates(
                candidates, device=options.device, seconds=options.seconds, crops=options.crops
            )
        return {
            "evaluation": 1,
            "options": dataclasses.asdict(options),
            "machine": machine(),
            "versions": {tool: version(tool) for tool in _TOOLS},
            "models": [
                _model(candidate, figures.to_dict() if figures else None)
                for candidate, figures in zip(candidates, times, strict=True)
            ],
            "sets": [_set(faces) for faces in sets],
            "results": [result for results, _ in rounds for result in results],
            "comparisons": [line for _, compared in rounds for line in compared],
            "not_scored": list(dict.fromkeys(itertools.chain(*map(_not_scored, sets)))),
        }


def _candidates(
    models: Sequence[str],
    sets: Sequence[LabelledFaces],
    folder: Path,
    options: EvaluateOptions,
    on_step: Callable[[str], None],
) -> list[Candidate]:
    finder = Finder(folder, precision=options.precision, device=options.device)
    folds = sorted({fold for faces in sets for fold in faces.truth.left_out} - {""})
    if any(FOLD in words for words in models) and len(sets) > 1:
        raise UsageError("models of a fold each are scored on one data set at a time")
    found = []
    for words in models:
        on_step(f"Preparing {words}.")
        found.append(finder.find(words, folds))
    names = [candidate.name for candidate in found]
    return [
        dataclasses.replace(candidate, name=f"{candidate.name} #{place}")
        if names.count(candidate.name) > 1
        else candidate
        for place, candidate in enumerate(found, 1)
    ]


def _one_set(
    candidates: Sequence[Candidate],
    faces: LabelledFaces,
    crop: str,
    options: EvaluateOptions,
    *,
    on_step: Callable[[str], None],
    on_progress: Callable[[int, int | None], None] | None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Score every model on one set of faces in one crop, and compare each two."""
    answer = functools.partial(_answered, crop=crop, options=options, on_progress=on_progress)
    resampler = Resampler(faces.truth.units, options.resamples)
    scored: list[Scored] = []
    for candidate in candidates:
        on_step(f"{candidate.name} on {faces.name}, {faces.part}, {crop}: {len(faces)} faces.")
        answers = candidate.answers(faces, answer)
        scored.append(score(candidate.manifests, answers, faces, resampler))
    head = {"set": faces.name, "part": faces.part, "crop": crop}
    results = [
        {"model": candidate.name, **head, **found.fields}
        for candidate, found in zip(candidates, scored, strict=True)
    ]
    lines = [
        {"first": candidates[one].name, "second": candidates[other].name, **head, **line}
        for one, other in itertools.combinations(range(len(candidates)), 2)
        for line in compare(scored[one], scored[other])
    ]
    return results, lines


def _answered(
    manifests: Sequence[Manifest],
    faces: LabelledFaces,
    *,
    crop: str,
    options: EvaluateOptions,
    on_progress: Callable[[int, int | None], None] | None,
) -> RawAnswers:
    if not len(faces):
        raise DatasetError(f"{faces.folder} has no face to score")
    return kept_answers(
        manifests,
        faces,
        crop=crop,
        crops=options.crops,
        device=options.device,
        cache=options.cache,
        on_progress=on_progress,
    )


def _model(candidate: Candidate, figures: dict[str, Any] | None) -> dict[str, Any]:
    sources = [m.source.get("dataset", m.source) for m in candidate.manifests]
    licences = dict.fromkeys(str(source["licence"]) for source in sources if "licence" in source)
    return {
        "name": candidate.name,
        "words": candidate.words,
        "networks": list(dict.fromkeys(manifest.name for manifest in candidate.manifests)),
        "tasks": list(candidate.tasks),
        "weights_sha256": sorted(
            entry["sha256"]
            for manifest in candidate.manifests
            for role, entry in manifest.files.items()
            if role in ("ir_bin", "onnx") and "sha256" in entry
        ),
        "bytes": candidate.bytes,
        "time": figures,
        "licences": list(licences),
    }


def _set(faces: LabelledFaces) -> dict[str, Any]:
    return {
        "set": faces.name,
        "part": faces.part,
        "faces": len(faces),
        "ignored": faces.ignored,
        "independent": len(set(faces.truth.units.tolist())),
        "sha256": faces.sha256,
        "licence": faces.report["dataset"].get("licence", ""),
        "source": faces.report["dataset"].get("source", ""),
    }


def _not_scored(faces: LabelledFaces) -> list[str]:
    """Say in a line what the data set does not tell."""
    truth = faces.truth
    missing = {
        "races": not any(truth.races),
        "genders": not (truth.genders >= 0).any(),
        "persons": not all(truth.persons),
        "folds": not any(truth.folds),
        "apparent ages": not (truth.apparent_ages > 0).any(),
    }
    told = ", ".join(name for name, lacks in missing.items() if lacks)
    return [f"{faces.name} tells no {told}: nothing is scored by them."] if told else []
