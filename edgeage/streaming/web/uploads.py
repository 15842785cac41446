"""The picture in a request's body, read within its limits and into memory only.

Both forms are taken: the picture itself as the body, and multipart/form-data (RFC 7578) with one
file. Nothing is written to disk, not for a moment.
"""

from __future__ import annotations

import contextlib
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

import anyio
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from edgeage.streaming.web.refusals import refuse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from python_multipart.multipart import MultipartCallbacks
    from starlette.requests import Request

    from edgeage.streaming.web.limits import Budget, Part
    from edgeage.streaming.web.settings import WebSettings

__all__ = ["RAW_NAME", "Upload", "check_type", "picture_in", "reading"]

RAW_NAME = "<bytes>"
"""What a picture without a file's name is called, as in :mod:`edgeage.sources`."""

_FORM = "multipart/form-data"
_MOST_PARTS, _MOST_NAME = 100, 255
_HOW = (
    "send the picture as multipart/form-data (curl -F image=@photo.jpg) or as the body with its "
    "own type (curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg)"
)


class Upload(NamedTuple):
    """One picture as it came in.

    Attributes:
        name: its file's name without folders, or :data:`RAW_NAME`.
        data: the encoded picture.
    """

    name: str
    data: bytes


@contextlib.asynccontextmanager
async def reading(request: Request, settings: WebSettings, budget: Budget) -> AsyncIterator[bytes]:
    """Read a request's body; what it holds of the budget is given back at the end of the block.

    Raises:
        HTTPException: 413 for a body that is too large, before more of it is read; 408 for one
            that does not come; 503 where too many others are held.
        ClientDisconnect: when the client leaves.
    """
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > settings.max_body_bytes:
        raise _too_large(settings)
    with budget.part() as held:
        try:
            with anyio.fail_after(settings.read_seconds):
                body = await _read(request, settings, held)
        except TimeoutError:
            seconds = f"{settings.read_seconds:g}"
            raise refuse(408, f"the body was not there within {seconds} seconds") from None
        yield body


async def _read(request: Request, settings: WebSettings, held: Part) -> bytes:
    chunks = []
    async for chunk in request.stream():
        if held.size + len(chunk) > settings.max_body_bytes:
            raise _too_large(settings)
        if not held.grow(len(chunk)):
            raise refuse(503, "the server is receiving too much at once", retry_after=1)
        chunks.append(chunk)
    return b"".join(chunks)


def check_type(content_type: str) -> None:
    """Refuse a body that says it is neither a picture nor a form with one.

    Raises:
        HTTPException: 415.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind and kind not in (_FORM, "application/octet-stream") and not kind.startswith("image/"):
        raise refuse(415, f"«{_shown(kind)}» is no picture; {_HOW}")


def picture_in(body: bytes, content_type: str) -> Upload:
    """Return the picture of a body.

    Args:
        body: all of it.
        content_type: its header.

    Raises:
        HTTPException: 400 for a damaged form; 422 where there is not one picture.
    """
    if content_type.partition(";")[0].strip().lower() != _FORM:
        return Upload(RAW_NAME, _not_empty(body, "the body"))
    files = _files_of(body, content_type)
    if len(files) != 1:
        raise refuse(422, f"expected one file in the form, got {len(files)}; {_HOW}")
    name, pieces = files[0]
    return Upload(_plain_name(name), _not_empty(b"".join(pieces), "the file"))


def _files_of(body: bytes, content_type: str) -> list[tuple[str, list[bytes]]]:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise refuse(400, "the form has no boundary in its Content-Type")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks)
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise refuse(400, f"the form is damaged: {_shown(str(error))}") from None
    if not form.ended:
        raise refuse(400, "the form is cut off")
    return form.files


class _Form:
    """Collects the files of a form; of its other fields nothing."""

    def __init__(self) -> None:
        self.files: list[tuple[str, list[bytes]]] = []
        self.ended = False
        self._parts = 0
        self._headers: dict[bytes, bytes] = {}
        self._field = self._value = b""
        self._pieces: list[bytes] | None = None
        self.callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise refuse(400, f"the form has more than {_MOST_PARTS} parts")
        self._headers, self._pieces = {}, None

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"filename" in options:
            self._pieces = []
            self.files.append((options[b"filename"].decode("utf-8", "replace"), self._pieces))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._pieces is not None:
            self._pieces.append(data[start:end])

    def _end(self) -> None:
        self.ended = True


def _not_empty(data: bytes, what: str) -> bytes:
    if not data:
        raise refuse(422, f"{what} is empty (0 bytes), expected a picture")
    return data


def _too_large(settings: WebSettings) -> Exception:
    return refuse(413, f"the body has more than {settings.max_body_bytes:,} bytes")


def _plain_name(name: str) -> str:
    """Return a file's name without folders and what cannot be printed."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(c for c in last if unicodedata.category(c)[0] not in "CZ" or c == " ")
    return plain.strip()[:_MOST_NAME] or RAW_NAME


def _shown(text: str) -> str:
    line = "".join(character if character.isprintable() else "?" for character in text)
    return line if len(line) <= 80 else f"{line[:80]}…"
