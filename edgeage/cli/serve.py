"""``edgeage serve``: a web page and an HTTP interface of the predictor."""

from __future__ import annotations

import contextlib
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeage.cli.predicting import Predicting, predictor_options
from edgeage.cli.serving import WEB_OPTIONS, Serving, web_options
from edgeage.cli.talk import talk
from edgeage.cli.workoptions import work_options
from edgeage.memory import share_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["command"]


@click.command("serve")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port to listen on; 0 for any that is free.",
)
@web_options
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    help="Store analysed pictures in this folder, with their faces drawn.",
)
@predictor_options
@work_options
def command(port: int, **options: Any) -> None:
    """Serve a web page that analyses pictures, and POST /v1/predict for programs.

    Only this machine reaches it unless --host says otherwise. No picture is stored without --save.
    Ctrl-C ends it.
    """
    share_memory()
    serving = Serving(**{name: options.pop(name) for name in (*WEB_OPTIONS, "save")})
    with (
        talk(),
        _until_told(),
        Predicting(**options) as predicting,
        serving.page(predicting.open(), port),
    ):
        threading.Event().wait()


@contextlib.contextmanager
def _until_told() -> Iterator[None]:
    """End the block quietly on Ctrl-C, and on SIGTERM, with which services are stopped."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)
