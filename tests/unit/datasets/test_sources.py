from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeage.datasets import sources
from edgeage.datasets.sources import UnreadableError, members, source_kind
from edgeage.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = {"UTKFace/b.jpg": b"b" * 3000, "UTKFace/a.jpg": b"a" * 10, "c.jpg": b""}


def _tar(path: Path, mode: str) -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def _zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    return path


def _folder(path: Path) -> Path:
    for name, data in FILES.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


MAKERS = {
    "tar": lambda folder: _tar(folder / "x.tar", "w"),
    "tar.gz": lambda folder: _tar(folder / "x.tar.gz", "w:gz"),
    "tar.xz": lambda folder: _tar(folder / "x.tar.xz", "w:xz"),
    # The suffix says nothing: the content decides.
    "misnamed": lambda folder: _tar(folder / "x.zip", "w:gz"),
    "zip": lambda folder: _zip(folder / "x.zip"),
    "folder": lambda folder: _folder(folder / "x"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_of_source_gives_the_same_files(kind: str, tmp_path: Path) -> None:
    source = MAKERS[kind](tmp_path)
    assert {member.path: member.read() for member in members(source)} == FILES
    assert not any(member.problem for member in members(source))


def test_a_folder_is_walked_in_sorted_order(tmp_path: Path) -> None:
    for name in ("b/z.jpg", "b/a.jpg", "a/y.jpg", "c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [member.path for member in members(tmp_path)] == [
        "c.jpg", "a/y.jpg", "b/a.jpg", "b/z.jpg",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "problem"),
    [
        ("../out.jpg", tarfile.REGTYPE, "unsafe path"),
        ("a/../../out.jpg", tarfile.REGTYPE, "unsafe path"),
        ("/etc/out.jpg", tarfile.REGTYPE, "unsafe path"),
        ("C:\\out.jpg", tarfile.REGTYPE, "unsafe path"),
        ("C:/out.jpg", tarfile.REGTYPE, "unsafe path"),
        ("link.jpg", tarfile.SYMTYPE, "not a regular file"),
        ("link.jpg", tarfile.LNKTYPE, "not a regular file"),
        ("device.jpg", tarfile.CHRTYPE, "not a regular file"),
        ("pipe.jpg", tarfile.FIFOTYPE, "not a regular file"),
        ("a..b/fine.jpg", tarfile.REGTYPE, ""),
    ],
    ids=str,
)
def test_odd_members_are_named_and_never_extracted(
    name: str, kind: bytes, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    monkeypatch.chdir(tmp_path / "in")
    assert [member.problem for member in members(tmp_path / "x.tar")] == [problem]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "x.tar"]


def test_a_linked_file_in_a_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "x" / "a.jpg").symlink_to(tmp_path / "secret")
    assert [member.problem for member in members(tmp_path / "x")] == ["not a regular file"]


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_MEMBER_BYTES", 2000)
    for source in (_tar(tmp_path / "x.tar", "w"), _zip(tmp_path / "x.zip")):
        problems = {member.path: member.problem for member in members(source)}
        assert problems["UTKFace/b.jpg"] == "file too large"
        assert problems["UTKFace/a.jpg"] == ""
    large = next(m for m in members(_folder(tmp_path / "x")) if m.name == "b.jpg")
    with pytest.raises(UnreadableError, match="too large"):
        large.read()


@pytest.mark.parametrize("kind", MAKERS)
def test_a_table_is_copied_without_holding_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Tables may be larger than any picture.
    monkeypatch.setattr(sources, "MAX_MEMBER_BYTES", 2000)
    for member in members(MAKERS[kind](tmp_path)):
        member.copy_to(tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == FILES[member.path]


def test_an_unsafe_table_is_not_copied(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        entry = tarfile.TarInfo("labels.csv")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    for member in members(tmp_path / "x.tar"):
        with pytest.raises(DatasetError, match="labels.csv is not read: not a regular file"):
            member.copy_to(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_damaged_zip_member_leaves_the_others(tmp_path: Path) -> None:
    source = tmp_path / "x.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("a.jpg", b"A" * 100)
        archive.writestr("b.jpg", b"B" * 100)
    source.write_bytes(source.read_bytes().replace(b"A" * 100, b"A" * 99 + b"X"))
    found = []
    for member in members(source):
        try:
            found.append(member.read()[:1])
        except UnreadableError as reason:
            found.append(str(reason))
    assert found == ["damaged file in the archive", b"B"]


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_truncated_archive_is_one_clear_line(mode: str, cut: float, tmp_path: Path) -> None:
    source = tmp_path / "x.tar"
    with tarfile.open(source, mode) as archive:
        for number in range(20):
            entry = tarfile.TarInfo(f"{number}.jpg")
            entry.size = 5000
            archive.addfile(entry, io.BytesIO(os.urandom(5000)))
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(DatasetError, match=r"damaged or incomplete|not a tar") as caught:
        for member in members(source):
            member.read()
    assert "\n" not in str(caught.value)


# tarfile takes a header that is cut for the end of the archive.
@pytest.mark.parametrize("size", [2 * 5632, 2 * 5632 + 100, 20 * 5632], ids=str)
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["tar", "tar.gz"])
def test_an_archive_without_its_end_is_refused(
    size: int, compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    source = tmp_path / "x.tar"
    with tarfile.open(source, "w") as archive:
        for number in range(20):
            entry = tarfile.TarInfo(f"{number}.jpg")
            entry.size = 5000
            archive.addfile(entry, io.BytesIO(bytes(5000)))
    assert len(list(members(source))) == 20
    source.write_bytes(compress(source.read_bytes()[:size]))
    with pytest.raises(DatasetError, match="damaged or incomplete: the archive ends early"):
        list(members(source))


def test_a_wrong_checksum_is_noticed(tmp_path: Path) -> None:
    source = _tar(tmp_path / "x.tar.gz", "w:gz")
    data = source.read_bytes()
    source.write_bytes(data[:-8] + bytes([data[-8] ^ 1]) + data[-7:])
    with pytest.raises(DatasetError, match="damaged or incomplete: CRC"):
        list(members(source))


@pytest.mark.parametrize("content", [b"", b"hello\n" * 500, b"\x1f\x8b" + b"\0" * 99])
def test_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DatasetError, match="not a tar, tar.gz or zip archive"):
        source_kind(tmp_path / "x")


def test_a_missing_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist; expected an archive or a folder"):
        list(members(tmp_path / "nothing"))


def test_a_tar_with_a_zip_in_it_is_a_tar(tmp_path: Path) -> None:
    inner = _zip(tmp_path / "inner.zip")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(inner, "inner.zip")
    assert source_kind(tmp_path / "x.tar") == "tar"
