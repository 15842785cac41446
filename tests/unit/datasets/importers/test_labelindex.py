from __future__ import annotations

import itertools
import subprocess
import sys
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


_CODE = """
import resource, sys
from pathlib import Path
from edgeage.datasets.importers import open_importer
from edgeage.datasets.importers.found import Candidate, ImportOptions
count, folder = int(sys.argv[1]), Path(sys.argv[2])
(folder / "pictures").mkdir(); (folder / "work").mkdir()
for number in (0, count // 2, count - 1):
    (folder / "pictures" / f"{number}.jpg").touch()
with (folder / "labels.csv").open("w") as file:
    file.write("file,age,gender\\n")
    for number in range(count):
        file.write(f"{number}.jpg,{number % 100},female\\n")
found = open_importer("csv").find(
    folder / "pictures", ImportOptions(labels=(folder / "labels.csv",)), folder / "work"
)
faces = drops = 0
for item in found:
    faces += isinstance(item, Candidate)
    drops += not isinstance(item, Candidate)
print(faces, drops, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _peak_mib(count: int, folder: Path) -> float:
    folder.mkdir()
    arguments = [sys.executable, "-c", _CODE, str(count), str(folder)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    faces, drops, peak = map(int, done.stdout.split())
    assert (faces, drops) == (3, count - 3)
    return peak / 1024


@pytest.mark.parametrize(
    "counts",
    [(2_000, 40_000), pytest.param((100_000, 1_000_000), marks=pytest.mark.heavy)],
    ids=["thousands", "a million"],
)
def test_memory_does_not_grow_with_the_index(counts: tuple[int, int], tmp_path: Path) -> None:
    peaks = [_peak_mib(count, tmp_path / str(count)) for count in counts]
    # 38,000 labels more as records would be 15 MB and more; a million, 400.
    for fewer, more in itertools.pairwise(peaks):
        assert more - fewer < 12, peaks
