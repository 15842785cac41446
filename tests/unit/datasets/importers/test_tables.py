"""Tables of one's own, words that stand for labels, and landmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edgeage.datasets.importers.adience import AGE_CLASSES, age_class
from edgeage.datasets.importers.words import BadLabelError, age_of, gender_of
from edgeage.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import SimpleNamespace

# Every label that stands in Adience's tables, by the class it means.
ADIENCE = {
    (0, 2): ["(0, 2)", "2", "3"],
    (4, 6): ["(4, 6)"],
    (8, 12): ["(8, 12)", "13"],
    (15, 20): ["(15, 20)", "(8, 23)", "22"],
    (25, 32): ["(25, 32)", "(27, 32)", "23", "29", "32", "34", "35"],
    (38, 43): ["(38, 43)", "(38, 42)", "(38, 48)", "36", "42", "45"],
    (48, 53): ["(48, 53)", "46", "55", "56"],
    (60, 100): ["(60, 100)", "57", "58"],
}


@pytest.mark.parametrize("bounds", AGE_CLASSES, ids=str)
def test_adience_s_odd_labels_have_a_class(bounds: tuple[int, int]) -> None:
    assert {age_class(text) for text in ADIENCE[bounds]} == {bounds}


@pytest.mark.parametrize("text", ["", "None", "nan", "old", "-1", "121", "(30, 20)", "1e3", "inf"])
def test_what_is_no_age_has_a_reason(text: str) -> None:
    with pytest.raises(BadLabelError, match="age"):
        age_of(text)


def test_a_number_is_no_gender_until_it_is_told(
    importing: Any, made: SimpleNamespace, tmp_path: Path
) -> None:
    files = {"a.jpg": made.picture(0), "t.csv": b"file,age,gender\na.jpg,30,1\n"}
    source = made.folder(tmp_path / "x", files)
    with pytest.raises(DatasetError, match="«1», which means one thing here and another there"):
        importing("csv", source)
    assert importing("csv", source, genders={"1": 0}).records["a.jpg"].gender == 0
    assert importing("csv", source, genders={"0": 0}).drops == {"a.jpg": "unknown gender"}
    assert gender_of("1.0", {"1": 1}) == 1


@pytest.mark.parametrize(
    ("table", "options", "error", "message"),
    [
        (b"image,years\n", {}, DatasetError, "say which is the age, for example with --column age"),
        (b"age\n", {}, DatasetError, "say which is the file"),
        (b"file,age\n", {"columns": {"age": "yaers"}}, UsageError, "no column «yaers» for age"),
        (b"file,age\n\xff\n", {}, DatasetError, "not a readable table"),
        (b'file,age\n"' + b"x" * 200_000, {}, DatasetError, "field larger than"),
    ],
    ids=["no age", "no file", "misspelt", "latin", "endless"],
)
def test_a_table_that_makes_no_sense_is_refused(
    table: bytes,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
    importing: Any,
    made: SimpleNamespace,
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=message):
        importing("csv", made.folder(tmp_path / "x", {"t.csv": table}), **options)


def test_odd_rows_are_left_out_one_by_one(
    importing: Any, made: SimpleNamespace, tmp_path: Path
) -> None:
    rows = [
        "file,age,gender,race,fold,split",
        "a.jpg,30,male,asian,2,test",
        "a.jpg,31,male,asian,2,test",
        "b.jpg",
        "c.jpg,30,robot,asian,,",
        "d.jpg,30,female,elf,,",
        "e.jpg,30,female,,two,",
        "f.jpg,30,female,,,both",
        "../../etc/g.jpg,30,female,,,",
    ]
    files = {f"{name}.jpg": made.picture(ord(name)) for name in "abcdefgh"}
    files["t.csv"] = "\n".join(rows).encode()
    found = importing("csv", made.folder(tmp_path / "x", files))
    assert list(found.records) == ["a.jpg"]
    assert (found.records["a.jpg"].age, found.records["a.jpg"].fold) == (30, 2)
    assert found.drops == {
        "a.jpg": "labelled twice",
        "b.jpg": "missing age",
        "c.jpg": "unknown gender",
        "d.jpg": "unknown race",
        "e.jpg": "fold or apparent age is not a number",
        "f.jpg": "unknown split",
        "g.jpg": "no label",
        "h.jpg": "no label",
        "../../etc/g.jpg": "picture missing",
    }


def test_several_tables_are_not_guessed_among(
    importing: Any, made: SimpleNamespace, tmp_path: Path
) -> None:
    source = made.folder(tmp_path / "x", {"a.csv": b"file,age\n", "b.csv": b"file,age\n"})
    with pytest.raises(DatasetError, match=r"several CSV files \(a.csv, b.csv\); name one with"):
        importing("csv", source)
    assert importing("csv", source, labels=(source / "a.csv",)).records == {}


def test_the_lists_earlier_projects_exported_are_read(
    importing: Any, made: SimpleNamespace, tmp_path: Path
) -> None:
    files = {"wiki_crop/17/10000217_1981-05-05_2009.jpg": made.picture(0)}
    source = made.folder(tmp_path / "x", files)
    for table in (
        b"genders,ages,img_paths\n1,28,17/10000217_1981-05-05_2009.jpg\n",
        b"age,gender,path\n28,1,17/10000217_1981-05-05_2009.jpg\n",
    ):
        (tmp_path / "wiki.csv").write_bytes(table)
        found = importing("csv", source, labels=(tmp_path / "wiki.csv",), genders={"1": 0, "0": 1})
        record = found.records["17/10000217_1981-05-05_2009.jpg"]
        assert (record.age, record.gender) == (28, 0)


def test_an_ignore_list_leaves_its_pictures_out(
    importing: Any, made: SimpleNamespace, tmp_path: Path
) -> None:
    source = made.folder(tmp_path / "x", made.layout("appa-real").files)
    (tmp_path / "ignore_list.txt").write_text("000000.jpg\nvalid/004113.jpg_face.jpg\n")
    found = importing("appa-real", source, ignore=tmp_path / "ignore_list.txt")
    assert list(found.records) == ["test/005613.jpg"]
    assert list(found.drops.values()).count("on the ignore list") == 2
    full = importing("appa-real", source, form="full")
    assert full.pictures["test/005613.jpg"] == made.picture(3, 60)


def test_both_forms_of_adience_have_the_same_names(
    importing: Any, made: SimpleNamespace, tmp_path: Path
) -> None:
    source = made.folder(tmp_path / "x", made.layout("adience").files)
    aligned, faces = importing("adience", source), importing("adience", source, form="faces")
    assert aligned.records == faces.records
    assert all(aligned.pictures[name] != faces.pictures[name] for name in faces.pictures)


def _landmarks() -> list[float]:
    points = np.zeros((68, 2))
    points[:17, 0], points[:17, 1] = np.linspace(10, 90, 17), 80
    points[17:, 0], points[17:, 1] = 50, 20
    points[36:42], points[42:48] = (30, 40), (70, 41)
    points[30], points[48], points[54] = (50, 55), (35, 70), (65, 71)
    return points.ravel().tolist()


def test_landmarks_say_where_a_face_in_the_wild_is(
    importing: Any, made: SimpleNamespace, tmp_path: Path
) -> None:
    names = [f"3{n}_1_2_2017010914240807{n}.jpg" for n in range(4)]
    files = {f"part1/{name}": made.picture(n) for n, name in enumerate(names)}
    files[f"part1/{names[0]}.chip.jpg"] = made.picture(9)
    line = " ".join(f"{value:g}" for value in _landmarks())
    lines = [f"{names[0]} {line} ", f"{names[1]} 1 2 3", f"{names[2]} {'5 ' * 136}"]
    (tmp_path / "landmark_list_part1.txt").write_text("\n".join(lines))
    source = made.tar(tmp_path / "part1.tar.gz", files)
    found = importing("utkface", source, labels=(tmp_path / "landmark_list_part1.txt",))
    hint = found.candidates[names[0]].hint
    assert hint.box == (10, 20, 90, 80)
    assert hint.landmarks == ((30, 40), (70, 41), (50, 55), (35, 70), (65, 71))
    assert found.candidates[f"{names[0]}.chip.jpg"].hint is None
    assert found.drops == {
        f"part1/{names[1]}": "malformed landmarks",
        f"part1/{names[2]}": "malformed landmarks",
        f"part1/{names[3]}": "no landmarks",
    }
    # Without the list the pictures are taken as they are.
    assert len(importing("utkface", source).records) == 5
