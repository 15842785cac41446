"""The pictures engines are compared on, with their labels where the data has any."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from edgeage.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgeage.manifest import Manifest

__all__ = ["LabelledPictures", "read_pictures"]

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class LabelledPictures:
    """Inputs of a comparison.

    Attributes:
        batch: uint8 (n, 3, height, width), BGR, as the network takes them.
        labels: int64 (n,), or None where the data has none.
        origin: where they come from, in a few words.
    """

    batch: np.ndarray
    labels: np.ndarray | None
    origin: str


def read_pictures(data: Path, manifest: Manifest, count: int) -> LabelledPictures:
    """Read at most ``count`` pictures, evenly spread over the data.

    Args:
        data: a built data set (its test LMDB is used), an LMDB, a folder of pictures or one
            picture.
        manifest: says how a picture becomes the network's input, and its labels.
        count: how many.

    Raises:
        DatasetError: when the LMDB is missing, empty, corrupt or of another task.
        ImageError: when the folder holds no readable picture.
    """
    for lmdb in (data / f"{manifest.task}_test_lmdb", data):
        if (lmdb / "data.mdb").is_file():
            return _stored(lmdb, manifest, count)
    from edgeage.sources import find_sources

    sources = _spread(list(find_sources(data)), count)
    batch = np.stack([manifest.input.prepare(source.read()) for source in sources])
    return LabelledPictures(batch, None, f"{len(sources)} pictures of {data.name}")


def _stored(lmdb: Path, manifest: Manifest, count: int) -> LabelledPictures:
    from edgeage.datasets.store import DatumReader

    with DatumReader(lmdb) as reader:
        records = [reader.get(place) for place in _spread(range(len(reader)), count)]
    labels = np.array([label for _, label in records], np.int64)
    if labels.min() < 0 or labels.max() >= len(manifest.labels):
        raise DatasetError(
            f"{lmdb} has labels of {labels.min()} to {labels.max()}, {manifest.name} knows 0 to "
            f"{len(manifest.labels) - 1}; is it the data set of another task?"
        )
    pictures = [np.ascontiguousarray(pixels.transpose(1, 2, 0)) for pixels, _ in records]
    batch = np.stack([manifest.input.prepare(picture) for picture in pictures])
    return LabelledPictures(batch, labels, f"{len(labels)} pictures of {lmdb.name}")


def _spread(items: Sequence[_T], count: int) -> list[_T]:
    count = min(len(items), count)
    return [items[place * len(items) // count] for place in range(count)]
