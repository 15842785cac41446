"""Caffe's LMDB of ``Datum`` records: written in order, read from any thread."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.caffe import decode_datum, encode_datum
from edgeage.closing import Closing
from edgeage.errors import DatasetError, require

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np

__all__ = ["DatumReader", "DatumWriter", "datum_key"]

_FIRST_MAP_BYTES = 64 << 20
_BATCH_BYTES = 8 << 20
_MAX_KEY_BYTES = 511


def datum_key(index: int, name: str) -> bytes:
    """Return a record's key as Caffe's ``convert_imageset`` writes it, at most 511 bytes.

    >>> datum_key(7, "a.jpg")
    b'00000007_a.jpg'
    """
    return f"{index:08d}_{name}".encode("utf-8", "surrogateescape")[:_MAX_KEY_BYTES]


class DatumWriter:
    """Writes a new LMDB; a context manager that closes it whole, or removes nothing and raises.

    The map grows as needed, so the finished ``data.mdb`` is about as large as what is in it.

    Args:
        path: the LMDB's folder, which must not exist or be empty.

    Attributes:
        count: how many records it holds so far.

    Raises:
        DatasetError: when it cannot be written, for example because the disk is full.

    Source:
        LMDBs as Caffe's ``tools/convert_imageset.cpp`` writes them.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lmdb: Any = require("lmdb", extra="data", purpose="write data sets")
        self._batch: list[tuple[bytes, bytes]] = []
        self._batch_bytes = 0
        self._digest = hashlib.sha256()
        self.count = 0
        self._map_bytes = _FIRST_MAP_BYTES
        if self.path.exists() and any(self.path.iterdir()):
            raise DatasetError(f"{self.path} is not empty; expected a folder for a new LMDB")
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._environment = self._lmdb.open(
                str(self.path), map_size=self._map_bytes, sync=False, metasync=False
            )
        except self._lmdb.Error as error:
            raise self._failed(error) from error

    def put(self, name: str, pixels: np.ndarray, label: int) -> None:
        """Append a picture under the next key.

        Args:
            name: goes into the key behind the record's number.
            pixels: uint8 array of shape (3, height, width), BGR.
            label: the class.

        Raises:
            DatasetError: when it cannot be written.
        """
        self.put_bytes(name, encode_datum(pixels, label))

    def put_bytes(self, name: str, value: bytes) -> None:
        """Append an encoded ``Datum`` under the next key.

        Args:
            name: goes into the key behind the record's number.
            value: what :func:`edgeage.caffe.encode_datum` returned.

        Raises:
            DatasetError: when it cannot be written.
        """
        key = datum_key(self.count, name)
        for part in (key, value):
            self._digest.update(len(part).to_bytes(8, "little"))
            self._digest.update(part)
        self._batch.append((key, value))
        self._batch_bytes += len(value)
        self.count += 1
        if self._batch_bytes >= _BATCH_BYTES:
            self._flush()

    def sha256(self) -> str:
        """Return the hash of all records so far.

        Hashed are, for each key and each value in turn, its length as 8 bytes, little end first,
        and its bytes.
        """
        return self._digest.hexdigest()

    def _flush(self) -> None:
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    for key, value in self._batch:
                        transaction.put(key, value, append=True)
                break
            except self._lmdb.MapFullError:
                self._map_bytes *= 2
                self._environment.set_mapsize(self._map_bytes)
            except self._lmdb.Error as error:
                raise self._failed(error) from error
        self._batch, self._batch_bytes = [], 0

    def _failed(self, error: Exception) -> DatasetError:
        return DatasetError(f"{self.path} cannot be written: {error}; is the disk full?")

    def close(self) -> None:
        """Write what is left and flush it to disk."""
        try:
            self._flush()
            self._environment.sync(True)
        except self._lmdb.Error as error:
            raise self._failed(error) from error
        finally:
            self._environment.close()
        # Readers make their own lock file when they need one.
        (self.path / "lock.mdb").unlink(missing_ok=True)

    def __enter__(self) -> DatumWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._environment.close()


