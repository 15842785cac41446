"""Random changes of a training picture that keep its label, beyond Caffe's crop and mirror."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Augmentation"]

_MOST = {"rotate": 180, "zoom": 10, "blur": 100, "jpeg": 95}


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How far a training picture may be changed; all zero changes nothing.

    Attributes:
        shift: largest move along each axis, as a fraction of the side.
        zoom: largest change of size, as a fraction (0.1: from 1/1.1 to 1.1 times).
        rotate: largest turn, degrees either way.
        light: largest change of brightness and contrast, as a fraction.
        erase: largest side of an erased rectangle, as a fraction of the side; half the pictures
            get one, filled with its own mean colour.
        colour: largest change of each channel's gain, as a fraction; one picture in ten turns
            grey instead.
        blur: largest standard deviation of a Gaussian blur, pixels; a third of the pictures.
        jpeg: largest loss of JPEG quality, 0 to 95; a third of the pictures.
    """

    shift: float = 0.0
    zoom: float = 0.0
    rotate: float = 0.0
    light: float = 0.0
    erase: float = 0.0
    colour: float = 0.0
    blur: float = 0.0
    jpeg: float = 0.0

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> Augmentation:
        """Make one from ``name=value`` texts.

        Raises:
            UsageError: for an unknown name, or a value that is no number or too large.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        values = {}
        for name, text in options.items():
            if name not in known:
                raise UsageError(f"unknown augmentation «{name}»{did_you_mean(name, known)}")
            try:
                values[name] = float(text)
            except ValueError:
                values[name] = -1.0
            most = _MOST.get(name, 1)
            if not 0 <= values[name] <= most:
                raise UsageError(
                    f"augment.{name}: expected a number from 0 to {most}, got «{text}»"
                )
        return cls(**values)

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in dataclasses.fields(self))

    def apply(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return a changed copy of a picture.

        Args:
            picture: uint8 (height, width, 3), BGR, contiguous.
            random: source of randomness; the same number of draws for every picture.

        Returns:
            uint8 array of the same shape.
        """
        import cv2

        draws = random.uniform(-1, 1, size=11)
        height, width = picture.shape[:2]
        if self.shift or self.zoom or self.rotate:
            scale = (1 + self.zoom) ** draws[0]
            matrix = cv2.getRotationMatrix2D(
                ((width - 1) / 2, (height - 1) / 2), self.rotate * draws[1], scale
            )
            matrix[:, 2] += self.shift * draws[2:4] * (width, height)
            picture = cv2.warpAffine(
                picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE
            )
        if self.light:
            gain, bias = 1 + self.light * draws[4], 128 * self.light * draws[5]
            table = np.clip(np.arange(256) * gain + bias, 0, 255).astype(np.uint8)
            picture = cv2.LUT(picture, table)
        if self.erase and draws[6] > 0:
            picture = self._erase(picture, (draws[7:] + 1) / 2)
        # Drawn apart, so that a training without them sees the same pictures as ever.
        if self.colour or self.blur or self.jpeg:
            picture = self._degrade(picture, random.uniform(size=8))
        return picture

    def _degrade(self, picture: np.ndarray, draws: np.ndarray) -> np.ndarray:
        import cv2

        if self.colour and draws[0] < 0.1:
            picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        elif self.colour:
            gains = 1 + self.colour * (2 * draws[1:4] - 1)
            levels = np.arange(256)[:, None] * gains
            picture = cv2.LUT(picture, np.clip(levels, 0, 255).astype(np.uint8)[:, None])
        if self.blur and draws[4] < 1 / 3:
            picture = cv2.GaussianBlur(picture, (0, 0), max(0.2, self.blur * draws[5]))
        if self.jpeg and draws[6] < 1 / 3:
            quality = round(95 - self.jpeg * draws[7])
            data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
        return picture

    def _erase(self, picture: np.ndarray, draws: np.ndarray) -> np.ndarray:
        picture = picture.copy()
        height, width = picture.shape[:2]
        side_y = int(height * self.erase * (0.3 + 0.7 * draws[0]))
        side_x = int(width * self.erase * (0.3 + 0.7 * draws[1]))
        top = int(draws[2] * (height - side_y))
        left = int(draws[3] * (width - side_x))
        picture[top : top + side_y, left : left + side_x] = picture.mean(axis=(0, 1))
        return picture
