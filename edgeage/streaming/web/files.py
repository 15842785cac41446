"""The page's own files, which come with the package; no other file can be asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["PageFiles"]

_FOLDER = Path(__file__).resolve().parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class PageFiles:
    """The files by name, read once."""

    def __init__(self) -> None:
        self._files = {
            path.name: path.read_bytes()
            for path in _FOLDER.iterdir()
            if path.suffix in _TYPES and path.is_file()
        }

    def answer(self, request: Request, name: str) -> Response | None:
        """Return a file, or that the browser has it already; None where there is no such file."""
        if name not in self._files:
            return None
        content = self._files[name]
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"Cache-Control": "no-cache", "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers={**headers, "Content-Type": _TYPES[Path(name).suffix]})
