"""The public door: what is named is there, and nothing else is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import edgeage
from edgeage import errors

if sys.version_info >= (3, 11):
    import tomllib


def test_every_name_can_be_had():
    for name in edgeage.__all__:
        assert getattr(edgeage, name) is not None


def test_all_is_what_dir_shows_without_private_names():
    assert dir(edgeage) == sorted(edgeage.__all__)
    assert len(set(edgeage.__all__)) == len(edgeage.__all__)


def test_every_error_is_public():
    named = {name for name in errors.__all__ if name.endswith("Error")}
    assert named == {name for name in edgeage.__all__ if name.endswith("Error")}


def test_public_means_documented():
    for name in edgeage.__all__:
        value = getattr(edgeage, name)
        if isinstance(value, type):
            assert value.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Predicter'"):
        edgeage.Predicter  # noqa: B018


@pytest.mark.skipif(sys.version_info < (3, 11), reason="reads pyproject.toml with tomllib")
def test_the_version_is_the_projects(repo_root: Path):
    project = tomllib.loads((repo_root / "pyproject.toml").read_text())["project"]
    assert edgeage.__version__ == project["version"]
