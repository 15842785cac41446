"""``edgeage dataset`` as a user types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from edgeage.datasets import read_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_build_prints_its_tables(
    cli: Callable[..., Any], tiny_utkface: Any, tmp_path: Path
) -> None:
    result = cli(
        "dataset", "build", "utkface", tiny_utkface.archive, "-o", tmp_path / "x",
        "--race", "all", "--split", "0.8", "--oversample", "--seed", "230", "--size", "32",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    report = read_report(tmp_path / "x")
    faces = len(tiny_utkface.valid)
    lines = result.stdout.splitlines()
    assert lines[0] == (
        f"UTKFace: {faces + 4} files, {faces} faces taken "
        "(white+black+asian+indian+others), 0 of other races, 4 left out"
    )
    for reason in ("missing dot", "missing field", "space in the name", "unreadable picture"):
        assert [line.split() for line in lines].count([*reason.split(), "1"]) == 1
    assert "age     faces  train before  train after  test" in lines
    counts = report["counts"]["age"]
    row = next(line.split() for line in lines if line.startswith("80-120"))
    before, after, test = (counts[side][8] for side in ("train", "train_stored", "test"))
    assert row == ["80-120", str(before + test), str(before), str(after), str(test)]
    assert "writing: " in result.stderr


def test_json_is_the_report_and_nothing_else(
    cli: Callable[..., Any], tiny_utkface: Any, tmp_path: Path
) -> None:
    result = cli(
        "dataset", "build", "utkface", tiny_utkface.folder, "-o", tmp_path / "x",
        "--race", "asian", "--race", "white", "--no-oversample", "--size", "32", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report == read_report(tmp_path / "x")
    assert report["options"] == {
        "races": ["white", "asian"], "split": 0.8, "test_from": None, "oversample": False,
        "seed": 230, "size": 32,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["utkfac", "SOURCE"], 2, "unknown data set «utkfac», expected utkface, imdb-wiki,"),
        (["utkface", "SOURCE", "--race", "martian"], 2, "'martian' is not one of"),
        (["utkface", "SOURCE", "--split", "1"], 2, "1.0 is not in the range 0<x<1"),
        (["utkface", "nowhere.tar.gz"], 1, "nowhere.tar.gz does not exist; expected an archive"),
        (["utkface", "SOURCE", "-o", "SOURCE"], 2, "lie in one another"),
    ],
    ids=["data set", "race", "split", "missing", "output"],
)
def test_a_wrong_call_is_one_clear_line(
    arguments: list[str],
    exit_code: int,
    message: str,
    cli: Callable[..., Any],
    tiny_utkface: Any,
    tmp_path: Path,
) -> None:
    words = [str(tiny_utkface.folder) if word == "SOURCE" else word for word in arguments]
    result = cli("dataset", "build", "-o", tmp_path / "x", *words)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
