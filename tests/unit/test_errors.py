"""The error tree: its shape, its exit codes and its two helpers."""

from __future__ import annotations

import pytest

from edgeage import errors
from edgeage.errors import EdgeageError, MissingDependencyError, UsageError, did_you_mean, require

CLASSES = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_is_an_edgeage_error_that_is_drawn_and_described(
    kind: type[EdgeageError],
) -> None:
    assert issubclass(kind, EdgeageError)
    assert f" {kind.__name__} " in str(errors.__doc__)
    assert kind.__doc__ != EdgeageError.__doc__ or kind is EdgeageError


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_only_a_wrong_call_exits_with_two(kind: type[EdgeageError]) -> None:
    assert kind.exit_code == (2 if kind is UsageError else 1)


def test_all_names_every_error_class() -> None:
    found = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, EdgeageError)
    }
    assert found <= set(errors.__all__)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("gendrnet", "; did you mean «gendernet»?"),
        ("AgeNet", "; did you mean «agenet»?"),
        ("resnet50000", ""),
        ("", ""),
    ],
)
def test_did_you_mean(word: str, expected: str) -> None:
    assert did_you_mean(word, iter(["agenet", "gendernet"])) == expected


def test_require_returns_the_module() -> None:
    assert require("json.decoder", purpose="read").JSONDecoder


def test_a_missing_package_gives_the_line_that_installs_it() -> None:
    with pytest.raises(MissingDependencyError) as caught:
        require("no_such_package_here", extra="train", purpose="train a network")
    assert str(caught.value) == (
        "the package «no_such_package_here» is needed to train a network and is not installed; "
        "install it with: pip install 'edgeage[train]'"
    )
    with pytest.raises(MissingDependencyError, match="pip install 'no_such_package_here'"):
        require("no_such_package_here", purpose="do it")
