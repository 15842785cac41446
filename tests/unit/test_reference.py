"""The API reference is up to date, and the docstrings it is made from say what a user needs."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import griffe
import pytest

from edgeage import errors

DOCS = Path(__file__).resolve().parents[2] / "docs"
_SPEC = importlib.util.spec_from_file_location("public_names", DOCS / "public_names.py")
public_names = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(public_names)

SOURCED = ("edgeage.caffe",)
"""Rooms whose every name follows a format or a paper of others, and names it under ``Source:``."""

REFERENCE = public_names.Reference()
NAMES = {
    f"{room}.{name}": item
    for room in public_names.ROOMS
    for name, item in REFERENCE.described(room).items()
}
_DTYPE = re.compile(r"\b(u?int\d+|float\d*|real numbers)\b", re.IGNORECASE)
_SHAPE = re.compile(r"\bshapes?\b|\(\w+, ")
_ELSEWHERE = re.compile(r"\bas :meth:`")


def parsed(item, kind):
    """The parts of one kind of section of a docstring."""
    found = item.docstring.parsed if item.docstring else []
    return [part for section in found if section.kind.value == kind for part in section.value]


def told(item, kind):
    """What a docstring tells of each name in one kind of section."""
    return {part.name.lstrip("*"): part.description for part in parsed(item, kind)}


def first_paragraph(item):
    return item.docstring.value.split("\n\n")[0] if item.docstring else ""


def sentence_gaps(item):
    if not first_paragraph(item).endswith("."):
        yield "it has no first sentence"


def parameter_gaps(item):
    """Args names what is given, Attributes what a class keeps; a dataclass's fields are both."""
    if item.is_attribute or "edgeage.caffe.schema." in item.path:
        return  # The fields of a message are Caffe's own.
    args, attributes = told(item, "parameters"), told(item, "attributes")
    given = [part.name for part in public_names.parameters(item)]
    if "dataclass" in item.labels:
        args = args or attributes
    if sorted(args) != sorted(given):
        yield f"it takes {given}, and its docstring tells of {list(args)}"
    kept = {
        name
        for name, member in (item.members if item.is_class else {}).items()
        if member.is_attribute and not name.startswith("_") and "property" not in member.labels
    }
    if untold := kept - {*args, *attributes}:
        yield f"its attributes {sorted(untold)} are told of nowhere"


def return_gaps(item):
    if not item.is_function or str(item.annotation) == "None":
        return
    says = parsed(item, "returns") or parsed(item, "yields")
    if not says and not re.match(r"(Return|Yield)\b", first_paragraph(item)):
        yield f"it returns {item.annotation}, and its docstring does not say what that is"


@functools.cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def bodies(item):
    """The functions that run when an object is called: itself, or a class's own making."""
    if item.is_class:
        made = (item.members.get(name) for name in ("__init__", "__post_init__"))
        return [part for member in made if member and member.is_function for part in bodies(member)]
    return [
        node
        for node in ast.walk(tree(item.filepath))
        if isinstance(node, ast.FunctionDef) and item.lineno <= node.lineno <= item.endlineno
        if node.name == item.name
    ]


def raised(node):
    """The errors that a function's own statements raise by name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.Raise) and child.exc is not None:
            error = child.exc.func if isinstance(child.exc, ast.Call) else child.exc
            if isinstance(error, ast.Name) and error.id.endswith("Error"):
                yield error.id
        yield from raised(child)


def error_class(name):
    return getattr(errors, name, None) or getattr(builtins, name)


def raise_gaps(item):
    known = tuple(error_class(str(part.annotation)) for part in parsed(item, "raises"))
    for name in sorted({name for body in bodies(item) for name in raised(body)}):
        if not issubclass(error_class(name), known):
            yield f"it raises {name}, which its docstring does not tell"


def array_texts(item):
    """What is told of each array that goes in or comes out."""
    if item.is_function:
        texts = told(item, "parameters")
        for part in public_names.parameters(item):
            yield part.name, part.annotation, texts.get(part.name, "")
    if item.is_class:
        texts = told(item, "parameters") | told(item, "attributes")
        for name, text in texts.items():
            holder = item.members.get(name) or item.parameters[name]
            yield name, holder.annotation, text
    elif item.annotation is not None:
        says = parsed(item, "returns")
        text = f"{says[0].name}: {says[0].description}" if says else first_paragraph(item)
        yield "result", item.annotation, text


def array_gaps(item):
    for name, annotation, text in array_texts(item):
        words = "" if annotation is None else "".join(map(str, REFERENCE.words(annotation)))
        clear = (_DTYPE.search(text) and _SHAPE.search(text)) or _ELSEWHERE.search(text)
        if "ndarray" in words and not clear:
            yield f"its {name} is an array whose dtype and shape are not both told"


def source_gaps(item):
    if REFERENCE.home.get(item.path) not in SOURCED:
        return
    titles = [part.title for part in item.docstring.parsed if part.kind.value == "admonition"]
    if "Source" not in titles:
        yield "it names no Source"


CHECKS = (sentence_gaps, parameter_gaps, return_gaps, raise_gaps, array_gaps, source_gaps)


def gaps(item):
    return [gap for check in CHECKS for gap in check(item)]


@pytest.mark.parametrize("name", NAMES)
def test_a_docstring_says_what_a_user_needs(name):
    assert gaps(NAMES[name]) == []


def test_what_a_docstring_leaves_out_is_found(tmp_path):
    (tmp_path / "sample.py").write_text(
        '''
import numpy as np
class Kept:
    """Keeps."""
    def __init__(self, size):
        if size < 0: raise UsageError("too small")
        self.limit = size
def bad(mean: np.ndarray) -> np.ndarray:
    """Do it."""
    if mean.ndim > 3: raise MeanError("four axes")
def good(mean: np.ndarray) -> np.ndarray:
    """Do it.

    Args:
        mean: float32 array of shape (3, height, width).

    Returns:
        uint8 array of the same shape.

    Raises:
        EdgeageError: for more than three axes.
    """
    if mean.ndim > 3: raise MeanError("four axes")
'''
    )
    sample = griffe.load(
        "sample", search_paths=[tmp_path], allow_inspection=False, docstring_parser="google"
    )
    assert gaps(sample["good"]) == []
    assert [gap.split(",")[0] for gap in gaps(sample["bad"])] == [
        "it takes ['mean']",
        "it returns np.ndarray",
        "it raises MeanError",
        "its mean is an array whose dtype and shape are not both told",
        "its result is an array whose dtype and shape are not both told",
    ]
    assert [gap.split(",")[0] for gap in gaps(sample["Kept"])] == [
        "it takes ['size']",
        "its attributes ['limit'] are told of nowhere",
        "it raises UsageError",
    ]


def test_the_pages_are_up_to_date():
    script = DOCS / "make_reference.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_link_leads_somewhere():
    pages = {page: page.read_text(encoding="utf-8") for page in DOCS.glob("reference/*.md")}
    assert len(pages) == len(public_names.ROOMS) + 1
    links = 0
    for page, text in pages.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            other = (page.parent / path).resolve() if path else page
            assert other.is_file(), f"{page.name}: {target}"
            assert not anchor or f'<a id="{anchor}"></a>' in pages[other], f"{page.name}: {target}"
            links += 1
    assert links > 300


def test_every_public_name_has_an_anchor():
    for room in public_names.ROOMS:
        page = (DOCS / "reference" / f"{room}.md").read_text(encoding="utf-8")
        for name in REFERENCE.described(room):
            assert f'<a id="{name}"></a>' in page
