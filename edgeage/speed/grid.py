"""What is measured: every network on every device in every precision, loaded and ready to run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from edgeage.errors import EdgeageError, UsageError
from edgeage.modelfiles import read_models
from edgeage.runtime.devices import target_of

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterator, Sequence

    from edgeage.manifest import Manifest
    from edgeage.runtime import Backend, Session

__all__ = ["Entry", "Grid", "load_entries", "split_words"]

_INT8 = (
    "INT8 is calibrated on faces; compile it with «edgeage compile --precision INT8 --data DIR "
    "-o FOLDER» and give FOLDER to --models"
)


@dataclasses.dataclass(frozen=True)
class Grid:
    """What to measure: all combinations.

    Attributes:
        models: names of released networks, ``.caffemodel`` files, and whatever else a Predictor
            takes: compiled models and other people's networks, which stay in the precision they
            have.
        devices: devices by name.
        precisions: what trained networks are compiled in.
        batches: pictures a run takes.
    """

    models: tuple[str, ...] = ("agenet", "gendernet")
    devices: tuple[str, ...] = ("CPU",)
    precisions: tuple[str, ...] = ("FP32", "FP16")
    batches: tuple[int, ...] = (1, 8)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A network on a device, or the reason why it is not there.

    Attributes:
        model: its name, or what was asked for.
        device: the device asked for.
        precision: the precision of its weights and arithmetic.
        manifest: the compiled model.
        session: the same loaded on the device.
        reason: why there is no session; empty where there is one.
    """

    model: str
    device: str
    precision: str
    manifest: Manifest | None = None
    session: Session | None = None
    reason: str = ""


def load_entries(
    grid: Grid,
    opener: Callable[[str], Backend],
    folder: Path,
    stack: contextlib.ExitStack,
    on_entry: Callable[[str], None],
) -> list[Entry]:
    """Compile and load everything; what cannot be had becomes an entry with its reason.

    Args:
        grid: what to load; its batches do not matter here.
        opener: gives a device's backend by the device's name.
        folder: gets what is compiled.
        stack: closes the sessions.
        on_entry: called before each network that is prepared, with which it is.

    Raises:
        UsageError: for an unknown device or the name of no network.
        ModelError: when a network's files are missing or damaged.
    """
    shelf = _Shelf(folder)
    entries: list[Entry] = []
    for device in grid.devices:
        backend = opener(device)
        for wanted in _wanted(grid, backend, shelf):
            on_entry(f"{wanted.model} in {wanted.precision} on {device}")
            entries.append(_loaded(wanted, device, backend, stack))
    return entries


@dataclasses.dataclass(frozen=True)
class _Wanted:
    """A network before it is there: ``get`` compiles it where need be."""

    model: str
    precision: str
    get: Callable[[], Manifest]


def _wanted(grid: Grid, backend: Backend, shelf: _Shelf) -> Iterator[_Wanted]:
    if backend.models:
        yield from map(_ready, backend.models)
        return
    for model in grid.models:
        if Path(model).exists() and Path(model).suffix != ".caffemodel":
            yield from map(_ready, read_models(model))
        else:
            for precision in grid.precisions:
                yield shelf.wanted(model, target_of(backend.device), precision)


def _ready(manifest: Manifest) -> _Wanted:
    return _Wanted(manifest.name, manifest.precision, lambda: manifest)


def _loaded(wanted: _Wanted, device: str, backend: Backend, stack: contextlib.ExitStack) -> Entry:
    entry = Entry(wanted.model, device, wanted.precision)
    try:
        manifest = wanted.get()
        session = backend.load(manifest)
    except EdgeageError as error:
        return dataclasses.replace(entry, reason=str(error))
    stack.callback(session.close)
    return dataclasses.replace(entry, manifest=manifest, session=session)


class _Shelf:
    """Compiles a trained network once for every target and precision."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, str, str], Manifest] = {}

    def wanted(self, model: str, target: str, precision: str) -> _Wanted:
        """Find a trained network; it is compiled when it is asked for.

        Raises:
            UsageError: for an unknown name.
            ModelError: when its files are missing or damaged.
        """
        from edgeage.compiler import compile_model, find_model

        trained, key = find_model(model), (model, target, precision)

        def get() -> Manifest:
            if precision == "INT8":
                raise UsageError(_INT8)
            if key not in self._made:
                place = self._folder / str(len(self._made))
                made = compile_model(trained, place, target=target, precision=precision)
                self._made[key] = made
            return self._made[key]

        return _Wanted(trained.manifest.name, precision, get)


def split_words(values: Sequence[str]) -> tuple[str, ...]:
    """Take apart what is separated by commas, each once; a path that is there stays whole.

    >>> split_words(["CPU,GPU", "CPU"])
    ('CPU', 'GPU')
    """
    words: list[str] = []
    for value in values:
        parts = [value] if Path(value).exists() else value.split(",")
        words += [part.strip() for part in parts if part.strip()]
    return tuple(dict.fromkeys(words))
