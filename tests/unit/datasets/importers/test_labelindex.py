from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edgeage.datasets.importers.found import FaceHint
from edgeage.datasets.importers.labelindex import Label, LabelIndex
from edgeage.datasets.records import FaceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LabelIndex]:
    with LabelIndex(tmp_path / "labels.sqlite") as opened:
        yield opened


def test_a_label_is_found_as_it_was_stored(index: LabelIndex) -> None:
    record = FaceRecord("a/1.jpg", 28, None, "", "", -1, "anna", 3, 27.25, (25, 32), "test")
    hint = FaceHint((1.5, 2, 3, 4), ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10)))
    labels = [
        Label("a/1.jpg", record, hint=hint),
        Label("a/2.jpg", FaceRecord("a/2.jpg", 3, 1, "asian")),
        Label("a/3.jpg", reason="no face found"),
    ]
    assert all(map(index.add, labels))
    assert [index.find(f"x/y/{label.path}") for label in labels] == labels
    assert index.count == 3


def test_the_longest_end_of_a_path_decides(index: LabelIndex) -> None:
    for path in ("1.jpg", "train/1.jpg"):
        assert index.add(Label(path, reason=path))
    found = [index.find(path) for path in ("r/train/1.jpg", "r/val/1.jpg", "r/val/11.jpg")]
    assert [label and label.reason for label in found] == ["train/1.jpg", "1.jpg", None]


def test_the_first_of_two_labels_stays(index: LabelIndex) -> None:
    assert index.add(Label("a/1.jpg", reason="first"))
    assert not index.add(Label("./a//1.jpg", reason="second"))
    assert [label.reason for label in index.unseen()] == ["first"]
    assert index.find("a/1.jpg")
    assert not list(index.unseen())


@pytest.mark.parametrize("path", ["a'; DROP TABLE labels; --.jpg", "\udc80.jpg", "ä\n\0.jpg"])
def test_odd_paths_are_only_looked_up(path: str, index: LabelIndex) -> None:
    assert index.add(Label(path, reason="odd"))
    assert index.find(path) is not None
    assert index.find("b.jpg") is None
