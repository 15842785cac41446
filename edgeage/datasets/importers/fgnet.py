"""FG-NET (Lanitis, Taylor and Cootes, IEEE PAMI 24(4), 2002): 82 people through their lives.

``011A14.JPG`` is person 11 at 14 years; a letter may follow when there are several pictures.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edgeage.datasets.importers.found import Candidate, Drop, Importer, ImportOptions, is_picture
from edgeage.datasets.records import FaceRecord
from edgeage.datasets.sources import members
from edgeage.labels import MAX_AGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["IMPORTER", "parse_name"]

_NAME = re.compile(r"(\d{3})A(\d{2,3})([a-z]?)\.(?:jpe?g|png|bmp)", re.IGNORECASE)


def parse_name(name: str) -> FaceRecord:
    """Read person and age from a file name.

    Raises:
        ValueError: with the reason, fit to count names by.

    >>> record = parse_name("011A14.JPG")
    >>> record.person, record.age, record.gender
    ('011', 14, None)
    """
    if not is_picture(name):
        raise ValueError("not a picture")
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError("malformed name")
    if int(match[2]) > MAX_AGE:
        raise ValueError("age out of range")
    return FaceRecord(name, int(match[2]), None, "", person=match[1])


def _faces(source: Path, _options: ImportOptions, _work: Path) -> Iterator[Candidate | Drop]:
    for member in members(source):
        try:
            record = parse_name(member.name)
        except ValueError as reason:
            yield Drop(member.path, member.problem or str(reason))
            continue
        if member.problem:
            yield Drop(member.path, member.problem)
        else:
            yield Candidate(record, member.path, member.read)


IMPORTER = Importer("fgnet.toml", _faces)
