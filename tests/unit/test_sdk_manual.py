"""``docs/sdk.md`` names what there is."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest

from edgeage import Face, Predictor, Timing


@pytest.fixture(scope="module")
def manual(repo_root) -> str:
    return (repo_root / "docs" / "sdk.md").read_text(encoding="utf-8")


def section(manual: str, title: str) -> str:
    return re.split(r"^##+ ", manual.split(f"## {title}\n")[1], flags=re.MULTILINE)[0]


def named(text: str) -> list[str]:
    """The names in the first column of a section's table."""
    rows = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_the_table_of_the_constructor_is_its_signature(manual):
    rows = re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", section(manual, "The constructor"), re.M)
    parameters = list(inspect.signature(Predictor).parameters.values())
    assert [name for name, _ in rows] == [parameter.name for parameter in parameters]
    assert [default.replace('"', "'") for _, default in rows] == [
        repr(parameter.default) for parameter in parameters
    ]


def test_the_table_of_a_face_is_its_fields(manual):
    fields = {field.name for field in dataclasses.fields(Face)}
    assert set(named(section(manual, "A face"))) == fields


def test_the_table_of_times_is_what_is_kept(manual):
    fields = {field.name for field in dataclasses.fields(Timing)} - {"faces"}
    assert set(named(section(manual, "How long it takes"))) == fields


def test_its_recipes_and_pages_are_there(manual, repo_root):
    for path in re.findall(r"`(examples/\w+\.py)`", manual):
        assert (repo_root / path).is_file(), path
    for page in re.findall(r"\]\((\w+\.md)\)", manual):
        assert (repo_root / "docs" / page).is_file(), page
