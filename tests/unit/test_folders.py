"""What folders and patterns stand for: in order, a folder at a time, links and hidden names."""

from __future__ import annotations

import glob
import itertools
import os
from pathlib import Path

import pytest

from edgeage import folders
from edgeage.errors import ImageError
from edgeage.folders import matching, pictures_below

FILES = (
    "a.png", "b.JPG", "b/z.gif", "b/c/d.jpeg", "b/c/notes.txt", "deep/er/c.webp", "e/b/b/x.jpg",
    "e/b/x.jpg", "x1.jpg", "x2.jpg", "x10.jpg", ".hidden.png", ".thumbs/d.png", "b/.h/e.png",
    "f.jpg/inner.png", "[odd].png",
)  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(found: object) -> list[str]:
    return [path.as_posix() for path, error in found if error is None]  # type: ignore[attr-defined]


def test_a_folders_pictures_come_by_suffix_sorted_by_path(tree: Path) -> None:
    found = paths(pictures_below(Path()))
    visible = [n for n in FILES if not n.startswith(".") and "/." not in n and ".txt" not in n]
    assert found == [path.as_posix() for path in sorted(map(Path, visible))]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["f.jpg/inner.png", "x1.jpg", "x10.jpg", "x2.jpg"]),
        ("x?.jpg", ["x1.jpg", "x2.jpg"]),
        ("x[!1].jpg", ["x2.jpg"]),
        ("b/*", ["b/c/d.jpeg", "b/z.gif"]),
        ("b/*/*", ["b/c/d.jpeg", "b/c/notes.txt"]),
        ("*/b/x.jpg", ["e/b/x.jpg"]),
        ("**/x.jpg", ["e/b/b/x.jpg", "e/b/x.jpg"]),
        ("**/b/**/x.jpg", ["e/b/b/x.jpg", "e/b/x.jpg"]),
        ("e/**", ["e/b/b/x.jpg", "e/b/x.jpg"]),
        ("**/**/d.*", ["b/c/d.jpeg"]),
        (".*/*.png", [".thumbs/d.png"]),
        ("[[]odd].png", ["[odd].png"]),
        ("nothing*", []),
        ("*/nothing/*", []),
    ],
)
def test_a_pattern_stands_for_files_and_for_folders_pictures(
    pattern: str, expected: list[str], tree: Path
) -> None:
    assert paths(matching(pattern)) == expected
    assert paths(matching(f"{tree.as_posix()}/{pattern}")) == [
        (tree / name).as_posix() for name in expected
    ]


@pytest.mark.parametrize(
    "pattern", ["*", "*.png", "*/*", "*/*/*", "**/*.png", "**/b/*", "[a-e]/**/*.*", "b/**/c/*"]
)
def test_patterns_match_what_the_standard_librarys_match(pattern: str, tree: Path) -> None:
    """glob repeats what ``**`` reaches in several ways and leaves folders as they are."""
    matched = [Path(name) for name in glob.iglob(pattern, recursive=True)]  # noqa: PTH207
    known = {path.as_posix() for path in matched if path.is_file()}
    found = paths(matching(pattern))
    assert known <= set(found)
    assert len(found) == len(set(found))
    for extra in set(found) - known:
        assert set(matched) & set(Path(extra).parents)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_linked_folders_are_not_walked_and_loops_end(tree: Path) -> None:
    (tree / "b" / "up").symlink_to(tree)
    (tree / "link.jpg").symlink_to(tree / "b")
    (tree / "linked.png").symlink_to(tree / "a.png")
    assert not any("up" in name or "link.jpg" in name for name in paths(pictures_below(tree)))
    assert str(tree / "linked.png") in paths(pictures_below(tree))
    assert paths(matching("**/up/a*")) == ["b/up/a.png"]
    assert paths(matching("**/a.png")) == ["a.png"]
    assert paths(matching("b/up/a*")) == ["b/up/a.png"]


def test_a_folder_that_cannot_be_listed_stands_in_its_place(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "c":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(folders.os, "scandir", refuse)
    found = list(pictures_below(Path("b")))
    assert [path.as_posix() for path, _ in found] == ["b/c", "b/z.gif"]
    assert isinstance(found[0][1], ImageError)
    assert str(found[0][1]) == f"{Path('b/c')} cannot be listed: Permission denied"


def test_folders_are_listed_when_their_turn_comes(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    scan = os.scandir
    monkeypatch.setattr(folders.os, "scandir", lambda path: listed.append(str(path)) or scan(path))
    first = list(itertools.islice(pictures_below(Path()), 2))
    assert [path.name for path, _ in first] == ["[odd].png", "a.png"]
    assert listed == ["."]


def test_a_very_deep_folder(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(400):
        deep /= "d"
    try:
        deep.mkdir(parents=True)
    except OSError:
        pytest.skip("this system has no such deep folders")
    (deep / "a.png").touch()
    assert len(list(pictures_below(tmp_path))) == 1
