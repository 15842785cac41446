"""Reading MATLAB's files: version 5 with scipy, version 7.3, which is HDF5, with h5py.

Neither executes or unpickles anything. scipy reads a version 5 variable as a whole; of version
7.3 only what is asked for is read.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from edgeage.datasets.sources import MAX_TABLE_BYTES
from edgeage.errors import DatasetError, EdgeageError, one_line, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["MatFile", "open_mat"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_HEADER_BYTES, _COMPRESSED, _BLOCK_BYTES = 128, 15, 1 << 20
_MOST_UNPACKED_BYTES = 1 << 31  # MATLAB writes no variable of version 5 that is larger
_PURPOSE = "read MATLAB files"


class MatFile:
    """An open file.

    Args:
        variables: name → what the reader gave, arrays or structs.
        name: what messages call it.
        hdf5: the open h5py file for version 7.3, else None.
    """

    def __init__(self, variables: Any, name: str, hdf5: Any = None) -> None:
        self.variables, self.name, self._hdf5 = variables, name, hdf5

    def names(self) -> list[str]:
        """Return the names of its variables."""
        return [name for name in self.variables if not name.startswith(("__", "#"))]

    def array(self, name: str) -> Any:
        """Return a variable that is an array, axes as MATLAB has them; of 7.3 not yet read."""
        if name not in self.variables:
            raise DatasetError(f"{self.name} has no variable «{name}»; is it this data set's?")
        if self._hdf5 is None:
            return self.variables[name]
        return _Reversed(_inside(self.variables, name))

    def fields(self, struct: str, names: Sequence[str]) -> dict[str, Any]:
        """Return fields of a 1 × 1 struct, each as a flat sequence.

        Args:
            struct: the variable.
            names: the fields; those that are missing are left out.

        Raises:
            DatasetError: when it is no such struct.
        """
        if self._hdf5 is not None:
            group: Any = _inside(self.variables, struct) if struct in self.variables else None
            if not hasattr(group, "keys"):
                raise self._no_struct(struct)
            return {name: self._column(_inside(group, name)) for name in names if name in group}
        value = self.variables.get(struct)
        if getattr(value, "dtype", None) is None or value.dtype.names is None or value.size != 1:
            raise self._no_struct(struct)
        return {
            name: value[name].flat[0].ravel() for name in names if name in (value.dtype.names or ())
        }

    def _no_struct(self, name: str) -> DatasetError:
        return DatasetError(f"{self.name}: «{name}» is not a 1 × 1 struct; is it this data set's?")

    def _column(self, data: Any) -> Any:
        _check_size(data)
        if data.dtype.kind != "O":
            return np.asarray(data).ravel()
        return _Cells(self._hdf5, np.asarray(data).ravel())

    def text(self, cell: Any) -> str:
        """Return a cell's text, empty when it holds none."""
        array = np.asarray(cell)
        if array.dtype.kind in "US":
            return str(array.flat[0]) if array.size else ""
        # In version 7.3 a text is a column of UTF-16 units.
        if array.dtype == np.uint16:
            units = array.ravel().astype("<u2").tobytes()
            return units.decode("utf-16-le", "replace").strip("\0")
        if array.dtype.kind == "O" and array.size:
            return self.text(array.flat[0])
        return ""


class _Cells:
    """A cell array of version 7.3, whose cells are read when they are looked at."""

    def __init__(self, file: Any, references: np.ndarray) -> None:
        self._file, self._references = file, references

    def __len__(self) -> int:
        return len(self._references)

    def __getitem__(self, index: int) -> np.ndarray:
        data = self._file[self._references[index]]
        _check_storage(data)
        _check_size(data)
        return np.asarray(data)


class _Reversed:
    """A version 7.3 array, stored with its axes reversed, indexed along MATLAB's first."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self.shape, self.dtype = tuple(reversed(data.shape)), data.dtype

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, index: int) -> np.ndarray:
        picture: np.ndarray = np.asarray(self._data[..., index]).T
        return picture

    def ravel(self) -> np.ndarray:
        _check_size(self._data)
        flat: np.ndarray = np.asarray(self._data).ravel()
        return flat


def _inside(group: Any, name: str) -> Any:
    """Return what a group of an HDF5 file holds, and never what another file does."""
    kind = type(group.get(name, getlink=True)).__name__
    if kind != "HardLink":
        raise DatasetError(f"«{name}» is a link out of its place ({kind}), MATLAB writes none")
    data = group[name]
    _check_storage(data)
    return data


def _check_storage(data: Any) -> None:
    if getattr(data, "external", None) or getattr(data, "is_virtual", False):
        raise DatasetError(f"«{data.name}» keeps its values in another file, MATLAB never does")


def _check_size(data: Any) -> None:
    if data.nbytes > MAX_TABLE_BYTES:
        raise DatasetError(f"«{data.name}» claims {data.nbytes:,} bytes, no table of labels has")


@contextlib.contextmanager
def open_mat(path: Path, name: str) -> Iterator[MatFile]:
    """Open a file for the length of the block.

    Args:
        path: where it is.
        name: what messages call it.

    Raises:
        DatasetError: when it is no MATLAB file, or damaged.
        MissingDependencyError: without scipy, or h5py for version 7.3.
    """
    with path.open("rb") as file:
        start = file.read(1024)
    if start[:8] == _HDF5 or start[512:520] == _HDF5:
        h5py = require("h5py", extra="mat", purpose=f"{_PURPOSE} of version 7.3")
        with _named(name), h5py.File(path, "r") as opened:
            yield MatFile(opened, name, opened)
        return
    scipy_io = require("scipy.io", extra="mat", purpose=_PURPOSE)
    with _named(name):
        with path.open("rb") as file:
            _check_unpacked(file, name)
        variables = scipy_io.loadmat(path, chars_as_strings=True)
    yield MatFile(variables, name)


def _check_unpacked(file: IO[bytes], name: str) -> None:
    """Refuse a version 5 file that unpacks to more than its variables may have, holding none."""
    order = ">" if file.read(_HEADER_BYTES)[-2:] == b"MI" else "<"
    unpacked = 0
    while len(tag := file.read(8)) == 8:
        kind, size = struct.unpack(f"{order}II", tag)
        stream, end = zlib.decompressobj(), file.tell() + size
        while kind == _COMPRESSED and (block := file.read(min(_BLOCK_BYTES, end - file.tell()))):
            while block and not stream.eof:
                unpacked += len(stream.decompress(block, _BLOCK_BYTES))
                block = stream.unconsumed_tail
                if unpacked > _MOST_UNPACKED_BYTES:
                    raise DatasetError(
                        f"{name} unpacks to more than {_MOST_UNPACKED_BYTES >> 20} MB, no table of "
                        "labels does; is it one?"
                    )
        file.seek(end)


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except EdgeageError:
        raise
    # Both readers raise whatever a damaged byte leads them to.
    except Exception as error:
        raise DatasetError(f"{name} is not a readable MATLAB file: {one_line(error)}") from None
