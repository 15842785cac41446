from __future__ import annotations

from edgeage.datasets.seeds import fraction, integer, shuffled


def test_numbers_are_the_same_on_every_machine() -> None:
    # SHA-256 of "230\0noise\0a.jpg", first eight bytes.
    assert integer(230, "noise", "a.jpg") == 0x2F0D5D7E6857E983


def test_words_are_kept_apart() -> None:
    assert integer(1, "ab", "c") != integer(1, "a", "bc")
    assert integer(1, "1") != integer(11)


def test_fractions_fill_the_line() -> None:
    found = [fraction(1, number) for number in range(1000)]
    assert all(0 <= value < 1 for value in found)
    assert 0.45 < sum(found) / 1000 < 0.55


def test_shuffling_does_not_depend_on_the_order_given() -> None:
    names = [f"{number}.jpg" for number in range(50)]
    first = shuffled(names, 1, "split", str)
    assert sorted(first) == sorted(names) != first
    assert first == shuffled(reversed(names), 1, "split", str)
    assert first != shuffled(names, 1, "order", str)
