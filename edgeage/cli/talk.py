"""The library's log on stderr while a command runs."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["talk"]


@contextlib.contextmanager
def talk() -> Iterator[None]:
    """Show the library's log on stderr, and put everything back afterwards."""
    logger = logging.getLogger("edgeage")
    handler, level, propagate = _Echo(), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


class _Echo(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)
