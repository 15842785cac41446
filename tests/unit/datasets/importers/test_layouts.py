"""What holds for the importer of every published layout."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from edgeage.datasets import sources
from edgeage.datasets.importers import DATASETS, open_importer
from edgeage.datasets.importers.found import ImportOptions
from edgeage.datasets.records import FaceRecord
from edgeage.errors import DatasetError, UsageError
from edgeage.paths import data_dir
from edgeage.tomlfile import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import SimpleNamespace

Importing = Any
HOSTILE = ("/etc/cron.d/34_0_0_2017.jpg", "../011A14.JPG", "a/../../train/1.jpg", "C:\\1.jpg")
BOMB = "bomb/train/1_0_0_2017.jpg"


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_every_face_and_every_drop_is_as_published(
    layout: Any, kind: str, importing: Importing, made: SimpleNamespace, tmp_path: Path
) -> None:
    name, expected = layout
    source = getattr(made, kind)(tmp_path / "source", expected.files)
    found = importing(name, source, **expected.options)
    assert found.drops == expected.drops
    assert set(found.records) == set(expected.faces)
    for face, (path, labels) in expected.faces.items():
        assert found.records[face] == FaceRecord(**{"name": face, "race": "", **labels})
        assert found.pictures[face] == expected.files[path]


def _hostile_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name in HOSTILE:
            archive.addfile(tarfile.TarInfo(name))
        for name, data in files.items():
            link = tarfile.TarInfo(f"{name}.link.jpg")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        # A bomb: a picture of more bytes than any has.
        bomb = tarfile.TarInfo(BOMB)
        bomb.size = 300_000
        archive.addfile(bomb, io.BytesIO(bytes(bomb.size)))
    return path


def _hostile_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in HOSTILE:
            archive.writestr(name, b"")
        for name, data in files.items():
            link = zipfile.ZipInfo(f"{name}.link.jpg")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "/etc/passwd")
            archive.writestr(name, data)
        archive.writestr(BOMB, bytes(300_000))
    return path


@pytest.mark.parametrize("write", [_hostile_tar, _hostile_zip], ids=["tar", "zip"])
def test_a_hostile_archive_gives_its_sound_faces_and_nothing_else(
    layout: Any, write: Any, importing: Importing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, expected = layout
    monkeypatch.setattr(sources, "MAX_MEMBER_BYTES", 200_000)
    (tmp_path / "in").mkdir()
    source = write(tmp_path / "in" / "x", expected.files)
    found = importing(name, source, **expected.options)
    assert set(found.records) == set(expected.faces)
    odd = {path: reason for path, reason in found.drops.items() if path not in expected.drops}
    links = [path for path in odd if path.endswith(".link.jpg")]
    assert len(links) == len(expected.files)
    # Whatever is no face of the data set by its name is called that before its path is looked at.
    for path in (*HOSTILE, *links, BOMB):
        assert odd[path] in ("unsafe path", "not a regular file", "file too large") or (
            odd[path] in ("another form of a picture", "malformed name")
        ), (path, odd[path])
    written = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert written <= {"in", "work"}


def test_a_bomb_of_labels_is_refused(
    tabled: Any,
    importing: Importing,
    made: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, expected = tabled
    monkeypatch.setattr(sources, "MAX_TABLE_BYTES", 1 << 20)
    files = {**expected.files, expected.table: bytes(3 << 20)}
    with pytest.raises(DatasetError, match="has more than 1 MB, no table of labels has"):
        importing(name, made.zip(tmp_path / "x.zip", files), **expected.options)


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda _data: None,
    "empty": lambda _data: b"",
    "binary": lambda data: b"\xff\xfe\x00" + data[::-1],
    "cut": lambda data: data[: len(data) // 2] if data[:6] == b"MATLAB" else data[:3],
    "another's": lambda _data: b"colour,shape\nred,round\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_labels_are_one_clear_line(
    tabled: Any, damage: str, importing: Importing, made: SimpleNamespace, tmp_path: Path
) -> None:
    name, expected = tabled
    files = dict(expected.files)
    changed = DAMAGES[damage](files.pop(expected.table))
    if damage == "missing":
        end = expected.table[-4:]
        files = {path: data for path, data in files.items() if not path.endswith(end)}
    if changed is not None:
        files[expected.table] = changed
    with pytest.raises((DatasetError, UsageError)) as caught:
        importing(name, made.folder(tmp_path / "x", files), **expected.options)
    assert "\n" not in str(caught.value)
    said = "no file with labels" if damage == "missing" else expected.table.rpartition("/")[2]
    assert said in str(caught.value)


# What a download leaves that was cut short or changed on its way, and what is no archive at all.
ARCHIVE_DAMAGES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "empty": ("w", lambda _data: b""),
    "a web page": ("w", lambda _data: b"<html>Please log in.</html>" * 40),
    "cut in a file": ("w", lambda data: data[: len(data) // 512 // 2 * 512 + 3]),
    "packed and cut": ("w:gz", lambda data: data[: len(data) // 2]),
    "one bit": ("w:gz", lambda data: data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]),
}


@pytest.mark.parametrize("damage", ARCHIVE_DAMAGES)
def test_a_damaged_archive_is_one_clear_line(
    layout: Any, damage: str, importing: Importing, made: SimpleNamespace, tmp_path: Path
) -> None:
    name, expected = layout
    mode, change = ARCHIVE_DAMAGES[damage]
    source = made.tar(tmp_path / "x.tar", expected.files, mode)
    source.write_bytes(change(source.read_bytes()))
    with pytest.raises(
        DatasetError, match="damaged or incomplete|cannot be read|not a tar"
    ) as said:
        importing(name, source, **expected.options)
    assert "\n" not in str(said.value)


def test_a_damaged_picture_leaves_the_others(
    layout: Any, importing: Importing, tmp_path: Path
) -> None:
    name, expected = layout
    face, (path, _) = next(iter(expected.faces.items()))
    source = tmp_path / "x.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for file, data in expected.files.items():
            archive.writestr(file, data)
    data = source.read_bytes()
    at = data.index(expected.files[path]) + 30
    source.write_bytes(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])
    found = importing(name, source, **expected.options)
    assert found.drops[path] == "damaged file in the archive"
    assert set(found.records) == set(expected.faces) - {face}


def test_pictures_and_labels_without_one_another_are_counted(
    tabled: Any, importing: Importing, made: SimpleNamespace, tmp_path: Path
) -> None:
    name, expected = tabled
    face, (path, _) = next(iter(expected.faces.items()))
    files = dict(expected.files)
    files[path.replace(".", "_stray.", 1)] = files.pop(path)
    found = importing(name, made.folder(tmp_path / "x", files), **expected.options)
    assert face not in found.records
    assert "picture missing" in found.drops.values()
    if name != "adience":  # whose prefix the stray name breaks
        assert "no label" in found.drops.values()


def test_labels_may_lie_apart(
    tabled: Any, importing: Importing, made: SimpleNamespace, tmp_path: Path
) -> None:
    name, expected = tabled
    end = expected.table[-4:]
    tables = {path: data for path, data in expected.files.items() if path.endswith(end)}
    pictures = {path: data for path, data in expected.files.items() if path not in tables}
    source = made.zip(tmp_path / "x.zip", pictures)
    labels = made.folder(tmp_path / "labels", tables)
    found = importing(name, source, labels=(labels,), **expected.options)
    assert set(found.records) == set(expected.faces)


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_has_a_card(name: str) -> None:
    card = read_toml(data_dir("datasets") / open_importer(name).card)
    assert {"name", "source", "licence", "citation", "labels_by"} <= set(card["dataset"])


def test_an_option_of_another_data_set_is_refused() -> None:
    with pytest.raises(UsageError, match="fgnet has no use for --min-score; it takes none of"):
        open_importer("fgnet").check("fgnet", ImportOptions(min_score=3))
    with pytest.raises(UsageError, match="has no form «round», expected aligned or faces"):
        open_importer("adience").check("adience", ImportOptions(form="round"))
    with pytest.raises(UsageError, match="unknown column «years», expected file, age"):
        ImportOptions(columns={"years": "age"})
