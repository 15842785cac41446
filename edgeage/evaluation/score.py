"""Run a network over a data set's test pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import DatasetError
from edgeage.evaluation.metrics import Score
from edgeage.views import averaged, check_crops, cut_views

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edgeage.datasets.store import DatumReader
    from edgeage.manifest import Manifest
    from edgeage.runtime.backend import Session

__all__ = ["check_labels", "predict_probabilities", "score_model"]

_CHUNK = 64


def predict_probabilities(
    session: Session,
    manifest: Manifest,
    reader: DatumReader,
    on_progress: Callable[[int, int | None], None] | None = None,
    crops: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Run a network over every record of an LMDB, in order.

    Args:
        session: the network, loaded on a device.
        manifest: says how a stored picture becomes its input.
        reader: the opened LMDB.
        on_progress: told how many of how many pictures are done.
        crops: how many views of a picture are averaged, of :data:`edgeage.views.CROPS`.

    Returns:
        float32 probabilities (N, labels) and int64 labels (N,).

    Raises:
        UsageError: for ``crops`` that there are not.
    """
    check_crops(crops)
    probabilities, labels = [], []
    chunk = max(1, _CHUNK // crops)
    for start in range(0, len(reader), chunk):
        records = [reader.get(index) for index in range(start, min(start + chunk, len(reader)))]
        views = [
            cut_views(pixels.transpose(1, 2, 0), manifest.input, crops) for pixels, _ in records
        ]
        answer = session.infer(np.concatenate(views))
        probabilities.append(averaged(answer, manifest.outputs, crops).probabilities)
        labels += [label for _, label in records]
        if on_progress:
            on_progress(start + len(records), len(reader))
    return np.concatenate(probabilities), np.array(labels, dtype=np.int64)


def check_labels(labels: np.ndarray, manifest: Manifest, path: Path) -> None:
    """Refuse labels that are not a network's.

    Args:
        labels: int64 (N,), at least one.
        manifest: of the network.
        path: of the LMDB they come from.

    Raises:
        DatasetError: when a label is none of the network's.
    """
    if labels.min() < 0 or labels.max() >= len(manifest.labels):
        raise DatasetError(
            f"{path} has labels of {labels.min()} to {labels.max()}, {manifest.name} knows "
            f"0 to {len(manifest.labels) - 1}; is it the data set of another task?"
        )


def score_model(
    session: Session,
    manifest: Manifest,
    reader: DatumReader,
    on_progress: Callable[[int, int | None], None] | None = None,
    crops: int = 1,
) -> Score:
    """Score a network on every record of an LMDB.

    Args:
        session: the network, loaded on a device.
        manifest: its labels and input.
        reader: the opened LMDB, labelled with the same classes.
        on_progress: told how many of how many pictures are done.
        crops: how many views of a picture are averaged, of :data:`edgeage.views.CROPS`.

    Raises:
        DatasetError: when a record's label is none of the network's.
        UsageError: for ``crops`` that there are not.
    """
    probabilities, labels = predict_probabilities(session, manifest, reader, on_progress, crops)
    check_labels(labels, manifest, reader.path)
    return Score.of(
        labels, probabilities.argmax(axis=1), manifest.labels, ordered=manifest.task == "age"
    )
