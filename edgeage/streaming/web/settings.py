"""What a server allows: its limits, its token, where it stores pictures."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import TYPE_CHECKING

from edgeage.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LEAST_TOKEN", "WebSettings", "is_local"]

LEAST_TOKEN = 16
"""Fewest characters of a token: with less it could be guessed."""

_WHOLE = ("max_body_bytes", "max_held_bytes", "max_pixels", "queue", "viewers", "connections")


@dataclasses.dataclass(frozen=True)
class WebSettings:
    """The limits of a server; what goes beyond one is answered with the status named.

    Attributes:
        token: what a client has to show; None for a server that only this machine reaches. 401.
        max_body_bytes: the largest body of a request. 413.
        max_held_bytes: bytes of all bodies that are held at once. 503.
        max_pixels: the most pixels of a picture. 422.
        rate: pictures a second that one address may send on average; 0 for no limit. 429.
        burst: pictures it may send at once. 429.
        queue: pictures that may wait for the predictor. 503.
        viewers: live streams and event streams at once. 503.
        connections: connections at once. 503.
        read_seconds: within this time the head of a request, and then its body, has to be there.
            408, or a closed connection where the head is missing.
        write_seconds: a client that takes nothing for so long is cut off.
        answer_seconds: within this time a picture has to be answered. 503.
        save: the folder that analysed pictures are stored in, with what was found drawn; None
            to store none.

    Raises:
        UsageError: for a number out of range or a token that is too short.

    >>> WebSettings(queue=4).queue
    4
    """

    token: str | None = dataclasses.field(default=None, repr=False)
    max_body_bytes: int = 16_000_000
    max_held_bytes: int = 128_000_000
    max_pixels: int = 25_000_000
    rate: float = 10.0
    burst: int = 20
    queue: int = 16
    viewers: int = 32
    connections: int = 256
    read_seconds: float = 10.0
    write_seconds: float = 10.0
    answer_seconds: float = 30.0
    save: Path | None = None

    def __post_init__(self) -> None:
        for name in (*_WHOLE, "burst"):
            if getattr(self, name) < 1:
                raise UsageError(f"expected {name} of at least 1, got {getattr(self, name)}")
        for name in ("read_seconds", "write_seconds", "answer_seconds"):
            if not getattr(self, name) > 0:
                raise UsageError(f"expected {name} above 0, got {getattr(self, name)}")
        if not self.rate >= 0:
            raise UsageError(f"expected a rate of at least 0 a second, got {self.rate}")
        if self.token is not None:
            _check_token(self.token)


def _check_token(token: str) -> None:
    if len(token) < LEAST_TOKEN:
        raise UsageError(f"expected a token of {LEAST_TOKEN} characters or more, got {len(token)}")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError("expected a token of ASCII letters, digits and signs, without spaces")


def is_local(name: str) -> bool:
    """Whether a host's name or address is always this machine.

    >>> is_local("localhost"), is_local("127.0.0.1"), is_local("::1"), is_local("example.org")
    (True, True, True, False)
    """
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
