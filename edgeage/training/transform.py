"""Caffe's data transformation of a stored picture; no torch, so that every engine has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.caffe import check_mean, read_mean
from edgeage.errors import DatasetError, MeanError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Transform"]


class Transform:
    """Caffe's ``transform_param`` (``data_transformer.cpp``): crop, mean, mirror, scale.

    Args:
        param: a ``TransformationParameter``; a relative ``mean_file`` stands in ``folder``.
        shape: (channels, height, width) of the stored pictures.
        training: random crops (``TRAIN``) or the centre (``TEST``).
        folder: where relative names start.

    Raises:
        MeanError: when the mean does not fit the pictures.
        DatasetError: when the crop is larger than the pictures.
    """

    def __init__(self, param: Any, shape: tuple[int, ...], training: bool, folder: Path):
        self.shape, self.training = shape, training
        self.mirror, self.scale = bool(param.mirror), float(param.scale)
        self.crop = int(param.crop_size)
        if self.crop > min(shape[1:]):
            raise DatasetError(
                f"crop_size {self.crop} is larger than the stored pictures, {shape[1]}×{shape[2]}"
            )
        self.mean = self._read_mean(param, folder)
        self._mirrored_mean = None if self.mean is None else self.mean[:, ::-1].copy()

    def _read_mean(self, param: Any, folder: Path) -> np.ndarray | None:
        """Return the mean as float32 (height, width, channels), or None."""
        values = list(param.mean_value)
        if param.mean_file and values:
            raise MeanError("transform_param has both mean_file and mean_value; expected one")
        channels, height, width = self.shape
        if param.mean_file:
            mean = check_mean(read_mean(folder / param.mean_file), self.shape)
            interleaved: np.ndarray = np.ascontiguousarray(mean.transpose(1, 2, 0))
            return interleaved
        if not values:
            return None
        if len(values) not in (1, channels):
            raise MeanError(f"expected 1 or {channels} mean_value, found {len(values)}")
        flat: np.ndarray = np.array(values, np.float32)
        return np.tile(flat, (height, width, channels // len(values)))

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of what the network sees."""
        channels, height, width = self.shape
        return (channels, self.crop or height, self.crop or width)

    @property
    def mean_chw(self) -> np.ndarray | None:
        """The mean as float32 (channels, height, width) of the stored size, or None."""
        return None if self.mean is None else np.ascontiguousarray(self.mean.transpose(2, 0, 1))

    def __call__(self, picture: np.ndarray, random: np.random.Generator, out: np.ndarray) -> None:
        """Transform one picture.

        Args:
            picture: uint8 (height, width, channels) of the stored size, BGR.
            random: source of randomness.
            out: float32 (height, width, channels) of :attr:`output_shape`'s sides, written to.
        """
        _, height, width = self.output_shape
        space_y, space_x = self.shape[1] - height, self.shape[2] - width
        mirrored = self.mirror and random.integers(2) == 1
        if self.training:
            top, left = int(random.integers(space_y + 1)), int(random.integers(space_x + 1))
        else:
            top, left = space_y // 2, space_x // 2
        window = picture[top : top + height, left : left + width]
        out[...] = window[:, ::-1] if mirrored else window
        mean = self._mirrored_mean if mirrored else self.mean
        if mean is not None:
            # It is subtracted where the picture stood before it was mirrored.
            left = self.shape[2] - width - left if mirrored else left
            out -= mean[top : top + height, left : left + width]
        if self.scale != 1:
            out *= self.scale
