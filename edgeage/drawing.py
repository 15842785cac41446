"""Drawing what was predicted onto a picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from edgeage.errors import ImageError, one_line
from edgeage.labelling import Rect, are_well_placed, place_labels
from edgeage.paths import atomic_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy as np

    from edgeage.faceresult import Face

__all__ = ["DRAWN_SUFFIXES", "draw_faces", "label_lines", "write_image"]

DRAWN_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
"""Suffixes :func:`write_image` knows."""

_READABLE_SIDE = 240
_MOST_ENLARGED_PIXELS = 16_000_000
_LABEL_SHARE, _LEAST_SHARE, _FACE_SHARE = 0.07, 0.018, 0.2
_SHRINK = 0.8
_LEAST_ROW = 14
_ROW_OF_SCALE = 35
_TEXT_BGR, _GROUND_BGR = (255, 255, 255), (35, 35, 35)
# Bright enough on _GROUND_BGR, and told apart by those who see fewer colours (Okabe & Ito, 2008).
_COLOURS_BGR = (
    (115, 220, 60), (233, 180, 86), (0, 159, 230), (66, 228, 240), (167, 121, 204), (50, 110, 255),
)  # fmt: skip


def draw_faces(
    image_bgr: np.ndarray, faces: Sequence[Face], *, numbers: Sequence[int] | None = None
) -> np.ndarray:
    """Draw a box and a label for every face.

    Labels lie in the frame and not on one another; one that has to stand apart from its box is
    joined to it by a line. Text is as large as the picture and its faces allow, and shorter and
    smaller in a crowd; the label of a face for which no place at all is left is not drawn.

    Args:
        image_bgr: uint8 array of shape (height, width, 3), BGR; left as it is.
        faces: its faces, boxes in pixels of ``image_bgr``.
        numbers: a number a face, by which it has its colour; None for its place.

    Returns:
        A new uint8 BGR picture: the same size, or a whole number of times larger where the
        shorter side would be too small for text that can be read.

    >>> import numpy as np
    >>> draw_faces(np.zeros((100, 50, 3), np.uint8), []).shape
    (500, 250, 3)
    """
    factor = _enlargement(*image_bgr.shape[:2])
    canvas = image_bgr.repeat(factor, axis=0).repeat(factor, axis=1) if factor > 1 else None
    canvas = image_bgr.copy() if canvas is None else canvas
    boxes = [_in_frame([edge * factor for edge in face.box], canvas) for face in faces]
    labels, spots = _layout(faces, boxes, canvas)
    colours = [
        _COLOURS_BGR[number % len(_COLOURS_BGR)]
        for number in (range(len(faces)) if numbers is None else numbers)
    ]
    for box, colour in zip(boxes, colours, strict=True):
        _draw_box(canvas, box, colour)
    for label, spot, box, colour in zip(labels, spots, boxes, colours, strict=True):
        if spot is not None and label.lines:
            _draw_label(canvas, label, spot, box, colour)
    return canvas


def write_image(path: Path, image_bgr: np.ndarray) -> None:
    """Write a picture in the format its suffix names, whole or not at all.

    Args:
        path: its suffix is one that OpenCV writes, such as ``.png`` or ``.jpg``.
        image_bgr: uint8 array of shape (height, width, 3), BGR.

    Raises:
        ImageError: when it cannot be written.
    """
    import cv2

    try:
        _, data = cv2.imencode(path.suffix, image_bgr)
        with atomic_file(path) as temporary:
            temporary.write_bytes(data.tobytes())
    except (cv2.error, OSError) as error:
        raise ImageError(f"{path} cannot be written: {one_line(error)}") from None


def label_lines(face: Face) -> list[str]:
    """Return a face's label: gender and age, then the age group; what is unknown is left out.

    >>> from edgeage.faceresult import Face
    >>> label_lines(Face((0, 0, 9, 9), age=34.2, gender="Female", gender_probability=0.973))
    ['Female 97 %, 34 years']
    """
    gender = f"{face.gender} {face.gender_probability:.0%}" if face.gender else ""
    age = f"{face.age:.0f} years" if face.age is not None else ""
    group = face.age_group or ""
    if face.age_group_probability is not None:
        group += f" ({face.age_group_probability:.0%})"
    lines = [", ".join(part for part in (gender, age) if part), group]
    return [line.replace("%", " %").replace("  ", " ") for line in lines if line]


class _Label(NamedTuple):
    """Lines of text with the height of one, in pixels."""

    lines: list[str]
    row: int

    @property
    def scale(self) -> float:
        """OpenCV's scale of a font for rows of this height."""
        return self.row / _ROW_OF_SCALE

    @property
    def thick(self) -> int:
        """Strokes' width."""
        return max(1, round(self.scale * 1.4))

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height with their margin; none without text."""
        import cv2

        font = cv2.FONT_HERSHEY_SIMPLEX
        widths = [cv2.getTextSize(t, font, self.scale, self.thick)[0][0] for t in self.lines]
        return max(widths, default=0) + self.row // 2, self.row * len(self.lines)


def _enlargement(height: int, width: int) -> int:
    """Return how many times larger a small picture is drawn: as needed, as memory allows."""
    wanted = -(-_READABLE_SIDE // min(height, width))
    allowed = math.isqrt(max(_MOST_ENLARGED_PIXELS // (height * width), 1))
    return max(1, min(wanted, allowed))


def _layout(
    faces: Sequence[Face], boxes: list[Rect], canvas: np.ndarray
) -> tuple[list[_Label], list[Rect | None]]:
    """Make the text narrower and smaller until every label finds a place at its face."""
    height, width = canvas.shape[:2]
    labels: list[_Label] = []
    spots: list[Rect | None] = []
    for row, text_of in _attempts(boxes, min(height, width)):
        labels = [_fitting(_Label(text_of(face), row), width, height) for face in faces]
        spots = place_labels(boxes, [label.size_wh for label in labels], (width, height))
        if are_well_placed(spots, boxes, (width, height)):
            break
    return labels, spots


def _attempts(boxes: list[Rect], side: int) -> Iterator[tuple[int, Callable[[Face], list[str]]]]:
    """Yield rows' heights from the one wanted to the least that can be read, with the text."""
    widths = sorted(box.right - box.left for box in boxes) or [side]
    least = max(_LEAST_ROW, round(side * _LEAST_SHARE))
    row = max(least, round(min(side * _LABEL_SHARE, widths[len(widths) // 2] * _FACE_SHARE)))
    while True:
        yield row, label_lines
        yield row, _stacked_lines
        if row == least:
            break
        row = max(least, round(row * _SHRINK))
    yield least, _short_lines


def _stacked_lines(face: Face) -> list[str]:
    return [part for line in label_lines(face) for part in line.split(", ")]


def _short_lines(face: Face) -> list[str]:
    """Return one short line: the gender's first letter and the age in years."""
    age = f"{face.age:.0f}" if face.age is not None else ""
    short = f"{(face.gender or '')[:1]} {age}".strip()
    return [short] if short else []


def _fitting(label: _Label, width: int, height: int) -> _Label:
    """Make a label smaller that is larger than the picture."""
    across, down = label.size_wh
    share = min(1.0, width / max(across, 1), height / max(down, 1))
    return label if share == 1 else label._replace(row=max(1, int(label.row * share * 0.95)))


def _in_frame(box: Sequence[int], canvas: np.ndarray) -> Rect:
    height, width = canvas.shape[:2]
    left, right = (min(max(edge, 0), width) for edge in box[::2])
    top, bottom = (min(max(edge, 0), height) for edge in box[1::2])
    return Rect(left, top, right, bottom)


def _draw_box(canvas: np.ndarray, box: Rect, colour_bgr: tuple[int, int, int]) -> None:
    """Draw a box with a dark edge on either side, so that it shows on any ground."""
    import cv2

    side = min(box.right - box.left, box.bottom - box.top)
    thick = max(1, min(round(min(canvas.shape[:2]) / 250), side // 12))
    corners = (box.left, box.top), (box.right - 1, box.bottom - 1)
    cv2.rectangle(canvas, *corners, _GROUND_BGR, thick + 2 * max(1, thick // 2))
    cv2.rectangle(canvas, *corners, colour_bgr, thick)


def _draw_label(
    canvas: np.ndarray, label: _Label, spot: Rect, box: Rect, colour_bgr: tuple[int, int, int]
) -> None:
    import cv2

    bar = max(2, label.row // 8)
    if not spot.touches(box):
        start, end = (((r.left + r.right) // 2, (r.top + r.bottom) // 2) for r in (spot, box))
        cv2.line(canvas, start, end, colour_bgr, max(1, bar // 2), cv2.LINE_AA)
    x, y = spot.left, spot.top
    cv2.rectangle(canvas, (x, y), (spot.right - 1, spot.bottom - 1), _GROUND_BGR, cv2.FILLED)
    cv2.rectangle(canvas, (x, y), (x + bar - 1, spot.bottom - 1), colour_bgr, cv2.FILLED)
    for place, line in enumerate(label.lines):
        foot = (x + bar + label.row // 8, y + round(label.row * (place + 0.72)))
        font, style = cv2.FONT_HERSHEY_SIMPLEX, (label.scale, _TEXT_BGR, label.thick)
        cv2.putText(canvas, line, foot, font, *style, cv2.LINE_AA)
