"""Reading XML that nobody vouches for: no document type, no entities, bounded size and depth."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from edgeage.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["MAX_BYTES", "MAX_DEPTH", "read_elements"]

MAX_BYTES = 64 << 20
"""Largest file that is read; the IR of a large language model has about 10 MB."""

MAX_DEPTH = 64
"""Most elements one inside another."""

if TYPE_CHECKING:
    Visit = Callable[[tuple[str, ...], dict[str, str]], None]
    VisitText = Callable[[tuple[str, ...], str], None]


class _RefusedError(Exception):
    """The document asks for something that is not allowed."""


def read_elements(path: Path, visit: Visit, visit_text: VisitText) -> None:
    """Call ``visit`` for every element of an XML file, in the order of their start tags.

    Args:
        path: the file.
        visit: takes the names of the elements around and of this one, outermost first, and its
            attributes.
        visit_text: takes those names and the text of an element that has text and nothing else,
            at its end tag.

    Raises:
        ModelError: when the file is too large, not well-formed, cut short, nested too deep, or
            has a document type (the only place where entities can be declared).
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ModelError(f"{path} has {size:,} bytes of XML, more than the limit of {MAX_BYTES:,}")
    open_elements: list[str] = []
    texts: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        open_elements.append(name)
        if len(open_elements) > MAX_DEPTH:
            raise _RefusedError(f"its elements are nested more than {MAX_DEPTH} deep")
        texts.clear()
        visit(tuple(open_elements), attributes)

    def end(_name: str) -> None:
        if text := "".join(texts).strip():
            visit_text(tuple(open_elements), text)
        texts.clear()
        open_elements.pop()

    def refuse(*_declared: object) -> None:
        raise _RefusedError("it has a document type, which an IR never has")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = texts.append
    parser.StartDoctypeDeclHandler = refuse
    try:
        with path.open("rb") as stream:
            parser.ParseFile(stream)
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        cut = " (cut short?)" if error.code in _CUT_SHORT else ""
        raise ModelError(
            f"{path}:{error.lineno}:{error.offset + 1}: not well-formed XML: {what}{cut}"
        ) from None
    except _RefusedError as error:
        raise ModelError(f"{path} is refused: {error}") from None


_CUT_SHORT = (
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
)
