from __future__ import annotations

from edgeage.datasets.drops import MAX_LISTED, Drops


def test_every_file_is_counted_and_the_first_are_listed() -> None:
    drops = Drops()
    for number in reversed(range(5 * MAX_LISTED)):
        drops.add("no face found", f"{number:05d}.jpg")
    drops.add("age below 0", "x.jpg")
    assert list(drops.counts()) == [("age below 0", 1), ("no face found", 5 * MAX_LISTED)]
    listed = drops.to_dict()["no face found"]
    assert listed["count"] == 5 * MAX_LISTED
    assert listed["files"] == [f"{number:05d}.jpg" for number in range(MAX_LISTED)]
