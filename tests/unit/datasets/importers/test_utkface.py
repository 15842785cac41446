from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeage.datasets.importers.utkface import BadNameError, parse_name


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("34_1_2_20170109142408075.jpg.chip.jpg", (34, 1, "asian")),
        ("0_0_0_20170109142408075.jpg.chip.jpg", (0, 0, "white")),
        ("120_0_4_20170109142408075.jpg.chip.jpg", (120, 0, "others")),
        ("9_0_1_20170109142408075.jpg", (9, 0, "black")),
        ("9_0_3_20170109142408075.PNG", (9, 0, "indian")),
    ],
    ids=["published", "newborn", "oldest", "uncropped", "png"],
)
def test_labels_are_read(name: str, labels: tuple[int, int, str]) -> None:
    record = parse_name(name)
    assert (record.name, record.age, record.gender, record.race) == (name, *labels)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        # The malformed names of the published archive.
        ("61_1_20170109142408075.jpg.chip.jpg", "missing field"),
        ("39_1_20170116174525125.jpg.chip.jpg", "missing field"),
        ("24_0_1_20170116220224657 .jpg.chip.jpg", "space in the name"),
        ("55_0_0_20170116232725357jpg.chip.jpg", "missing dot"),
        # What else can be wrong.
        ("55_0_0_1_20170116232725357.jpg.chip.jpg", "extra field"),
        ("121_0_0_20170116232725357.jpg.chip.jpg", "age out of range"),
        (f"{'9' * 5000}_0_0_2017.jpg", "age out of range"),
        ("x_0_0_20170116232725357.jpg.chip.jpg", "age is not a number"),
        ("-5_0_0_20170116232725357.jpg.chip.jpg", "age is not a number"),
        ("\u0663_0_0_20170116232725357.jpg.chip.jpg", "age is not a number"),
        ("30_2_0_20170116232725357.jpg.chip.jpg", "unknown gender"),
        ("30__0_20170116232725357.jpg.chip.jpg", "unknown gender"),
        ("30_0_5_20170116232725357.jpg.chip.jpg", "unknown race"),
        ("30_0_0_today.jpg.chip.jpg", "malformed date"),
        ("._30_0_0_20170116232725357.jpg.chip.jpg", "hidden file"),
        ("README.txt", "not a picture"),
        ("", "not a picture"),
    ],
    ids=lambda value: value[:24],
)
def test_a_malformed_name_has_its_reason(name: str, reason: str) -> None:
    with pytest.raises(BadNameError, match=f"^{reason}$"):
        parse_name(name)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text("0123456789_ .jpgchi\u0663\0", max_size=40))
def test_any_text_is_a_record_or_has_a_reason(name: str) -> None:
    with contextlib.suppress(BadNameError):
        record = parse_name(name)
        assert 0 <= record.age <= 120
        assert name.isascii()