class DatumReader(Closing):
    """Reads an LMDB of ``Datum`` records; a context manager, safe for many threads.

    Args:
        path: the LMDB's folder, with a ``data.mdb`` in it.

    Raises:
        DatasetError: when it is missing, empty, truncated or no LMDB.

    Attributes:
        shape: (3, height, width) of its first picture.

    Source:
        LMDBs as Caffe's ``Data`` layer reads them (``util/db_lmdb.cpp``).
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lmdb: Any = require("lmdb", extra="data", purpose="read data sets")
        if not (self.path / "data.mdb").is_file():
            raise DatasetError(
                f"{self.path} is not an LMDB: it has no data.mdb; make one with: "
                "edgeage dataset build"
            )
        try:
            self._environment = self._lmdb.open(
                str(self.path), readonly=True, lock=False, create=False
            )
        except (self._lmdb.Error, OSError) as error:
            raise self._damaged(error) from None
        try:
            self._check_size()
            self._keys = self._read_keys()
            self.shape: tuple[int, ...] = self._decode(0)[0].shape
        # Whatever it is, nobody else can close what was opened here.
        except BaseException:
            self._environment.close()
            raise

    def _check_size(self) -> None:
        """Refuse a truncated file, which LMDB would read beyond its end, killing the process."""
        pages = self._environment.info()["last_pgno"] + 1
        needed = pages * self._environment.stat()["psize"]
        found = (self.path / "data.mdb").stat().st_size
        if found < needed:
            raise self._damaged(f"data.mdb has {found} bytes, expected {needed}")

    def _read_keys(self) -> list[bytes]:
        try:
            with self._environment.begin() as transaction:
                keys = list(transaction.cursor().iternext(keys=True, values=False))
        except self._lmdb.Error as error:
            raise self._damaged(error) from None
        if not keys:
            raise DatasetError(f"{self.path} is an empty LMDB; build the data set again")
        return keys

    def _damaged(self, error: object) -> DatasetError:
        return DatasetError(f"{self.path} is a damaged LMDB ({error}); build the data set again")

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, index: int) -> bytes:
        """Return a record's key.

        Args:
            index: 0 to ``len(reader) - 1``, in the order of the keys.

        Raises:
            IndexError: when there is no such record.
        """
        return self._keys[index]

    def name(self, index: int) -> str:
        """Return the name in a record's key (:func:`datum_key`), which is cut to 502 bytes.

        Args:
            index: 0 to ``len(reader) - 1``, in the order of the keys.

        Raises:
            IndexError: when there is no such record.
        """
        return self.key(index).decode("utf-8", "surrogateescape").partition("_")[2]

    def pair(self, index: int) -> tuple[bytes, bytes]:
        """Return a record's key and value as they are stored.

        Args:
            index: 0 to ``len(reader) - 1``, in the order of the keys.

        Raises:
            DatasetError: when the LMDB is damaged.
            IndexError: when there is no such record.
        """
        key = self._keys[index]
        try:
            with self._environment.begin(buffers=False) as transaction:
                return key, bytes(transaction.get(key))
        except self._lmdb.Error as error:
            raise self._damaged(error) from None

    def get(self, index: int) -> tuple[np.ndarray, int]:
        """Return a record's picture and label.

        Args:
            index: 0 to ``len(reader) - 1``, in the order of the keys.

        Returns:
            uint8 array of shape (3, height, width), BGR, and the label.

        Raises:
            DatasetError: when the record is damaged or of another size than the first.
            IndexError: when there is no such record.
        """
        pixels, label = self._decode(index)
        if pixels.shape != self.shape:
            raise DatasetError(
                f"{self.path}: record {index} has shape {pixels.shape}, expected {self.shape} as "
                "the first; build the data set again"
            )
        return pixels, label

    def _decode(self, index: int) -> tuple[np.ndarray, int]:
        _, value = self.pair(index)
        try:
            return decode_datum(value)
        except DatasetError as error:
            raise DatasetError(f"{self.path}: record {index} is damaged: {error}") from None

    def close(self) -> None:
        """Close the LMDB; no other call is allowed after it."""
        self._environment.close()
