"""Several views of one face, whose answers are averaged: over-sampling at test time.

Of the picture a face is stored or cut out as, which may be larger than the network's input, the
network sees the centre; or the centre and its mirror image; or the four corners, the centre and
the mirror image of each. The answer is the mean of the views' probabilities, after the softmax. The
mean that a network subtracts is part of its graph: every view has the centre's subtracted, as
Caffe's ``Classifier`` has one mean for all crops.

Source: G. Levi, T. Hassner: Age and Gender Classification Using Convolutional Neural Networks,
CVPRW 2015; ``python/caffe/io.py`` and ``python/caffe/classifier.py`` of BVLC/caffe.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from edgeage.answers import comparable
from edgeage.errors import UsageError
from edgeage.inputspec import center_crop
from edgeage.runtime.backend import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.inputspec import InputSpec
    from edgeage.outputs import Output

__all__ = ["CROPS", "averaged", "check_crops", "cut_views"]

CROPS = (1, 2, 10)
"""How many views of a face there may be: the centre; it and its mirror image; over-sampling."""

_TINY = 1e-12
_ROOM = 256 / 227


def check_crops(crops: int) -> None:
    """Refuse a number of views that there is not.

    Raises:
        UsageError: for another number than those of :data:`CROPS`.
    """
    if crops not in CROPS:
        raise UsageError(f"expected crops of 1, 2 or 10, got {crops}")


def cut_views(face_bgr: np.ndarray, spec: InputSpec, crops: int) -> np.ndarray:
    """Turn one cut-out face into the views of it that a network looks at.

    Ten are in the order and at the places of Caffe's ``oversample``: the corners at the top left,
    top right, bottom left and bottom right; the centre, whose offset ``(side − crop) / 2`` is
    rounded down; and the mirror images of these five, left for right. A network that takes the
    whole picture is shown ten views of it enlarged by 256/227, the sizes of Levi and Hassner.

    Args:
        face_bgr: uint8 array of shape (height, width, 3), BGR.
        spec: what the network expects of a picture.
        crops: one of :data:`CROPS`; the only view of 1 is what ``spec.prepare`` returns.

    Returns:
        uint8 array of shape (crops, 3, *input_hw), BGR, contiguous.

    Raises:
        ImageError: when ``face_bgr`` has another shape or dtype.
    """
    from edgeage.images import to_chw

    upright = spec.prepare(face_bgr)[None]
    if crops == 1:
        return upright
    if crops == 10:
        pixels = to_chw(dataclasses.replace(spec, resize_hw=_roomy(spec)).resized(face_bgr))
        centre = center_crop(pixels, spec.input_hw)[None]
        upright = np.concatenate([_corners(pixels, spec.input_hw), centre])
    return np.concatenate([upright, upright[..., ::-1]])


def averaged(answer: Answer, outputs: Sequence[Output], crops: int) -> Answer:
    """Average what a network says of the views of each face.

    Probabilities are averaged, with equal weight; years are averaged as they are. Of an output of
    logits the result is logits too: those of the averaged probabilities. An output's temperature
    has no part in this: it is applied to the average, as it is to the answer for a single view.

    Args:
        answer: a row a view, the views of a face one after the other.
        outputs: what the network's outputs mean.
        crops: how many views each face has.

    Returns:
        A row a face, with the names of all devices that answered for one of its views.
    """
    if crops == 1:
        return answer
    rows = {
        output.name: _averaged(output, answer.outputs[output.name], crops) for output in outputs
    }
    devices = [
        ", ".join(dict.fromkeys(answer.devices[start : start + crops]))
        for start in range(0, len(answer.devices), crops)
    ]
    return Answer(rows, tuple(devices))


def _roomy(spec: InputSpec) -> tuple[int, int]:
    """Return the height and width of a picture that has room for ten views."""
    if spec.resize_hw != spec.input_hw:
        return spec.resize_hw
    height, width = (round(side * _ROOM) for side in spec.input_hw)
    return height, width


def _corners(pixels: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Cut the corners out of an array of shape (3, height, width)."""
    height, width = size_hw
    tops, lefts = (0, pixels.shape[1] - height), (0, pixels.shape[2] - width)
    return np.stack(
        [pixels[:, top : top + height, left : left + width] for top in tops for left in lefts]
    )


def _averaged(output: Output, rows: np.ndarray, crops: int) -> np.ndarray:
    """Average float32 rows (views, values) of one output; what is no number makes none."""
    views = rows.reshape(-1, crops, rows.shape[-1])
    means = np.full((len(views), rows.shape[-1]), np.nan, np.float32)
    sound = np.isfinite(views).all(axis=(1, 2))
    if not output.logits:
        means[sound] = views[sound].mean(axis=1)
        return means
    plain = dataclasses.replace(output, temperature=1.0)
    found = comparable(plain, views[sound]).mean(axis=1)
    means[sound] = np.log(np.maximum(found, _TINY))
    if output.kind == "sigmoid":
        means[sound] -= np.log(np.maximum(1 - found, _TINY))
    return means
