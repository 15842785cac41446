from __future__ import annotations

from pathlib import Path

import pytest

from edgeage.datasets.records import FaceRecord, SplitRecord, read_records, write_records
from edgeage.errors import DatasetError

RECORDS = [
    SplitRecord(FaceRecord("a,b.jpg", 5, 0, "asian", "aa"), "train", None),
    SplitRecord(FaceRecord("c.jpg", 103, 1, "others", "bb"), "test", 0),
]


def test_records_are_read_as_written(tmp_path: Path) -> None:
    write_records(tmp_path / "records.csv", RECORDS)
    assert read_records(tmp_path / "records.csv") == RECORDS


def test_the_file_is_plain_csv(tmp_path: Path) -> None:
    write_records(tmp_path / "records.csv", RECORDS)
    assert (tmp_path / "records.csv").read_text().splitlines() == [
        "name,age,age_group,gender,race,split,duplicate_group,sha256",
        '"a,b.jpg",5,0-9,Male,asian,train,,aa',
        "c.jpg,103,80-120,Female,others,test,0,bb",
    ]


FULL = [
    SplitRecord(
        FaceRecord(
            "u/1.jpg", 28, None, "", "cc", person="anna", fold=3, apparent_age=27.0833,
            age_range=(25, 32), own_split="test",
        ),
        "test",
    ),
    SplitRecord(FaceRecord("u/2.jpg", 0, 1, "white", "dd", fold=0, apparent_age=0.0), "train", 1),
]  # fmt: skip


def test_what_only_some_data_sets_say_stands_in_further_columns(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    write_records(path, FULL)
    assert read_records(path) == FULL
    assert path.read_text().splitlines()[:2] == [
        (
            "name,age,age_group,gender,race,split,duplicate_group,sha256,"
            "person,fold,apparent_age,age_low,age_high,own_split"
        ),
        "u/1.jpg,28,20-29,,,test,,cc,anna,3,27.0833,25,32,test",
    ]


def test_an_unknown_gender_is_no_label() -> None:
    face = FULL[0].record
    assert (face.has("age"), face.has("gender"), FULL[1].record.has("gender")) == (
        True, False, True,
    )  # fmt: skip
    with pytest.raises(ValueError, match="gender of «u/1.jpg» is not known"):
        face.label("gender")


@pytest.mark.parametrize(("old", "new"), [(",3,27", ",x,27"), ("25,32", "25,"), ("person", "who")])
def test_further_columns_that_make_no_sense_are_refused(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    write_records(path, FULL)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DatasetError, match="records.csv"):
        read_records(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name,age", "name,years"),
        ("0-9", "10-19"),
        (",5,", ",five,"),
        ("Female", "female"),
        ("test", "both"),
        ("others", "martian"),
        (",test,0,bb", ""),
        ("103", "130"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    write_records(path, RECORDS)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DatasetError, match="records.csv"):
        read_records(path)


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is missing"):
        read_records(tmp_path / "records.csv")
