"""Which file each picture is drawn to, and that nothing is lost there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeage.cli.drawings import Drawings
from edgeage.errors import ImageError, UsageError
from edgeage.faceresult import Face, PictureResult
from edgeage.sources import Source, find_sources


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name in ("a.png", "a_2.png", "deep/a.png", "deeper/a.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "in" / name), np.full((20, 30, 3), 99, np.uint8))
    return tmp_path / "in"


def drawn(save: Path | None, *words: object, overwrite: bool = False) -> list[str]:
    given = [str(word) for word in words]
    drawings = Drawings(save, given, overwrite=overwrite)
    for source in drawings.hold(find_sources(given)):
        result = PictureResult(source.name, (Face((0, 0, 9, 9)),))
        assert drawings.draw(source, result) is None
    return sorted(path.name for path in save.parent.rglob("*")) if save else []


def test_none_are_drawn_unless_asked(pictures: Path) -> None:
    source = Source("never read", error=ImageError("no"))
    assert Drawings(None, [], overwrite=False).draw(source, PictureResult("a.png")) is None
    assert drawn(None, pictures) == []


def test_every_picture_has_a_name_of_its_own(pictures: Path, tmp_path: Path) -> None:
    names = drawn(tmp_path / "out" / "here", pictures, pictures / "a.png")
    assert names == ["a.png", "a_2.png", "a_3.png", "a_4.png", "a_5.png", "here"]


def test_nothing_that_is_there_is_replaced(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "here"
    out.mkdir(parents=True)
    (out / "a_3.png").write_text("mine")
    (out / "other.png").write_text("mine")
    with pytest.raises(UsageError, match=r"a_3\.png is already there; pass --overwrite"):
        drawn(out, pictures)
    assert sorted(path.name for path in out.iterdir()) == ["a_3.png", "other.png"]
    drawn(out, pictures, overwrite=True)
    assert (out / "other.png").read_text() == "mine"
    assert cv2.imread(str(out / "a_3.png")) is not None


def test_one_file_takes_one_picture(pictures: Path, tmp_path: Path) -> None:
    assert drawn(tmp_path / "out" / "b.jpg", pictures / "a.png") == ["b.jpg"]
    with pytest.raises(UsageError, match="is one picture for several; name a folder"):
        Drawings(tmp_path / "c.jpg", [str(pictures)], overwrite=True)


def test_what_cannot_be_drawn_is_an_error_of_its_picture(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    drawings = Drawings(tmp_path / "file" / "out", [], overwrite=False)
    (source,) = find_sources(pictures / "a.png")
    error = drawings.draw(source, PictureResult(source.name))
    assert isinstance(error, ImageError)
    assert "cannot be written" in str(error)
