from __future__ import annotations

from pathlib import Path

import pytest

from edgeage.datasets import read_report
from edgeage.datasets.report import write_report
from edgeage.errors import DatasetError


def test_a_report_is_read_as_written(tmp_path: Path) -> None:
    report = {"report": 1, "drops": {"missing dot": {"count": 1, "files": ["\udc80.jpg"]}}}
    write_report(tmp_path, report)
    assert read_report(tmp_path) == report


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not a finished data set: it has no report.json"),
        (b"", "not a readable report"),
        (b"\xff\xfe", "not a readable report"),
        (b"[1]", "not a report of version 1"),
        (b'{"report": 2}', "not a report of version 1"),
    ],
    ids=["missing", "empty", "bytes", "a list", "another version"],
)
def test_what_is_no_data_set_is_refused(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        read_report(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is missing; expected a data set"):
        read_report(tmp_path / "x")
