"""The options of finding faces and of how the device works, for every command that predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgeage.faces.crop import LEAST_MARGIN, MOST_MARGIN
from edgeage.prediction.finder import DETECT
from edgeage.runtime.options import MODES
from edgeage.views import CROPS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["crops_option", "device_options", "work_options"]

_Command = TypeVar("_Command", bound="Callable[..., Any]")

crops_option = click.option(
    "--crops",
    type=click.Choice([str(crops) for crops in CROPS]),
    callback=lambda _context, _option, value: int(value),
    default="1",
    show_default=True,
    help="Average what the networks say of so many views of a face, which takes as many times as "
    "long: 1 is the centre, 2 are it and its mirror image, 10 are the four corners and theirs as "
    "well.",
)
"""How many views of a face the networks look at, for every command that runs them."""

_OPTIONS = (
    click.option(
        "--detect",
        type=click.Choice(DETECT),
        default="auto",
        show_default=True,
        help="auto: the whole picture is the face where none is found or it is cut out already; "
        "always: that is an error; never: every picture is one face, cut out already.",
    ),
    click.option(
        "--detector",
        default="mtcnn",
        show_default=True,
        metavar="NAME|PATH",
        help="What finds the faces: mtcnn, haar, dlib, or the file of a YuNet, an SSD or a YOLO.",
    ),
    click.option(
        "--margin",
        type=click.FloatRange(LEAST_MARGIN, MOST_MARGIN, min_open=True),
        help="The margin around a found face, as a fraction of it; below 0 cuts into it.  "
        "[default: as the models were trained]",
    ),
    click.option(
        "--min-face",
        type=click.IntRange(1),
        metavar="PIXELS",
        help="The longer side of the smallest face to look for.  [default: the detector's own; "
        "mtcnn's is 40, more in large pictures]",
    ),
    click.option(
        "--min-confidence",
        type=click.FloatRange(0, 1),
        default=0.0,
        metavar="P",
        help="Call a gender «unknown» whose probability is below P.",
    ),
    crops_option,
)

_DEVICE_OPTIONS = (
    click.option(
        "--mode",
        type=click.Choice(MODES),
        default="latency",
        show_default=True,
        help="One picture as fast as can be, or as many as can be.",
    ),
    click.option(
        "--threads",
        type=click.IntRange(1),
        help="Threads of the processor to use.  [default: all]",
    ),
    click.option(
        "--streams",
        type=click.IntRange(1),
        help="How many runs of a network go on side by side.  [default: the mode's own number]",
    ),
    click.option(
        "--cache/--no-cache",
        default=True,
        help="Keep what the device compiled, so that the next start is quick.  [default: cache]",
    ),
)


def work_options(command: _Command) -> _Command:
    """Give a command these options, under the names of :class:`edgeage.Predictor`'s arguments."""
    for option in reversed((*_OPTIONS, *_DEVICE_OPTIONS)):
        command = option(command)
    return command


def device_options(command: _Command) -> _Command:
    """Give a command those of how a device works, :class:`edgeage.runtime.RuntimeOptions`'."""
    for option in reversed(_DEVICE_OPTIONS):
        command = option(command)
    return command
