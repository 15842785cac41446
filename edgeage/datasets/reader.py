"""The faces of a built data set with all their labels, pixels and labels apart."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.closing import Closing
from edgeage.datasets.records import SplitRecord, read_records
from edgeage.datasets.store import DatumReader
from edgeage.errors import DatasetError, UsageError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["FaceReader"]


class FaceReader(Closing):
    """Reads a side of a data set: each face once, whatever copies balance its classes.

    Pixels come from the age LMDB and labels from ``records.csv``, so age, gender and all else
    that is known of a face are read from one store. It is a map-style data set as
    ``torch.utils.data.DataLoader`` takes it: it has a length, an index and can be pickled; every
    process opens the store for itself. ``tf.data`` takes it through ``from_generator``.

    Args:
        data: the folder ``edgeage dataset build -o`` made.
        split: ``"train"`` or ``"test"``.

    Attributes:
        shape: (3, height, width) of its pictures.

    Raises:
        DatasetError: when the data set is missing or damaged, or a face is not in its LMDB.
        UsageError: for another split.
    """

    _opened: DatumReader | None

    def __init__(self, data: str | Path, split: str) -> None:
        if split not in ("train", "test"):
            raise UsageError(f"expected the split «train» or «test», got «{split}»")
        self.data, self.split = Path(data), split
        records = {
            item.record.name: item
            for item in read_records(self.data / "records.csv")
            if item.split == split
        }
        self._forget()
        reader = self._reader()
        self.shape = reader.shape
        self._items: list[tuple[int, SplitRecord]] = []
        for slot in range(len(reader)):
            name = reader.name(slot)
            if item := records.pop(name, None):
                self._items.append((slot, item))
        self.close()
        if records:
            raise DatasetError(
                f"{reader.path} lacks {len(records)} faces of records.csv, for example "
                f"«{next(iter(records))}»; build the data set again"
            )

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[np.ndarray, SplitRecord]:
        """Return a face.

        Args:
            index: 0 to ``len(reader) - 1``.

        Returns:
            uint8 array of shape (3, height, width), BGR, and what is known of it.

        Raises:
            DatasetError: when it is damaged.
            IndexError: when there is no such face.
        """
        slot, item = self._items[index]
        return self._reader().get(slot)[0], item

    def record(self, index: int) -> SplitRecord:
        """Return what is known of a face without reading its picture.

        Args:
            index: 0 to ``len(reader) - 1``.

        Raises:
            IndexError: when there is no such face.
        """
        return self._items[index][1]

    def close(self) -> None:
        """Close the store of this process; reading opens it again."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened = None

    def _forget(self) -> None:
        self._lock, self._process = threading.Lock(), 0
        self._opened = None

    def _reader(self) -> DatumReader:
        with self._lock:
            if self._opened is not None and self._process != os.getpid():
                # LMDB must not be used across a fork; closed here it is still open over there.
                self._opened.close()
                self._opened = None
            if self._opened is None:
                self._opened = DatumReader(self.data / f"age_{self.split}_lmdb")
                self._process = os.getpid()
            return self._opened

    def __getstate__(self) -> dict[str, Any]:
        apart = ("_lock", "_process", "_opened")
        return {name: value for name, value in vars(self).items() if name not in apart}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()
