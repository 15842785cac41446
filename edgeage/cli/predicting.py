"""The options that make a Predictor, and the Predictor made of them when a picture needs it."""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgeage.closing import Closing
from edgeage.movidius.toolchain import PYTHON_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edgeage.faceresult import PictureResult, Timing
    from edgeage.predictor import Predictor
    from edgeage.sources import Source

__all__ = ["Predicting", "predictor_options"]

_PATH = click.Path(path_type=Path)
_Command = TypeVar("_Command", bound="Callable[..., Any]")

_OPTIONS = (
    click.option(
        "--mean",
        type=_PATH,
        help="A mean (.npy or .binaryproto) to subtract.  [default: the models' own]",
    ),
    click.option(
        "--device",
        default="AUTO",
        show_default=True,
        help="Where to run the networks: CPU, GPU, MYRIAD, MYRIAD.<id>, OAK, …",
    ),
    click.option("--fallback", help="The device that answers while the first one does not."),
    click.option(
        "--movidius-python",
        type=_PATH,
        help=f"The Python with the Movidius tools.  [default: ${PYTHON_VARIABLE}, or the one of "
        "«edgeage toolchain install»]",
    ),
    click.option(
        "--models",
        "--model",
        "models",
        type=_PATH,
        help="A folder made by «edgeage compile», another network's model.json, .xml or .onnx, or "
        "a name: edgeage-s, edgeage-xs, or of one that «edgeage models import» made.  "
        "[default: edgeage-s; with --mean AgeNet and GenderNet]",
    ),
)


def predictor_options(command: _Command) -> _Command:
    """Give a command the options that :class:`Predicting` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class Predicting(Closing):
    """A context manager that opens a Predictor at the first picture that may be one.

    Args:
        movidius_python: the Python with the Movidius tools, in every part of the command.
        settings: the other options, under the names of :class:`edgeage.Predictor`'s arguments.
    """

    def __init__(self, *, movidius_python: Path | None, **settings: Any) -> None:
        self._python, self._settings = movidius_python, settings
        self._stack = contextlib.ExitStack()
        self._predictor: Predictor | None = None

    @property
    def timing(self) -> Timing | None:
        """The Predictor's times; None while none was needed."""
        return self._predictor.timing if self._predictor else None

    def results(self, sources: Iterable[Source]) -> Iterator[tuple[Source, PictureResult]]:
        """Yield every source with what became of it, in order; the next are under way meanwhile.

        Raises:
            EdgeageError: when the Predictor cannot be opened or its device fails.
        """
        from edgeage.faceresult import PictureResult

        remaining = iter(sources)
        for source in remaining:
            if source.error is None:
                yield from self._streamed(itertools.chain([source], remaining))
            else:
                yield source, PictureResult(source.name, error=source.error)

    def open(self) -> Predictor:
        """Return the Predictor, opened if it was not yet; it is closed with the block.

        Raises:
            EdgeageError: when it cannot be opened.
        """
        from edgeage.predictor import Predictor

        if self._predictor is None:
            self._stack.enter_context(_tools_of(self._python))
            self._predictor = self._stack.enter_context(Predictor(**self._settings))
        return self._predictor

    def close(self) -> None:
        """Close the Predictor, if it was opened; closing twice is harmless."""
        self._stack.close()

    def _streamed(self, sources: Iterable[Source]) -> Iterator[tuple[Source, PictureResult]]:
        taken: collections.deque[Source] = collections.deque()

        def noted() -> Iterator[Source]:
            for source in sources:
                taken.append(source)
                yield source

        with contextlib.closing(self.open().stream(noted())) as results:
            for result in results:
                yield taken.popleft(), result


@contextlib.contextmanager
def _tools_of(python: Path | None) -> Iterator[None]:
    """Have every part of a command use the Movidius tools of one Python."""
    before = os.environ.get(PYTHON_VARIABLE)
    if python is not None:
        os.environ[PYTHON_VARIABLE] = str(python)
    try:
        yield
    finally:
        if python is not None and before is None:
            del os.environ[PYTHON_VARIABLE]
        elif before is not None:
            os.environ[PYTHON_VARIABLE] = before
