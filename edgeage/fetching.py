"""Fetching one picture's bytes from a web address, within limits of time, size and redirects.

Only ``http`` and ``https`` are spoken, to whoever the address names, and nothing is sent that
could tell who asks: no user name, no password, no cookie, no address that was asked before. The
proxies of the environment are used.
"""

from __future__ import annotations

import dataclasses
import io
import re
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

from edgeage.errors import ImageError, UsageError, one_line

if TYPE_CHECKING:
    from http.client import HTTPResponse

__all__ = ["FetchLimits", "fetch", "is_url", "public_url"]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_USER = re.compile(rf"({_SCHEME.pattern})[^/?#]*@", re.IGNORECASE)
_RESERVED = "%/:=&?~#+!$,;'@()*[]"
_REDIRECTS = (301, 302, 303, 307, 308)
_BLOCK_BYTES = 1 << 16
_CLOCK_SECONDS = 0.02


@dataclasses.dataclass(frozen=True)
class FetchLimits:
    """What fetching one picture may cost.

    Attributes:
        seconds: for all of it: every redirect, connecting, waiting and reading. Only looking up
            a host's name, which the system does, is outside.
        max_bytes: of the encoded picture.
        max_redirects: how often the server may name another address.
    """

    seconds: float = 30.0
    max_bytes: int = 50_000_000
    max_redirects: int = 5

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and self.max_bytes > 0 and self.max_redirects >= 0):
            raise UsageError(
                f"expected limits above zero, got {self.seconds} seconds, {self.max_bytes} bytes, "
                f"{self.max_redirects} redirects"
            )


def is_url(text: str) -> bool:
    """Tell whether a text is an address and not a path.

    >>> is_url("https://example.org/a.jpg"), is_url("ftp://example.org/a.jpg"), is_url("C:/a.jpg")
    (True, True, False)
    """
    return _SCHEME.match(text) is not None


def public_url(url: str) -> str:
    """Return an address without the user name and password it may hold.

    >>> public_url("https://me:secret@example.org/a.jpg")
    'https://example.org/a.jpg'
    """
    return f"{user[1]}{url[user.end() :]}" if (user := _USER.match(url)) else url


def fetch(url: str, limits: FetchLimits | None = None) -> bytes:
    """Fetch what a web address holds.

    Args:
        url: an ``http://`` or ``https://`` address without user name and password.
        limits: of time, size and redirects; None for :class:`FetchLimits`' own.

    Returns:
        The body of the answer as it came; at most ``limits.max_bytes``.

    Raises:
        ImageError: for another kind of address, an answer other than 200, one that is cut off,
            or one beyond a limit. No other exception leaves here, whatever the server does.
    """
    limits = limits or FetchLimits()
    name = public_url(url)
    deadline = time.monotonic() + limits.seconds
    try:
        with _open(url, deadline, limits) as response:
            return _body(response, limits.max_bytes)
    except _FetchError as refused:
        raise ImageError(f"{name} cannot be fetched: {refused}") from None
    # OSError, HTTPException, ValueError and, from a hostile answer, more: the address is at fault.
    except Exception as error:
        late = f"it took longer than the limit of {limits.seconds:g} s"
        reason = late if time.monotonic() >= deadline - _CLOCK_SECONDS else _reason(error)
        raise ImageError(f"{name} cannot be fetched: {reason}") from None


def _reason(error: Exception) -> str:
    from http.client import IncompleteRead

    if isinstance(error, IncompleteRead):
        return "it broke off"
    cause = getattr(error, "reason", None)
    return one_line(cause if isinstance(cause, BaseException) else error)


class _FetchError(Exception):
    """Why an answer is not taken; a text to stand behind «cannot be fetched»."""


def _open(url: str, deadline: float, limits: FetchLimits) -> HTTPResponse:
    """Return the answer that is no redirect; each request is made anew, so none inherits a header.

    Status codes as RFC 9110, section 15.4; 300 and 304 are no answer to what is asked here.
    """
    import urllib.request

    import edgeage

    opener = _opener(deadline)
    for _ in range(limits.max_redirects + 1):
        url = _checked(url)
        headers = {"User-Agent": f"edgeage/{edgeage.__version__}", "Accept": "image/*"}
        # _checked lets no other scheme through.
        request = urllib.request.Request(url, headers=headers)  # noqa: S310
        response: HTTPResponse = opener.open(request, timeout=_left(deadline))
        location = response.headers.get("Location")
        if response.status not in _REDIRECTS or location is None:
            return response
        response.close()
        url = urllib.parse.urljoin(url, location)
    raise _FetchError(f"it is redirected more than {limits.max_redirects} times")


def _checked(url: str) -> str:
    """Return an address fit for a request line: of a kind that is spoken here, ASCII, no user."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise _FetchError(f"«{parts.scheme}» is not http or https; for a file, give its path")
    if "@" in parts.netloc:
        raise _FetchError(
            "the address holds a user name, and edgeage sends none; fetch it yourself"
        )
    # A port beyond 65,535 is a ValueError of this property.
    if not parts.hostname or parts.port == 0:
        raise _FetchError("the address names no host")
    host = parts.netloc.encode("idna").decode("ascii")
    quoted = (urllib.parse.quote(part, safe=_RESERVED) for part in (parts.path, parts.query))
    return urllib.parse.urlunsplit((parts.scheme, host, *quoted, ""))


def _opener(deadline: float) -> Any:
    """Make an opener that speaks HTTP(S) and nothing else, and follows no redirect itself."""
    import http.client
    import urllib.request

    class Http(urllib.request.HTTPHandler):
        def http_open(self, req: Any) -> Any:
            return self.do_open(_timed(http.client.HTTPConnection, deadline), req)

    class Https(urllib.request.HTTPSHandler):
        def https_open(self, req: Any) -> Any:
            return self.do_open(_timed(http.client.HTTPSConnection, deadline), req)

    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler(), Http(), Https()):
        opener.add_handler(handler)
    return opener


def _timed(connection_class: Any, deadline: float) -> Any:
    """Have the answers of a connection read by a deadline, and not each read by its own."""
    from http.client import HTTPResponse

    class Response(HTTPResponse):
        def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
            super().__init__(sock, *arguments, **options)
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_TimedStream(sock, raw, deadline))

    def connect(host: str, **options: Any) -> Any:
        connection = connection_class(host, **options)
        connection.response_class = Response
        return connection

    return connect


class _TimedStream(io.RawIOBase):
    """A socket's stream that fails with TimeoutError once a deadline has passed."""

    def __init__(self, sock: Any, raw: io.RawIOBase, deadline: float) -> None:
        self._sock, self._raw, self._deadline = sock, raw, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _body(response: HTTPResponse, max_bytes: int) -> bytes:
    if response.status != 200:
        raise _FetchError(f"the server answered {_status(response.status)}")
    promised, too_many = response.length, f"it holds more than the limit of {max_bytes:,} bytes"
    if promised is not None and promised > max_bytes:
        raise _FetchError(too_many)
    body = bytearray()
    while block := response.read1(_BLOCK_BYTES):
        body += block
        if len(body) > max_bytes:
            raise _FetchError(too_many)
    if promised is not None and len(body) < promised:
        raise _FetchError(f"it broke off after {len(body):,} of {promised:,} bytes")
    return bytes(body)


def _status(code: int) -> str:
    """Return a status with its standard words: the server's own could hold anything."""
    from http import HTTPStatus

    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)
