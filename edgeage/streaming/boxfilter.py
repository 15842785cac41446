"""Where a face is going: the Kalman filter of SORT.

A. Bewley, Z. Ge, L. Ott, F. Ramos, B. Upcroft, «Simple Online and Realtime Tracking», ICIP 2016.
The state is the box's centre, area and aspect ratio, and the speeds of all but the last. Nothing
couples the four but each with its own speed, and all noise is independent, so the filter of seven
dimensions is three of two and one of one, which need no matrices.
"""

from __future__ import annotations

import math

__all__ = ["Box", "BoxFilter"]

Box = tuple[float, float, float, float]

# Standard deviations in parts of the face's side, of its area and of its aspect ratio: how far
# detectors' boxes jitter, how much a speed changes from one frame to the next, and how far off the
# pixels' way is.
_CENTRE_JITTER, _AREA_JITTER, _RATIO_JITTER = 0.04, 0.08, 0.04
_CENTRE_PUSH, _AREA_PUSH, _RATIO_DRIFT = 0.012, 0.008, 0.01
_FIRST_SPEED = 0.25
_FLOW_JITTER = 0.002


class _Moving:
    """A number and its speed."""

    def __init__(self, value: float, jitter: float, speed_spread: float) -> None:
        self.value, self.speed = value, 0.0
        self._var, self._cov, self._speed_var = jitter**2, 0.0, speed_spread**2

    def predict(self, frames: float, push: float) -> None:
        """Move on; its speed may have changed by ``push`` a frame."""
        variance = push**2 * frames
        self.value += self.speed * frames
        self._var += frames * (2 * self._cov + frames * self._speed_var) + variance * frames**2 / 3
        self._cov += frames * self._speed_var + variance * frames / 2
        self._speed_var += variance

    def carry(self, frames: float, moved: float, jitter: float) -> None:
        """Move on by what was seen, which is its speed from now on."""
        self.value, self.speed = self.value + moved, moved / frames
        self._var += jitter**2
        self._cov, self._speed_var = jitter**2 / frames, (jitter / frames) ** 2

    def update(self, measured: float, jitter: float) -> None:
        """Take a measured value in."""
        total = self._var + jitter**2
        gain, speed_gain = self._var / total, self._cov / total
        missing = measured - self.value
        self.value += gain * missing
        self.speed += speed_gain * missing
        self._speed_var -= speed_gain * self._cov
        self._var, self._cov = self._var * (1 - gain), self._cov * (1 - gain)


class BoxFilter:
    """Follows one box.

    Args:
        box: left, top, right and bottom edge in pixels, with left < right and top < bottom.

    >>> follower = BoxFilter((0, 0, 10, 10))
    >>> for left in (2, 4, 6, 8):
    ...     follower.predict(1)
    ...     follower.update((left, 0, left + 10, 10))
    >>> follower.predict(1)
    >>> [round(edge) for edge in follower.box]
    [10, 0, 20, 10]
    """

    def __init__(self, box: Box) -> None:
        x, y, area, ratio = _measures(box)
        side = math.sqrt(area)
        self._x = _Moving(x, _CENTRE_JITTER * side, _FIRST_SPEED * side)
        self._y = _Moving(y, _CENTRE_JITTER * side, _FIRST_SPEED * side)
        self._area = _Moving(area, _AREA_JITTER * area, _FIRST_SPEED * area / 4)
        self._ratio, self._ratio_var = ratio, _RATIO_JITTER**2

    @property
    def side(self) -> float:
        """Root of the box's area, in pixels."""
        return math.sqrt(self._area.value)

    @property
    def centre(self) -> tuple[float, float]:
        """The box's centre in pixels."""
        return self._x.value, self._y.value

    @property
    def box(self) -> Box:
        """Where the box is by now: left, top, right and bottom edge in pixels."""
        (x, y), width = self.centre, math.sqrt(self._area.value * self._ratio)
        height = self._area.value / width
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2

    def predict(self, frames: float, moved: tuple[float, float] | None = None) -> None:
        """Move on by so many frames.

        Args:
            frames: how many.
            moved: how far the face was seen to move to the right and down meanwhile, in pixels.
        """
        side, area = self.side, self._area.value
        # An area that would shrink to nothing stays as it is, as in SORT.
        if area + self._area.speed * frames <= area / 4:
            self._area.speed = 0.0
        if moved is None or not frames:
            self._x.predict(frames, _CENTRE_PUSH * side)
            self._y.predict(frames, _CENTRE_PUSH * side)
        else:
            self._x.carry(frames, moved[0], _FLOW_JITTER * side)
            self._y.carry(frames, moved[1], _FLOW_JITTER * side)
        self._area.predict(frames, _AREA_PUSH * area)
        self._ratio_var += _RATIO_DRIFT**2 * frames

    def update(self, box: Box) -> None:
        """Take a detected box in."""
        x, y, area, ratio = _measures(box)
        side = math.sqrt(area)
        self._x.update(x, _CENTRE_JITTER * side)
        self._y.update(y, _CENTRE_JITTER * side)
        self._area.update(area, _AREA_JITTER * area)
        gain = self._ratio_var / (self._ratio_var + _RATIO_JITTER**2)
        self._ratio += gain * (ratio - self._ratio)
        self._ratio_var *= 1 - gain


def _measures(box: Box) -> tuple[float, float, float, float]:
    """Return a box's centre, area and aspect ratio."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    return (left + right) / 2, (top + bottom) / 2, width * height, width / height
