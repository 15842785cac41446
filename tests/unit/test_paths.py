"""Data folders, the cache, and files that are never half there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from edgeage import paths
from edgeage.errors import EdgeageError
from edgeage.paths import atomic_dir, atomic_file, cache_dir, data_dir, sha256_file


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_source_tree_has_its_data_beside_the_package(repo_root: Path) -> None:
    assert data_dir("prototxt") == repo_root / "prototxt"


def test_a_wheel_has_its_data_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "edgeage" / "_data" / "prototxt"
    inside.mkdir(parents=True)
    (tmp_path / "prototxt").mkdir()
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "edgeage")
    assert data_dir("prototxt") == inside


def test_a_broken_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "edgeage")
    with pytest.raises(EdgeageError, match="folder «prototxt» is missing .* reinstall edgeage"):
        data_dir("prototxt")


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        pytest.param("linux", {}, "home/.cache/edgeage", id="linux"),
        pytest.param("linux", {"XDG_CACHE_HOME": "xdg"}, "xdg/edgeage", id="linux, XDG"),
        pytest.param("linux", {"XDG_CACHE_HOME": ""}, "home/.cache/edgeage", id="linux, empty"),
        pytest.param("darwin", {}, "home/Library/Caches/edgeage", id="macOS"),
        pytest.param("win32", {"LOCALAPPDATA": "local"}, "local/edgeage", id="windows"),
        pytest.param("linux", {"EDGEAGE_CACHE": "mine"}, "mine", id="explicit"),
    ],
)
def test_the_cache_follows_the_platform(
    platform: str,
    variables: dict[str, str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("EDGEAGE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(paths.sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("home"))
    assert cache_dir() == Path(expected)


def test_a_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.bin"
    with atomic_file(target) as temporary:
        temporary.write_bytes(b"12345")
        assert temporary.parent == target.parent
        assert not target.exists()
    assert target.read_bytes() == b"12345"
    assert _names(target.parent) == ["file.bin"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="half way"), atomic_file(target) as temporary:
        temporary.write_bytes(b"ne")
        raise RuntimeError("half way")
    assert target.read_bytes() == b"old"
    assert _names(tmp_path) == ["file.bin"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permission bits")
def test_written_files_and_folders_have_ordinary_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_file(tmp_path / "file") as temporary:
            temporary.touch()
        with atomic_dir(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    with atomic_dir(target) as temporary:
        (temporary / "a").touch()
        assert not target.exists()
    assert _names(target) == ["a"]
    assert _names(target.parent) == ["out"]


def test_a_failed_folder_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="half way"), atomic_dir(tmp_path / "out") as temporary:
        (temporary / "a").touch()
        raise RuntimeError("half way")
    assert _names(tmp_path) == []


def test_an_empty_folder_is_replaced_and_a_full_one_only_when_asked(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    with atomic_dir(target) as temporary:
        (temporary / "first").touch()
    with (
        pytest.raises(EdgeageError, match="is not empty; .* pass --overwrite"),
        atomic_dir(target),
    ):
        pass
    with atomic_dir(target, overwrite=True) as temporary:
        (temporary / "second").touch()
    assert _names(target) == ["second"]
    assert _names(tmp_path) == ["out"]


def test_a_folder_that_cannot_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "first").touch()
    rename = Path.rename

    def full(path: Path, to: Path) -> Path:
        if path.suffix == ".part":
            raise OSError(28, "No space left on device")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space"), atomic_dir(target, overwrite=True) as temporary:
        (temporary / "second").touch()
    assert _names(target) == ["first"]
    assert _names(tmp_path) == ["out"]


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with (
        pytest.raises(EdgeageError, match="out is a file, expected a folder to write"),
        atomic_dir(tmp_path / "out", overwrite=True),
    ):
        pass


def test_the_hash_covers_files_larger_than_a_block(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000
    (tmp_path / "big").write_bytes(content)
    assert sha256_file(tmp_path / "big") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("make", [atomic_file, atomic_dir], ids=["file", "dir"])
def test_folders_made_for_nothing_are_taken_away(make, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(ZeroDivisionError), make(tmp_path / "kept" / "a" / "b" / "c"):
        raise ZeroDivisionError
    assert list(tmp_path.rglob("*")) == [tmp_path / "kept"]
