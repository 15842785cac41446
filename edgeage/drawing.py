"""Drawing what was predicted onto a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edgeage.errors import ImageError
from edgeage.paths import atomic_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from edgeage.faceresult import Face

__all__ = ["DRAWN_SUFFIXES", "draw_faces", "label_lines", "write_image"]

DRAWN_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
"""Suffixes :func:`write_image` knows."""

_READABLE_SIDE = 320
_LABEL_HEIGHT = 0.045
_GLYPH_HEIGHT = 22
_BOX_BGR = (80, 200, 80)
_TEXT_BGR = (255, 255, 255)
_GROUND_BGR = (40, 40, 40)


def draw_faces(image_bgr: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """Draw a box and a label for every face.

    Args:
        image_bgr: uint8 array of shape (height, width, 3), BGR; left as it is.
        faces: its faces, boxes in pixels of ``image_bgr``.

    Returns:
        A new uint8 BGR picture: the same size, or a whole number of times larger where the
        longer side would be too small for text that can be read.

    >>> import numpy as np
    >>> draw_faces(np.zeros((100, 50, 3), np.uint8), []).shape
    (400, 200, 3)
    """
    factor = -(-_READABLE_SIDE // max(image_bgr.shape[:2]))
    canvas = image_bgr.repeat(factor, axis=0).repeat(factor, axis=1)
    for face in faces:
        _draw_face(canvas, [edge * factor for edge in face.box], label_lines(face))
    return canvas


def write_image(path: Path, image_bgr: np.ndarray) -> None:
    """Write a picture in the format its suffix names, whole or not at all.

    Raises:
        ImageError: when it cannot be written.
    """
    import cv2

    try:
        _, data = cv2.imencode(path.suffix, image_bgr)
        with atomic_file(path) as temporary:
            temporary.write_bytes(data.tobytes())
    except (cv2.error, OSError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ImageError(f"{path} cannot be written: {reason}") from None


def label_lines(face: Face) -> list[str]:
    """Return a face's label: gender and age, then the age group; what is unknown is left out.

    >>> from edgeage.faceresult import Face
    >>> label_lines(Face((0, 0, 9, 9), age=34.2, gender="Female", gender_probability=0.973))
    ['Female 97 %, 34 years']
    """
    gender = f"{face.gender} {face.gender_probability:.0%}" if face.gender else ""
    age = f"{face.age:.0f} years" if face.age is not None else ""
    group = f"{face.age_group} ({face.age_group_probability:.0%})" if face.age_group else ""
    lines = [", ".join(part for part in (gender, age) if part), group]
    return [line.replace("%", " %").replace("  ", " ") for line in lines if line]


class _Style(NamedTuple):
    """How a label is set: the font's scale, its strokes and a line's height in pixels."""

    scale: float
    thick: int
    row: int

    def width(self, line: str) -> int:
        import cv2

        size = cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, self.scale, self.thick)[0]
        return int(size[0]) + self.row // 2


def _draw_face(canvas: np.ndarray, box: list[int], lines: list[str]) -> None:
    import cv2

    left, top, right, bottom = box
    thick = max(1, round(min(canvas.shape[:2]) / 200))
    cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), _BOX_BGR, thick)
    if not lines:
        return
    height, width = canvas.shape[:2]
    style = _style(lines, width, height, thick)
    extent = style.row * len(lines)
    # Above the box where there is room, inside its upper edge otherwise.
    y = min(top - extent if top >= extent else top + thick, height - extent)
    x = min(left, width - max(style.width(line) for line in lines))
    for place, line in enumerate(lines):
        _draw_line(canvas, line, (max(0, x), max(0, y) + place * style.row), style)


def _draw_line(canvas: np.ndarray, line: str, corner: tuple[int, int], style: _Style) -> None:
    import cv2

    x, y = corner
    edge = (x + style.width(line), y + style.row)
    cv2.rectangle(canvas, corner, edge, _GROUND_BGR, cv2.FILLED)
    foot = (x + style.row // 4, y + round(style.row * 0.75))
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(canvas, line, foot, font, style.scale, _TEXT_BGR, style.thick, cv2.LINE_AA)


def _style(lines: list[str], width: int, height: int, thick: int) -> _Style:
    """Choose text of a fixed share of the picture, smaller where it would not fit across."""
    scale = max(_LABEL_HEIGHT * min(height, width) / _GLYPH_HEIGHT, 0.4)
    wanted = _Style(scale, thick, round(_GLYPH_HEIGHT * scale * 1.6))
    scale *= min(1.0, width / max(wanted.width(line) for line in lines))
    return _Style(scale, max(1, round(scale)), round(_GLYPH_HEIGHT * scale * 1.6))
