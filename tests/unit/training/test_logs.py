"""The training's CSV and TensorBoard events."""

import csv

import pytest

from edgeage.errors import TrainingError
from edgeage.training.logs import StepReport, TestReport, TrainingLog


def _rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _write(folder, first, last, start=0):
    with TrainingLog(folder, "tiny", start) as log:
        for iteration in range(first, last + 1):
            log.step(StepReport(iteration, 100, 1.5, 0.01, 50.0))
        log.test(TestReport(last, 1.25, 0.75, 10))


def test_steps_and_tests_are_rows(tmp_path):
    _write(tmp_path, 1, 2)
    rows = _rows(tmp_path / "tiny_log.csv")
    assert [(row["iteration"], row["phase"]) for row in rows] == [
        ("1", "train"), ("2", "train"), ("2", "test"),
    ]  # fmt: skip
    assert (rows[0]["loss"], rows[0]["learning_rate"]) == ("1.5", "0.01")
    assert (rows[2]["loss"], rows[2]["accuracy"]) == ("1.25", "0.750000")
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


def test_resuming_drops_the_rows_behind_the_snapshot(tmp_path):
    _write(tmp_path, 1, 9)
    with (tmp_path / "tiny_log.csv").open("a") as stream:
        stream.write("10,tra")  # cut off in the middle of a row
    _write(tmp_path, 6, 7, start=5)
    rows = [row for row in _rows(tmp_path / "tiny_log.csv") if row["phase"] == "train"]
    assert [int(row["iteration"]) for row in rows] == [1, 2, 3, 4, 5, 6, 7]


def test_a_training_from_the_start_begins_an_empty_log(tmp_path):
    _write(tmp_path, 1, 3)
    _write(tmp_path, 1, 1)
    assert len(_rows(tmp_path / "tiny_log.csv")) == 2


def test_a_file_that_is_no_log_is_not_overwritten(tmp_path):
    path = tmp_path / "tiny_log.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TrainingError, match="not a training log"):
        TrainingLog(tmp_path, "tiny", 5)
    assert path.read_text() == "a,b\n1,2\n"
