"""A score as a text for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeage.evaluation.metrics import Score

__all__ = ["format_score"]


def format_score(score: Score) -> str:
    """Return the summary line, the labelled confusion matrix and a row per class."""
    lines = [f"Accuracy: {score.accuracy:.1%}, {score.correct}/{score.images} corrects"]
    if score.one_off_accuracy is not None:
        lines.append(f"One-off accuracy: {score.one_off_accuracy:.1%}")
    lines.append(f"Class-balanced recall: {score.balanced_recall:.1%}")
    lines += ["", "Confusion matrix (rows: true, columns: predicted)", *_matrix(score)]
    lines += ["", *_groups(score)]
    return "\n".join(lines)


def _matrix(score: Score) -> list[str]:
    head = max(map(len, score.labels))
    widths = [
        max(len(label), len(str(column.max())))
        for label, column in zip(score.labels, score.confusion.T, strict=True)
    ]
    lines = [_row("", head, score.labels, widths)]
    for label, row in zip(score.labels, score.confusion, strict=True):
        lines.append(_row(label, head, [str(count) for count in row], widths))
    return lines


def _row(label: str, head: int, cells: tuple[str, ...] | list[str], widths: list[int]) -> str:
    padded = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join([label.ljust(head), *padded]).rstrip()


def _groups(score: Score) -> list[str]:
    head = max(5, *map(len, score.labels))
    columns = ["images", "correct", "recall", "precision"] + ["one-off"] * score.ordered
    widths = [max(len(column), 7) for column in columns]
    lines = [_row("group", head, columns, widths)]
    for group in score.groups:
        cells = [str(group.images), str(group.correct), _share(group.recall)]
        cells.append(_share(group.precision))
        if score.ordered:
            cells.append(_share(group.one_off / group.images if group.images else None))
        lines.append(_row(group.label, head, cells, widths))
    return lines


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
