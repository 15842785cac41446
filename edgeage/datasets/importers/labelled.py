"""The way of every data set whose labels stand in tables beside its pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.datasets.importers.found import Candidate, Drop, is_picture
from edgeage.datasets.importers.labelindex import LabelIndex
from edgeage.datasets.sources import Member, members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from edgeage.datasets.importers.labelindex import Label

__all__ = ["labelled_faces"]


def labelled_faces(
    source: Path,
    labels: Iterable[Label],
    work: Path,
    *,
    is_table: Callable[[str], bool],
    wanted: Callable[[str], str] = lambda _path: "",
    key: Callable[[str], str] = lambda path: path,
) -> Iterator[Candidate | Drop]:
    """Go through a source's pictures and give each its label.

    Pictures without a label, labels without a picture, and what is labelled twice are left out
    and counted.

    Args:
        source: the pictures' archive or folder.
        labels: read once, before the pictures.
        work: for the working file.
        is_table: tells by its name whether a file holds labels and is no picture.
        wanted: says of a picture's path why it is left out whatever its label; empty if it is not.
        key: turns a picture's path into its label's.
    """
    with LabelIndex(work / "labels.sqlite") as index:
        for label in labels:
            if not index.add(label):
                yield Drop(label.path, "labelled twice", is_file=False)
        for member in members(source):
            if not is_table(member.name):
                yield _face(member, index, wanted, key)
        for label in index.unseen():
            yield Drop(label.path, label.reason or "picture missing", is_file=False)


def _face(
    member: Member, index: LabelIndex, wanted: Callable[[str], str], key: Callable[[str], str]
) -> Candidate | Drop:
    if not is_picture(member.name):
        return Drop(member.path, member.problem or "not a picture")
    if reason := wanted(member.path):
        return Drop(member.path, reason)
    label = index.find(key(member.path))
    if label is None:
        return Drop(member.path, member.problem or "no label")
    if member.problem or label.record is None:
        return Drop(member.path, member.problem or label.reason)
    return Candidate(label.record, member.path, member.read, label.hint)
