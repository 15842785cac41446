"""The options of serving a page, and a page that is served with them while a block runs."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgeage.errors import UsageError, require
from edgeage.streaming.web import Hub, WebSettings, make_app, serve_in_thread
from edgeage.streaming.web.settings import is_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edgeage.predictor import Predictor

__all__ = ["WEB_OPTIONS", "Serving", "web_options"]

WEB_OPTIONS = ("host", "token", "max_body", "max_pixels", "rate", "queue", "viewers")
"""What :func:`web_options` adds to a command's arguments."""

_Command = TypeVar("_Command", bound="Callable[..., Any]")
_DEFAULT = WebSettings()
_MILLION = 1_000_000

_OPTIONS = (
    click.option(
        "--host",
        default="127.0.0.1",
        show_default=True,
        help="The address to listen on. One that others may reach needs a token.",
    ),
    click.option(
        "--token",
        envvar="EDGEAGE_TOKEN",
        show_envvar=True,
        help="What clients have to show; 16 characters or more. Others on this machine can read "
        "it here, and not in the variable.",
    ),
    click.option(
        "--max-body",
        type=click.FloatRange(0, min_open=True),
        default=_DEFAULT.max_body_bytes / _MILLION,
        show_default=True,
        metavar="MB",
        help="The largest body of a request.",
    ),
    click.option(
        "--max-pixels",
        type=click.FloatRange(0, min_open=True),
        default=_DEFAULT.max_pixels / _MILLION,
        show_default=True,
        metavar="MILLIONS",
        help="The most pixels of a picture.",
    ),
    click.option(
        "--rate",
        type=click.FloatRange(0),
        default=_DEFAULT.rate,
        show_default=True,
        help="Pictures a second that one address may send; 0 for any number.",
    ),
    click.option(
        "--queue",
        type=click.IntRange(1),
        default=_DEFAULT.queue,
        show_default=True,
        help="Pictures that may wait for the predictor.",
    ),
    click.option(
        "--viewers",
        type=click.IntRange(1),
        default=_DEFAULT.viewers,
        show_default=True,
        help="Live pictures and event streams at once.",
    ),
)


def web_options(command: _Command) -> _Command:
    """Give a command the options that :class:`Serving` takes, but the port and the folder."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class Serving:
    """What a page is served with, checked before anything is loaded.

    Args:
        host: the address to listen on.
        token: what clients have to show; None or empty for nothing.
        max_body: millions of bytes of a request's body.
        max_pixels: millions of pixels of a picture.
        rate: pictures a second from one address.
        queue: pictures that may wait.
        viewers: who may watch at once.
        save: the folder that analysed pictures are stored in; None for none.

    Raises:
        UsageError: for a number out of range, or an address that others may reach without a token.
        MissingDependencyError: when the packages of the extra «web» are not installed.
    """

    def __init__(
        self,
        *,
        host: str,
        token: str | None,
        max_body: float,
        max_pixels: float,
        rate: float,
        queue: int,
        viewers: int,
        save: Path | None = None,
    ) -> None:
        self._host = host
        self._settings = WebSettings(
            token=token or None,
            max_body_bytes=round(max_body * _MILLION),
            max_pixels=round(max_pixels * _MILLION),
            rate=rate,
            queue=queue,
            viewers=viewers,
            save=save,
        )
        if self._settings.token is None and not is_local(host):
            raise UsageError(
                f"others may reach {host}, so a token is needed, for example: "
                f"EDGEAGE_TOKEN={secrets.token_urlsafe(24)}"
            )
        require("uvicorn", extra="web", purpose="serve a web page")

    @contextlib.contextmanager
    def page(self, predictor: Predictor, port: int, hub: Hub | None = None) -> Iterator[None]:
        """Serve the page while the block runs, and say where.

        Args:
            predictor: answers the pictures that are sent.
            port: 0 for any that is free.
            hub: shows a live stream.

        Raises:
            EdgeageError: when the port cannot be listened on.
        """
        app = make_app(predictor, hub, self._settings)
        with serve_in_thread(app, self._host, port) as server:
            click.echo(f"Serving {server.url} until Ctrl-C.", err=True)
            yield
