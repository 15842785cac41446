"""Where in a network engines can be compared.

Caffe keeps one array a blob, and a layer that works in place (a ReLU behind a convolution)
overwrites it; other engines keep both or only the second. So a blob is compared as it is after
the last layer that wrote it, under its Caffe name. Dropout does nothing when a network answers,
and most engines have no layer for it: the layer before it counts.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Point", "Squares", "by_blob", "find_points", "inner_largest"]


class Squares(NamedTuple):
    """The sum of squares that a local response normalisation takes on its way.

    Attributes:
        blob: the blob it reads.
        size: how many channels it sums.
        scale: what it divides their values by first.
    """

    blob: str
    size: int
    scale: float


@dataclasses.dataclass(frozen=True)
class Point:
    """One blob that every engine can show.

    Attributes:
        blob: its Caffe name.
        layer: the last layer that changes it.
        layer_type: that layer's type.
        squares: for local response normalisation, whose sum of squares may overflow where its
            answer does not; None otherwise.
        clipped: whether that layer makes negative values nought.
    """

    blob: str
    layer: str
    layer_type: str
    squares: Squares | None = None
    clipped: bool = False


def find_points(net: Any, *, lrn_scale: float = 1.0) -> list[Point]:
    """Return the comparable blobs of a deploy network, in the order they are first made.

    Args:
        net: the deploy ``NetParameter``.
        lrn_scale: what local response normalisation across channels divides its input by where
            its sum of squares matters; see :func:`edgeage.compiler.graph.build_graph`.
    """
    points: dict[str, Point] = {}
    for layer in net.layer:
        if layer.type == "Input" or not layer.top:
            continue
        blob = str(layer.top[0])
        if layer.type == "Dropout" and blob in layer.bottom:
            continue
        squares = points[blob].squares if blob in points else None
        if layer.type == "LRN" and layer.bottom[0] != blob:
            squares = _squares(layer, lrn_scale)
        clipped = layer.type == "ReLU" and not layer.relu_param.negative_slope
        points[blob] = Point(blob, str(layer.name), str(layer.type), squares, clipped)
    return list(points.values())


def _squares(layer: Any, scale: float) -> Squares | None:
    param = layer.lrn_param
    across = param.norm_region == type(param).ACROSS_CHANNELS
    return Squares(str(layer.bottom[0]), int(param.local_size), scale) if across else None


def inner_largest(point: Point, blobs: Mapping[str, np.ndarray]) -> float | None:
    """Return the largest sum of squares a local response normalisation takes.

    Args:
        point: where; None is returned for other layers.
        blobs: float32 (n, channels, height, width) by blob name.
    """
    if point.squares is None or point.squares.blob not in blobs:
        return None
    values, size = blobs[point.squares.blob], point.squares.size
    return max(_window_sums(picture, size) for picture in values) / point.squares.scale**2


def _window_sums(picture: np.ndarray, size: int) -> float:
    """Sum the squares of ``size`` neighbouring channels, fewer at the ends; return the largest."""
    half = size // 2
    squares = np.square(picture.astype(np.float64))
    sums = np.cumsum(np.pad(squares, ((half + 1, half), (0, 0), (0, 0))), axis=0)
    return float((sums[size:] - sums[:-size]).max(initial=0.0))


def by_blob(points: Sequence[Point], by_layer: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name arrays given by layer as the blobs of the points; a layer that is not there is left."""
    return {point.blob: by_layer[point.layer] for point in points if point.layer in by_layer}
