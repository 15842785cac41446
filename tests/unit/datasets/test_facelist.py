"""Lists of faces, and those that come with edgeage."""

from __future__ import annotations

import hashlib
import itertools
import tarfile

import pytest

from edgeage.datasets import BuildOptions, build_utkface, read_records
from edgeage.datasets.facelist import (
    ListedFace,
    find_list,
    read_list,
    read_tests,
    shipped_lists,
)
from edgeage.errors import DatasetError

FACES = [ListedFace("b b.jpg", "b" * 64), ListedFace("a.jpg", "a" * 64)]


def test_a_list_is_what_sha256sum_prints_with_remarks(tmp_path) -> None:
    path = tmp_path / "x.sha256"
    lines = ["# why", "", *(f"{face.sha256}  {face.name}" for face in FACES)]
    path.write_text("\n".join(lines))
    assert read_list(path) == read_tests(path) == FACES


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "lists no face"),
        ("# only\n", "lists no face"),
        (f"{'a' * 64} a.jpg\n", "line 1 is not «sha256  name»"),
        (f"{'a' * 63}  a.jpg\n", "line 1 is not"),
        (f"{'a' * 64}  a.jpg\n{'b' * 64}  a.jpg\n", "line 2 names a face again"),
        (b"\xff\xfe", "is not a readable list"),
    ],
)
def test_a_list_that_makes_no_sense(tmp_path, text, reason) -> None:
    path = tmp_path / "x.sha256"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DatasetError, match=reason):
        read_list(path)


def test_an_unknown_list_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DatasetError, match="utkface_all, utkface_asian.*mean «utkface_asian»"):
        find_list("utkface_asain")


def test_the_shipped_lists_are_apart_and_their_names_are_utkfaces() -> None:
    lists = {name: read_list(path) for name, path in shipped_lists().items()}
    counts = {name: len(faces) for name, faces in lists.items()}
    assert counts == {"utkface_all": 1012, "utkface_asian": 549, "utkface_watch": 967}
    for one, other in itertools.combinations(lists.values(), 2):
        assert not {face.name for face in one} & {face.name for face in other}
        assert not {face.sha256 for face in one} & {face.sha256 for face in other}
    assert all(face.name.split("_")[2] == "2" for face in lists["utkface_asian"])


@pytest.mark.slow
def test_the_shipped_lists_are_of_the_published_archive(utkface_archive) -> None:
    wanted = {face.name: face.sha256 for p in shipped_lists().values() for face in read_list(p)}
    with tarfile.open(utkface_archive) as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if name in wanted:
                data = archive.extractfile(member).read()
                assert hashlib.sha256(data).hexdigest() == wanted.pop(name)
    assert wanted == {}


def test_a_list_decides_the_test_faces_of_a_data_set(tiny_utkface, tmp_path) -> None:
    """With the near-duplicates of its faces."""
    first, second = tiny_utkface.pairs[0]
    data = (tiny_utkface.folder / first).read_bytes()
    path = tmp_path / "test.sha256"
    path.write_text(f"{hashlib.sha256(data).hexdigest()}  {first}\n")
    options = BuildOptions(size=32, oversample=False, test_from=path)
    build_utkface(tiny_utkface.folder, tmp_path / "data", options)
    items = read_records(tmp_path / "data" / "records.csv")
    assert {item.record.name for item in items if item.split == "test"} == {first, second}
