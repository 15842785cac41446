"""The public names of edgeage, read from its source with griffe; nothing is imported.

Neither torch nor a device is needed for that. A room of :data:`ROOMS` is a module whose
``__all__`` is documented: ``make_reference.py`` writes its page, and
tests/unit/test_reference.py checks its docstrings.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

import griffe

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
ROOMS = (
    "edgeage",
    "edgeage.errors",
    "edgeage.faces",
    "edgeage.runtime",
    "edgeage.runtime.options",
    "edgeage.streaming",
    "edgeage.testing",
    "edgeage.caffe",
    "edgeage.datasets",
    "edgeage.training.run",
    "edgeage.training.logs",
    "edgeage.compiler",
    "edgeage.zoo",
    "edgeage.streaming.web",
)


class Reference:
    """The package as griffe reads it, and where each public name is described.

    A name that several rooms offer is described in the one nearest to its module.

    Attributes:
        package: the root of the package.
        home: canonical path of each public object → the room that describes it.
    """

    def __init__(self) -> None:
        self.package = griffe.load(
            "edgeage",
            search_paths=[ROOT],
            allow_inspection=False,
            docstring_parser="google",
            docstring_options={"returns_multiple_items": False},
        )
        self.home: dict[str, str] = {}
        for room in ROOMS:
            for item in self.names(room).values():
                if item.path not in self.home or f"{item.path}.".startswith(f"{room}."):
                    self.home[item.path] = room

    def find(self, path: str) -> Any:
        """Return what stands at a dotted path, aliases followed; None if nothing of ours does."""
        head, _, inner = path.partition(".")
        if head != "edgeage":
            return None
        try:
            found: Any = self.package[inner] if inner else self.package
            return found.final_target if found.is_alias else found
        except (KeyError, griffe.AliasResolutionError):
            return None

    def names(self, room: str) -> dict[str, Any]:
        """Return the public objects of a room by name, in the order of its ``__all__``."""
        return {str(name): self.find(f"{room}.{name}") for name in self.find(room).exports}

    def described(self, room: str) -> dict[str, Any]:
        """Return what a room's page describes by name: its objects, each with its members."""
        found = {}
        for name, item in self.names(room).items():
            if self.home[item.path] == room:
                found[name] = item
                found |= {f"{name}.{inner}": part for inner, part in members(item).items()}
        return found

    def words(self, annotation: Any) -> Iterator[Any]:
        """Yield the words of a type; an alias that no page describes is spelt out."""
        if isinstance(annotation, str):
            yield annotation
            return
        for word in annotation.iterate(flat=True):
            item = None if isinstance(word, str) else self.find(word.canonical_path)
            if item is not None and item.is_attribute and item.path not in self.home:
                yield from self.words(item.value)
            else:
                yield word


def members(item: Any) -> dict[str, Any]:
    """Return the public methods and properties a class defines; nothing of another object."""
    return {
        name: member
        for name, member in (item.members if item.is_class else {}).items()
        if not name.startswith("_") and (member.is_function or is_property(member))
    }


def is_property(item: Any) -> bool:
    """Return whether an object is a property of a class."""
    return bool(item.is_attribute and "property" in item.labels)


def parameters(item: Any) -> list[Any]:
    """Return the parameters a caller of a function or class gives."""
    return [part for part in item.parameters if part.name not in ("self", "cls")]


def is_context(item: Any) -> bool:
    """Return whether a function is to be used in a ``with`` statement."""
    return any("contextmanager" in str(decorator.value) for decorator in item.decorators)


def signature(name: str, item: Any) -> str:
    """Return how an object is written in Python, without types; empty for a property."""
    if is_property(item):
        return ""
    if item.is_attribute:
        return f"{name} = {in_double_quotes(item.value)}" if is_literal(item.value) else ""
    head = f"class {name}" if item.is_class else name
    words = list(_words(parameters(item)))
    if item.is_class and not words:
        bases = [str(base) for base in item.bases if not str(base).startswith("_")]
        return head + (f"({', '.join(bases)})" if bases else "")
    line = f"{head}({', '.join(words)})"
    if len(line) > 88:
        line = "\n    ".join([f"{head}(", *(f"{word}," for word in words)]) + "\n)"
    if item.is_class:
        return line
    return ("@classmethod\n" if "classmethod" in item.labels else "") + (
        f"with {line} as …" if is_context(item) else line
    )


def _words(given: list[Any]) -> Iterator[str]:
    """Yield the words of a signature between its parentheses."""
    starred = False
    for parameter in given:
        kind = parameter.kind.value
        if kind == "keyword-only" and not starred:
            yield "*"
        starred = starred or kind in ("keyword-only", "variadic positional")
        stars = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
        default = (
            "" if stars or parameter.default is None else f"={in_double_quotes(parameter.default)}"
        )
        yield f"{stars}{parameter.name}{default}"


def is_literal(value: Any) -> bool:
    """Return whether a constant is written out, and not computed."""
    try:
        ast.literal_eval(str(value))
    except (SyntaxError, ValueError):
        return False
    return value is not None


def in_double_quotes(value: Any) -> str:
    """Return Python code as griffe prints it, with the quotes of this project."""
    text = str(value)
    return text if '"' in text else text.replace("'", '"')
