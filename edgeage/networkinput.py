"""What somebody else's network takes, and how a hand-written manifest says it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from edgeage.errors import ModelError, did_you_mean
from edgeage.inputspec import InputSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NetworkInput", "input_from_dict", "input_to_dict"]

_BYTES = (0.0, 255.0)


@dataclasses.dataclass(frozen=True)
class NetworkInput:
    """How bytes become what a network takes that edgeage did not compile.

    edgeage's own networks take the bytes as they are, uint8 in BGR. For others this is done
    inside the graph: channels are put in order, and the network sees
    ``(low + pixel · (high − low) / 255 − mean) / std`` in its own layout and element type.

    Attributes:
        channel_order: the order the network was trained in, ``"BGR"`` or ``"RGB"``. It has no
            default: a wrong one makes no error, only wrong answers.
        layout: ``"NCHW"`` or ``"NHWC"``; empty for the one the network's shape tells.
        pixel_range: what 0 and 255 become before the mean is subtracted, low and high.
        mean: what is subtracted from each channel, in ``channel_order`` and within
            ``pixel_range``.
        std: what each channel is divided by then.

    Raises:
        ModelError: for an impossible value.
    """

    channel_order: str
    layout: str = ""
    pixel_range: tuple[float, float] = _BYTES
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        _check_word("channel_order", self.channel_order, ("BGR", "RGB"))
        if self.layout:
            _check_word("layout", self.layout, ("NCHW", "NHWC"))
        for name, count in (("pixel_range", 2), ("mean", 3), ("std", 3)):
            object.__setattr__(self, name, _numbers(name, getattr(self, name), count))
        low, high = self.pixel_range
        if low >= high or min(self.std) <= 0:
            raise ModelError(
                f"expected pixel_range as low < high and std above 0, got {[low, high]} and "
                f"{list(self.std)}"
            )
        if self.pixel_range == _BYTES and 0 < max(map(abs, self.mean)) <= 1:
            raise ModelError(
                f"mean {list(self.mean)} is subtracted from pixels of 0 to 255; if it is meant "
                f'for 0 to 1, write "pixel_range": [0, 1]'
            )

    @property
    def takes_bytes(self) -> bool:
        """Whether pixels stay whole numbers of 0 to 255.

        >>> NetworkInput("RGB").takes_bytes, NetworkInput("RGB", pixel_range=(0, 1)).takes_bytes
        (True, False)
        """
        return (self.pixel_range, set(self.mean), set(self.std)) == (_BYTES, {0.0}, {1.0})

    @property
    def mean_scale(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The same as one subtraction from the bytes and one division, a value a channel.

        >>> NetworkInput("RGB", pixel_range=(-1, 1)).mean_scale[0]
        (127.5, 127.5, 127.5)
        """
        low, high = self.pixel_range
        unit = (high - low) / 255
        mean = tuple((value - low) / unit for value in self.mean)
        return mean, tuple(value / unit for value in self.std)


_OWN = tuple(field.name for field in dataclasses.fields(NetworkInput))
_KNOWN = ("size", "resize", "margin", "landmarks", "equalise", *_OWN)


def input_from_dict(fields: Mapping[str, Any]) -> tuple[InputSpec, NetworkInput | None]:
    """Read a manifest's ``input``.

    One with a ``size`` is of somebody else's network: ``size`` and ``resize`` (the same unless
    given) are height and width in pixels or one number for both, ``margin``, ``landmarks`` and
    ``equalise`` are :class:`edgeage.InputSpec`'s, and the rest is :class:`NetworkInput`. Any other
    is an :class:`edgeage.InputSpec`.

    Raises:
        ModelError: for an unknown field or an impossible value.
    """
    if "size" not in fields:
        if stray := [name for name in fields if name in _KNOWN and name in ("layout", "std")]:
            raise ModelError(f"expected input to have a size beside «{stray[0]}», as [224, 224]")
        return InputSpec.from_dict(fields), None
    for name in fields:
        if name not in _KNOWN:
            raise ModelError(f"unknown input field «{name}»{did_you_mean(name, _KNOWN)}")
    size = _size(fields["size"])
    spec = InputSpec(
        _size(fields.get("resize", size)),
        size,
        margin=fields.get("margin", 0.0),
        landmarks=fields.get("landmarks"),
        mean="none",
        equalise=fields.get("equalise", False),
    )
    own = {name: value for name, value in fields.items() if name in _OWN}
    return spec, NetworkInput(**{"channel_order": "", **own})


def input_to_dict(spec: InputSpec, network: NetworkInput | None) -> dict[str, Any]:
    """Return what :func:`input_from_dict` reads, JSON-ready."""
    if network is None:
        return spec.to_dict()
    fields: dict[str, Any] = {"size": list(spec.input_hw)}
    if spec.resize_hw != spec.input_hw:
        fields["resize"] = list(spec.resize_hw)
    if spec.margin:
        fields["margin"] = spec.margin
    if spec.landmarks is not None:
        fields["landmarks"] = [list(point) for point in spec.landmarks]
    if spec.equalise:
        fields["equalise"] = True
    for field in dataclasses.fields(network):
        if (value := getattr(network, field.name)) != field.default:
            fields[field.name] = list(value) if isinstance(value, tuple) else value
    return fields


def _check_word(name: str, word: object, known: tuple[str, str]) -> None:
    if word not in known:
        raise ModelError(
            f"expected {name} «{known[0]}» or «{known[1]}» of the network's input, got «{word}»"
            f"{did_you_mean(str(word), known)}"
        )


def _size(value: Any) -> tuple[int, int]:
    sides = [value, value] if isinstance(value, int) else value
    if not isinstance(sides, list | tuple) or len(sides) != 2:
        raise ModelError(f"expected a size as [height, width] in pixels, got {value!r}")
    if not all(isinstance(side, int) and side >= 1 for side in sides):
        raise ModelError(f"expected a size as [height, width] in pixels, got {value!r}")
    return sides[0], sides[1]


def _numbers(name: str, value: Any, count: int) -> tuple[float, ...]:
    values = [value] * count if isinstance(value, int | float) and count == 3 else value
    if not isinstance(values, list | tuple) or len(values) != count:
        raise ModelError(f"expected {name} as {count} numbers, got {value!r}")
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in values):
        raise ModelError(f"expected {name} as {count} finite numbers, got {value!r}")
    return tuple(float(number) for number in values)
