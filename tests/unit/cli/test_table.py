from __future__ import annotations

from edgeage.cli.table import Table, face_cells, shown
from edgeage.faceresult import Face


def test_columns_grow_and_never_shrink() -> None:
    table = Table(block=2)
    assert table.add(["a", "bb", "c"]) == ""
    assert table.add(["aaa", "b", "c"]) == "a    bb  c\naaa  b   c\n"
    assert table.add(["a", "b"]) == ""
    assert table.flush() == "a    b\n"
    assert table.flush() == ""


def test_wide_characters_take_two_columns() -> None:
    table = Table()
    table.add(["日本.png", "x"])
    table.add(["abcd.png", "x"])
    assert table.flush().splitlines() == ["日本.png  x", "abcd.png  x"]


def test_a_name_cannot_upset_the_terminal() -> None:
    assert shown("a/\x1b[31mred\r\n.png") == r"\x1b[31mred\r\n.png"
    assert shown("<stdin>") == "<stdin>"
    assert shown("https://example.org/") == "example.org"
    assert shown("..") == ".."


def test_what_is_unknown_is_left_out() -> None:
    age = Face((0, 0, 9, 9), age=5.0, age_group="0-9", age_group_probability=1.0, device="CPU")
    assert face_cells(age) == ["age group 0-9 (100.0 %), 5.0 years", "0.0 ms", "CPU"]
