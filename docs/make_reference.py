"""Write the API reference, docs/reference/*.md, from the docstrings.

Run: python docs/make_reference.py [--check]. ``--check`` changes nothing and fails when a page is
out of date.
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any

from public_names import ROOMS, ROOT, Reference, is_context, signature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- Made from the docstrings by «make reference»; change those. -->"
TITLES = {"parameters": "Args", "attributes": "Attributes", "raises": "Raises"}
# griffe takes the colon of a role that opens a Returns section for the section's own.
_INLINE = re.compile(r":?(?:attr|class|data|func|meth|mod):`([^`]+)`|``(.+?)``|([*<])", re.DOTALL)


class Page:
    """Writes one room as Markdown."""

    def __init__(self, reference: Reference, room: str) -> None:
        self.reference, self.room = reference, room

    def text(self) -> str:
        """Return the whole page."""
        module = self.reference.find(self.room)
        rows = [
            f"| {self.link(item.path, name)} | {self.summary(item)} |"
            for name, item in self.reference.names(self.room).items()
        ]
        blocks = [
            MADE,
            f"# `{self.room}`",
            *self.prose(module.docstring.value, module),
            "\n".join(["| name | what it is |", "|---|---|", *rows]),
        ]
        for name, item in self.reference.described(self.room).items():
            blocks += self.entry(name, item)
        return "\n\n".join(blocks) + "\n"

    def summary(self, item: Any) -> str:
        """Return the first paragraph of an object's docstring as a table's cell."""
        text = item.docstring.value if item.docstring else ""
        return self.line(text.split("\n\n")[0], item).replace("|", r"\|")

    def entry(self, name: str, item: Any) -> Iterator[str]:
        """Yield the Markdown blocks of one public name.

        They come in one order whatever the docstring's: text, Args, Attributes, Returns, Raises,
        examples, the source followed, the code.
        """
        inner = item.path not in self.reference.home
        yield f'<a id="{name}"></a>'
        yield f"{'###' if inner else '##'} `{name}`"
        if written := signature(name, item):
            yield f"```python\n{written}\n```"
        parsed = item.docstring.parsed if item.docstring else []
        texts = [
            block for part in parsed if part.kind.value == "text"
            for block in self.prose(part.value, item)
        ]  # fmt: skip
        yield from (block for block in texts if not block.startswith("```"))
        for kind in ("parameters", "attributes"):
            yield from self.list_of(kind, parsed, item)
        yield from self.result(parsed, item)
        yield from self.list_of("raises", parsed, item)
        yield from (block for block in texts if block.startswith("```"))
        for part in parsed:
            if part.kind.value == "admonition":
                yield f"**{part.title}**: {self.line(part.value.description, item)}"
        if not inner:
            code = item.filepath.relative_to(ROOT).as_posix()
            yield f"Code: [{code}](../../{code})"

    def list_of(self, kind: str, parsed: list[Any], item: Any) -> Iterator[str]:
        """Yield a docstring's arguments, attributes or errors as a list."""
        parts = [part for section in parsed if section.kind.value == kind for part in section.value]
        lines = []
        for part in parts:
            told = self.line(part.description, item)
            if kind == "raises":
                lines.append(f"- {self.type(part.annotation)}: {told}")
                continue
            annotation = part.annotation
            if annotation is None and part.name in item.all_members:
                annotation = item.all_members[part.name].annotation
            kept = f" ({self.type(annotation)})" if annotation else ""
            lines.append(f"- `{part.name}`{kept}: {told}")
        if lines:
            yield "\n".join([f"**{TITLES[kind]}**", "", *lines])

    def result(self, parsed: list[Any], item: Any) -> Iterator[str]:
        """Yield what a function returns or what type a value has."""
        if item.is_class or str(item.annotation) in ("", "None"):
            return
        title = "Type" if item.is_attribute else "Yields" if is_context(item) else "Returns"
        told = " ".join(
            f"{part.name}: {part.description}" if part.name else part.description
            for section in parsed
            if section.kind.value in ("returns", "yields")
            for part in section.value
        )
        text = f"**{title}** {self.type(item.annotation)}"
        yield f"{text}: {self.line(told, item)}" if told else text

    def prose(self, text: str, scope: Any) -> Iterator[str]:
        """Yield paragraphs as Markdown; doctests become code, indented blocks are code already."""
        for block in re.split(r"\n\s*\n", text.strip("\n")):
            if block.startswith(">>>"):
                yield f"```pycon\n{block}\n```"
            elif block.strip() != "::":
                yield block if block.startswith("    ") else self.inline(block, scope)

    def line(self, text: str, scope: Any) -> str:
        """Return a paragraph as one line of Markdown."""
        return self.inline(" ".join(text.split()), scope)

    def inline(self, text: str, scope: Any) -> str:
        """Return text with its roles as links and its literals as code."""

        def turned(match: re.Match[str]) -> str:
            role, literal, mark = match.groups()
            if role:
                return self.link(self.resolved(role, scope), role)
            return f"`{literal}`" if literal else f"\\{mark}"

        return _INLINE.sub(turned, text)

    def resolved(self, name: str, scope: Any) -> str:
        """Return the canonical path of what a docstring of ``scope`` calls ``name``."""
        first, _, rest = name.partition(".")
        holder = scope.parent if scope.is_function or scope.is_attribute else scope
        if first == "edgeage":
            path = name
        elif first in holder.members:
            path = f"{holder.path}.{name}"
        else:
            path = f"{holder.module.path}.{first}.{rest}".rstrip(".")
        item = self.reference.find(path)
        if item is None:
            sys.exit(f"{scope.path}: its docstring names «{name}», which is not there")
        return str(item.path)

    def link(self, path: str, label: str) -> str:
        """Return a name as code, linked to its description or, without one, to its code."""
        owner, _, name = path.rpartition(".")
        if path not in self.reference.home and owner in self.reference.home:
            path, name = owner, f"{owner.rpartition('.')[2]}.{name}"
        home, item = self.reference.home.get(path), self.reference.find(path)
        if home:
            return f"[`{label}`]({'' if home == self.room else f'{home}.md'}#{name})"
        return f"[`{label}`](../../{item.filepath.relative_to(ROOT).as_posix()})"

    def type(self, annotation: Any) -> str:
        """Return a type as code, names of ours linked."""
        parts, code = [], ""
        for word in self.reference.words(annotation):
            if isinstance(word, str) or self.reference.find(word.canonical_path) is None:
                code += str(word)
            else:
                item = self.reference.find(word.canonical_path)
                parts += [as_code(code), self.link(item.path, str(word))]
                code = ""
        return "".join([*parts, as_code(code)])


def as_code(text: str) -> str:
    """Return text as code, the blanks around it left outside."""
    inner = text.strip()
    return text.replace(inner, f"`{inner}`") if inner else text


def index(reference: Reference) -> str:
    """Return the page that lists the rooms."""
    rows = [
        f"| [`{room}`]({room}.md) | {Page(reference, room).summary(reference.find(room))} |"
        for room in ROOMS
    ]
    head = [MADE, "", "# API reference", "", "Every public name, from its docstring.", ""]
    return "\n".join([*head, "| module | what it offers |", "|---|---|", *rows, ""])


def pages() -> dict[Path, str]:
    """Return what belongs into each file."""
    reference = Reference()
    made = {FOLDER / f"{room}.md": Page(reference, room).text() for room in ROOMS}
    return {FOLDER / "index.md": index(reference), **made}


def main() -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on a difference")
    options = parser.parse_args()
    wanted = pages()
    found = {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    stale = sorted(path for path in {*wanted, *found} if wanted.get(path) != found.get(path))
    if options.check and stale:
        sys.exit(f"out of date: {', '.join(path.name for path in stale)}; run: make reference")
    FOLDER.mkdir(exist_ok=True)
    for path in stale:
        if path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()


if __name__ == "__main__":
    main()
