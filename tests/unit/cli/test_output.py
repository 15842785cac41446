"""What each format prints, picture by picture, and what is left when the work is cut short."""

from __future__ import annotations

import csv
import gc
import io
import json
import tracemalloc
from pathlib import Path

import pytest

from edgeage.cli.output import CSV_COLUMNS, FORMATS, Report, open_report
from edgeage.errors import DeviceError, ImageError, UsageError
from edgeage.faceresult import Face, PictureResult, Timing


def face(left: int = 0, **fields: object) -> Face:
    known = {
        "age": 34.25, "age_group": "30-39", "age_group_probability": 0.82,
        "age_probabilities": (0.18, 0.82), "gender": "Female", "gender_probability": 0.9731234567,
        "device": "CPU", "latency_ms": 4.06,
    }  # fmt: skip
    return Face((left, 2, left + 9, 12), **{**known, **fields})


RESULTS = [
    PictureResult("photos/a.png", (face(),)),
    PictureResult("bad, \"quoted\".png", error=ImageError("it is truncated, copy it")),
    PictureResult("photos/two.png", (face(), face(20, gender="Male", device="MYRIAD"))),
    PictureResult("empty.png"),
]  # fmt: skip
TIMING = Timing(load_ms=5.0, faces=3)


def printed(form: str, results: list[PictureResult] = RESULTS) -> str:
    stream = io.StringIO()
    report = FORMATS[form](stream)
    for result in results:
        report.write(result)
    report.finish(TIMING)
    return stream.getvalue()


def test_json_is_one_document_as_json_writes_it() -> None:
    documents = [result.to_dict() for result in RESULTS]
    expected = {"results": documents, "timing": TIMING.to_dict()}
    assert printed("json") == json.dumps(expected, indent=2, ensure_ascii=False) + "\n"
    assert json.loads(printed("json", [])) == {"results": [], "timing": TIMING.to_dict()}


def test_json_lines_are_one_line_a_picture() -> None:
    lines = printed("jsonl").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [result.to_dict() for result in RESULTS]
    assert printed("jsonl", []) == ""


def test_csv_has_a_row_a_face_and_one_for_a_picture_without() -> None:
    text = printed("csv")
    assert text.count("\r\n") == text.count("\n") == 6
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [(row["image"], row["face"]) for row in rows] == [
        ("photos/a.png", "1"), ('bad, "quoted".png', ""), ("photos/two.png", "1"),
        ("photos/two.png", "2"), ("empty.png", ""),
    ]  # fmt: skip
    assert rows[0] == {
        "image": "photos/a.png", "face": "1", "left": "0", "top": "2", "right": "9",
        "bottom": "12", "age": "34.25", "age_group": "30-39", "age_group_probability": "0.82",
        "gender": "Female", "gender_probability": "0.973123", "device": "CPU",
        "latency_ms": "4.06", "score": "", "detected": "False", "error": "",
    }  # fmt: skip
    assert rows[1]["error"] == "it is truncated, copy it"
    assert not any(value for name, value in rows[4].items() if name != "image")
    assert printed("csv", []) == ",".join(CSV_COLUMNS) + "\r\n"


def test_csv_leaves_empty_what_no_network_tells() -> None:
    alone = Face((0, 0, 9, 9), gender="Male", gender_probability=0.5)
    (row,) = csv.DictReader(io.StringIO(printed("csv", [PictureResult("a.png", (alone,))])))
    assert (row["age"], row["age_group"], row["gender"]) == ("", "", "Male")


def test_the_table_has_a_line_a_face() -> None:
    assert printed("table").splitlines() == [
        "a.png  age group 30-39 (82.0 %), 34.2 years  Female (97.3 %)  4.1 ms  CPU",
        "two.png #1  age group 30-39 (82.0 %), 34.2 years  Female (97.3 %)  4.1 ms  CPU",
        "two.png #2  age group 30-39 (82.0 %), 34.2 years  Male (97.3 %)    4.1 ms  MYRIAD",
        "empty.png   no face",
    ]  # an error, which is talk, ends a block of alignment


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_each_picture_is_out_before_the_next(form: str) -> None:
    stream = io.StringIO()
    report = FORMATS[form](stream)
    for result in RESULTS:
        before = len(stream.getvalue())
        report.write(result)
        assert json.dumps(result.image)[1:5] in stream.getvalue()[before:]


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_kept(form: str) -> None:
    class Nowhere(io.StringIO):
        def write(self, text: str) -> int:
            return len(text)

    # Threads that other tests have left behind allocate too.
    ours = [tracemalloc.Filter(True, place) for place in (__file__, "*/edgeage/*")]

    def held() -> int:
        gc.collect()
        found = tracemalloc.take_snapshot().filter_traces(ours)
        return sum(trace.size for trace in found.traces)

    report = FORMATS[form](Nowhere())
    tracemalloc.start()
    for number in range(900):
        if number == 100:
            before = held()
        report.write(PictureResult(f"{number}.png", (face(),)))
    grown = held() - before
    tracemalloc.stop()
    assert grown < 40_000


class TestCutShort:
    def leave(self, form: str, error: BaseException, results: list[PictureResult]) -> None:
        with pytest.raises(type(error)), open_report(form, None) as report:
            for result in results:
                report.write(result)
            raise error

    def test_json_is_still_a_document(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.leave("json", DeviceError("the stick\nis gone"), RESULTS[:1])
        document = json.loads(capsys.readouterr().out)
        assert document == {"results": [RESULTS[0].to_dict()], "error": "the stick is gone"}
        self.leave("json", KeyboardInterrupt(), RESULTS)
        assert json.loads(capsys.readouterr().out)["error"] == "KeyboardInterrupt"

    @pytest.mark.parametrize("form", FORMATS)
    def test_nothing_before_the_first_picture(
        self, form: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.leave(form, DeviceError("no stick"), [])
        assert capsys.readouterr().out == ""

    def test_the_tables_block_comes_out(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.leave("table", DeviceError("no stick"), RESULTS[:1])
        assert capsys.readouterr().out.startswith("a.png  age group")


class TestFile:
    def write(self, path: Path, **options: bool) -> None:
        with open_report("csv", path, **options) as report:
            assert isinstance(report, Report)
            assert not path.exists() or options
            report.write(PictureResult("\udcff ü.png"))
            report.finish(None)

    def test_appears_whole(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.write(tmp_path / "new" / "faces.csv")
        data = (tmp_path / "new" / "faces.csv").read_bytes()
        assert data.splitlines()[1].startswith(rb"\udcff " + "ü.png,".encode())
        assert b"\r\r" not in data
        assert capsys.readouterr().out == ""

    def test_is_replaced_only_when_asked(self, tmp_path: Path) -> None:
        (tmp_path / "faces.csv").write_text("mine")
        with pytest.raises(UsageError, match="already there; pass --overwrite"):
            self.write(tmp_path / "faces.csv")
        assert (tmp_path / "faces.csv").read_text() == "mine"
        self.write(tmp_path / "faces.csv", overwrite=True)
        assert (tmp_path / "faces.csv").read_text(encoding="utf-8").startswith("image,face")

    def test_is_not_there_after_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(DeviceError), open_report("jsonl", tmp_path / "out") as report:
            report.write(RESULTS[0])
            raise DeviceError("gone")
        assert list(tmp_path.iterdir()) == []
