"""Figures worked out by hand from a small confusion matrix."""

import json

import numpy as np
import pytest

from edgeage.errors import UsageError
from edgeage.evaluation.metrics import Score, confusion_matrix
from edgeage.evaluation.plots import plot_confusion
from edgeage.evaluation.text import format_score

#        predicted  a  b  c  d
CONFUSION = [
    [6, 2, 0, 0],  # a: 8 pictures, 6 right, 8 within one
    [1, 1, 1, 1],  # b: 4 pictures, 1 right, 3 within one
    [0, 0, 0, 0],  # c: none
    [2, 0, 1, 5],  # d: 8 pictures, 5 right, 6 within one
]


@pytest.fixture
def score():
    return Score(("0-9", "10-19", "20-29", "30-39"), np.array(CONFUSION), ordered=True)


def test_figures(score):
    assert (score.images, score.correct) == (20, 12)
    assert score.accuracy == pytest.approx(0.6)
    assert score.one_off_accuracy == pytest.approx(17 / 20)
    assert score.balanced_recall == pytest.approx((6 / 8 + 1 / 4 + 5 / 8) / 3)


def test_a_row_per_group(score):
    second, third = score.groups[1:3]
    assert (second.images, second.correct, second.one_off, second.predicted) == (4, 1, 3, 3)
    assert (second.recall, second.precision) == (1 / 4, 1 / 3)
    assert (third.images, third.recall, third.precision) == (0, None, 0)


def test_a_constant_answer_looks_good_only_in_plain_accuracy():
    """The original's 66.5 % hid a balanced recall of 38 %: both are always reported."""
    truth = np.array([0] * 90 + [1] * 10)
    score = Score.of(truth, np.zeros(100, int), ("a", "b"), ordered=False)
    assert score.accuracy == 0.9
    assert score.balanced_recall == 0.5
    assert "Class-balanced recall: 50.0%" in format_score(score)


def test_genders_are_not_neighbours():
    score = Score.of(np.array([0, 1]), np.array([1, 1]), ("Male", "Female"), ordered=False)
    assert score.one_off_accuracy is None
    assert "one_off" not in score.to_dict()["groups"][0]
    assert "One-off" not in format_score(score)
    assert "one-off" not in format_score(score)


def test_every_picture_is_counted():
    random = np.random.default_rng(0)
    truth, predicted = random.integers(0, 9, 687), random.integers(0, 9, 687)
    matrix = confusion_matrix(truth, predicted, 9)
    assert matrix.sum() == 687
    assert matrix[3, 5] == ((truth == 3) & (predicted == 5)).sum()


def test_json(score):
    assert json.loads(json.dumps(score.to_dict()))["groups"][2]["recall"] is None
    assert score.to_dict()["confusion"] == CONFUSION


def test_text(score):
    assert format_score(score) == (
        "Accuracy: 60.0%, 12/20 corrects\n"
        "One-off accuracy: 85.0%\n"
        "Class-balanced recall: 54.2%\n"
        "\n"
        "Confusion matrix (rows: true, columns: predicted)\n"
        "       0-9  10-19  20-29  30-39\n"
        "0-9      6      2      0      0\n"
        "10-19    1      1      1      1\n"
        "20-29    0      0      0      0\n"
        "30-39    2      0      1      5\n"
        "\n"
        "group   images  correct   recall  precision  one-off\n"
        "0-9          8        6    75.0%      66.7%   100.0%\n"
        "10-19        4        1    25.0%      33.3%    75.0%\n"
        "20-29        0        0        –       0.0%        –\n"
        "30-39        8        5    62.5%      83.3%    75.0%"
    )


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_plot(score, tmp_path, suffix, start):
    path = tmp_path / f"plot.{suffix}"
    plot_confusion(score, path, "title")
    assert path.read_bytes().startswith(start)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_plot_with_another_suffix_is_refused(score, tmp_path):
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf"):
        plot_confusion(score, tmp_path / "plot.txt", "title")
