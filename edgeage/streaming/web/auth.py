"""Who may ask: the token, the page's cookie, and what keeps other web sites out."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edgeage.streaming.web.refusals import refuse
from edgeage.streaming.web.settings import is_local

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response

__all__ = ["COOKIE", "Gate", "client_of"]

COOKIE = "edgeage_session"
"""The cookie by which the page stays signed in; a picture's address cannot carry a token."""

_SESSION_SECONDS = 12 * 3600
_LONGEST_NAME = 64


class Gate:
    """Lets requests in that show the token, or a cookie that was given for it.

    Without a token everybody who reaches the server is let in, but only under a name of this
    machine: a web site whose name was made to point here (DNS rebinding) is not. Wrong tokens are
    refused at once and lock nobody out; what keeps them from being guessed is a token's length.

    Args:
        token: what to show; None for nothing.
        clock: seconds since 1970.
    """

    def __init__(self, token: str | None, clock: Callable[[], float] = time.time) -> None:
        self._token, self._clock = token.encode() if token else None, clock

    @property
    def closed(self) -> bool:
        """Whether a token is wanted at all."""
        return self._token is not None

    def check_site(self, request: HTTPConnection) -> None:
        """Refuse what another web site has a browser do here.

        Raises:
            HTTPException: 403.
        """
        host = request.headers.get("host", "")
        if self._token is None and not is_local(_name_of(host)):
            raise refuse(
                403, f"this server answers to localhost, not to «{host}»; start it with a token"
            )
        origin = request.headers.get("origin")
        if origin is not None and _place_of(origin) != host.lower():
            raise refuse(403, "requests from other web sites are not answered")

    def knows(self, request: HTTPConnection) -> bool:
        """Return whether a request shows the token or a good cookie."""
        if self._token is None:
            return True
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._is_token(shown.strip())
        return self._is_session(request.cookies.get(COOKIE, ""))

    def check(self, request: HTTPConnection) -> None:
        """Refuse a request that shows neither.

        Raises:
            HTTPException: 401.
        """
        if not self.knows(request):
            raise refuse(401, "a token is needed: Authorization: Bearer TOKEN", challenge="Bearer")

    def sign_in(self, request: Request, token: str, response: Response) -> None:
        """Give the cookie for the token.

        Raises:
            HTTPException: 401 for a wrong one.
        """
        if self._token is None:
            return
        if not self._is_token(token):
            raise refuse(401, "this is not the server's token", challenge="Bearer")
        response.set_cookie(
            COOKIE,
            self._session(int(self._clock()) + _SESSION_SECONDS),
            max_age=_SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )

    def _is_token(self, shown: str) -> bool:
        assert self._token is not None
        return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), self._token)

    def _is_session(self, shown: str) -> bool:
        until, _, _ = shown.partition(".")
        if not (until.isascii() and until.isdigit() and len(until) < 16):
            return False
        good = hmac.compare_digest(shown.encode(), self._session(int(until)).encode())
        return good and int(until) > self._clock()

    def _session(self, until: int) -> str:
        """Return a cookie that is good until then: the time, signed with the token (RFC 2104)."""
        signed = hmac.new(self._token or b"", f"edgeage session {until}".encode(), hashlib.sha256)
        return f"{until}.{signed.hexdigest()}"


def client_of(request: HTTPConnection) -> str:
    """Return the address a request comes from; IPv6's by its network of 64 bits.

    A proxy on this machine tells it, and may tell anything.
    """
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:_LONGEST_NAME]
    if address.version == 4:
        return str(address)
    mapped = address.ipv4_mapped
    return str(mapped or ipaddress.ip_network((address, 64), strict=False))


def _name_of(host: str) -> str:
    """Return a Host header's name without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _place_of(origin: str) -> str:
    """Return an Origin header's name with its port."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
