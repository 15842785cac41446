"""What a network expects of a picture: set in training, kept in the manifest, used on devices."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from edgeage.errors import ModelError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

__all__ = ["InputSpec"]


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """How a face becomes a network's input.

    The face is resized to ``resize_hw``, its centre of ``input_hw`` is cut out, and the network
    sees ``(pixel − mean) · scale``. Bytes stay bytes until the mean is subtracted, which a
    compiled model does inside its graph.

    Attributes:
        resize_hw: height and width in pixels of the stored training pictures.
        input_hw: height and width in pixels of the network's input; at most ``resize_hw``.
        channel_order: always ``"BGR"``, from the file to the network.
        scale: factor applied after the mean is subtracted (Caffe's ``transform_param.scale``).
        margin: the crop the network was trained on: the margin around the face box as a fraction
            of its size (0 for tight crops such as UTKFace's).
        landmarks: where the training crops have the two eyes, the tip of the nose and the two
            corners of the mouth, left to right as one sees them: x and y as fractions of the
            crop at a margin of 0; None when that is not known.
        mean: ``"image"`` (a full mean image), ``"channel"`` (one value a channel) or ``"none"``.
        mean_sha256: SHA-256 of the mean as little-endian float32 in C order, (3, *resize_hw) for
            an image and (3,) for channels; None without a mean.
        equalise: equalise the histogram of the resized face's brightness, the Y of YCrCb.

    Raises:
        ModelError: for a value that is impossible.
    """

    resize_hw: tuple[int, int] = (227, 227)
    input_hw: tuple[int, int] = (227, 227)
    channel_order: str = "BGR"
    scale: float = 1.0
    margin: float = 0.0
    landmarks: tuple[tuple[float, float], ...] | None = None
    mean: str = "image"
    mean_sha256: str | None = None
    equalise: bool = False

    def __post_init__(self) -> None:
        for name in ("resize_hw", "input_hw"):
            value = tuple(int(side) for side in getattr(self, name))
            if len(value) != 2 or min(value) < 1:
                raise ModelError(f"expected {name} as (height, width) in pixels, got {value}")
            object.__setattr__(self, name, value)
        if any(small > large for small, large in zip(self.input_hw, self.resize_hw, strict=True)):
            raise ModelError(
                f"expected input_hw within resize_hw, got {self.input_hw} in {self.resize_hw}"
            )
        if self.channel_order != "BGR":
            raise ModelError(f"expected channel_order «BGR», got «{self.channel_order}»")
        for name in ("scale", "margin"):
            number = getattr(self, name)
            if not isinstance(number, int | float) or not math.isfinite(number):
                raise ModelError(f"expected {name} as a finite number, got {number!r}")
        if not isinstance(self.equalise, bool):
            raise ModelError(f"expected equalise as true or false, got {self.equalise!r}")
        if self.landmarks is not None:
            object.__setattr__(self, "landmarks", _five_points(self.landmarks))
        if self.mean not in ("image", "channel", "none"):
            raise ModelError(f"expected mean «image», «channel» or «none», got «{self.mean}»")

    @property
    def mean_shape(self) -> tuple[int, ...] | None:
        """Shape a mean array must have, channels in BGR order, or None without a mean.

        >>> InputSpec().mean_shape
        (3, 227, 227)
        """
        if self.mean == "none":
            return None
        return (3, *self.resize_hw) if self.mean == "image" else (3,)

    def resized(self, face_bgr: np.ndarray) -> np.ndarray:
        """Resize one cut-out face as ``resize_hw`` says, and equalise it where that is wanted.

        Args:
            face_bgr: uint8 array of shape (height, width, 3), BGR.

        Returns:
            uint8 array of shape (*resize_hw, 3), BGR.

        Raises:
            ImageError: when ``face_bgr`` has another shape or dtype.
        """
        from edgeage.images import equalised, resize

        pixels = resize(face_bgr, self.resize_hw)
        return equalised(pixels) if self.equalise else pixels

    def prepare(self, face_bgr: np.ndarray) -> np.ndarray:
        """Turn one cut-out face into the network's input bytes.

        Args:
            face_bgr: uint8 array of shape (height, width, 3), BGR.

        Returns:
            uint8 array of shape (3, *input_hw), BGR, contiguous.

        Raises:
            ImageError: when ``face_bgr`` has another shape or dtype.
        """
        from edgeage.images import to_chw

        return center_crop(to_chw(self.resized(face_bgr)), self.input_hw)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values; ``equalise`` only where it is wanted."""
        fields = {name: _as_lists(value) for name, value in dataclasses.asdict(self).items()}
        return {name: value for name, value in fields.items() if name != "equalise" or value}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> InputSpec:
        """Make a spec from :meth:`to_dict`'s result.

        Args:
            fields: by their names; what is missing takes its default.

        Returns:
            The spec, whose :meth:`to_dict` gives those fields again.

        Raises:
            ModelError: for an unknown field or an impossible value.

        >>> InputSpec.from_dict(InputSpec().to_dict()) == InputSpec()
        True
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in fields:
            if name not in known:
                raise ModelError(f"unknown input field «{name}»{did_you_mean(name, known)}")
        try:
            return cls(**fields)
        except (TypeError, ValueError) as error:
            raise ModelError(f"bad input description: {error}") from error


def _five_points(points: Any) -> tuple[tuple[float, float], ...]:
    """Check landmarks as they come from a file."""
    try:
        pairs = tuple((float(x), float(y)) for x, y in points)
    except (TypeError, ValueError):
        pairs = ()
    eyes_apart = len(pairs) == 5 and pairs[0][0] < pairs[1][0]
    if not eyes_apart or not all(-5 < number < 5 for pair in pairs for number in pair):
        raise ModelError(
            "expected landmarks as five pairs [x, y] in fractions of the crop, the left one of "
            f"the two eyes first, got {points!r}"
        )
    return pairs


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value


def center_crop(pixels: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Cut the centre of an array of shape (..., height, width), as Caffe's test phase does.

    The offset is ``(side − crop) // 2`` (``data_transformer.cpp``). The result is contiguous.
    """
    import numpy as np

    top = (pixels.shape[-2] - size_hw[0]) // 2
    left = (pixels.shape[-1] - size_hw[1]) // 2
    return np.ascontiguousarray(pixels[..., top : top + size_hw[0], left : left + size_hw[1]])
