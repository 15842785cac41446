"""Networks small enough to be made in a test, and a photograph with a face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """scikit-image's astronaut(): uint8 (512, 512, 3) BGR, one face. Do not change it."""
    from skimage.data import astronaut

    picture = np.ascontiguousarray(astronaut()[:, :, ::-1])
    picture.flags.writeable = False
    return picture


@pytest.fixture
def answering(tmp_path: Path) -> Callable[..., Path]:
    """Write a network that always gives the same answer plus nothing of its input."""
    import openvino as ov
    from openvino import opset13 as ops

    def write(answer: np.ndarray, shape: list[int], element: str = "f32") -> Path:
        kind = {"f32": ov.Type.f32, "f16": ov.Type.f16}[element]
        picture = ops.parameter(ov.PartialShape(shape), kind)
        value = ops.convert(ops.reduce_max(picture, [0, 1, 2, 3], keep_dims=False), "f32")
        nothing = ops.multiply(value, np.float32(0))
        result = ops.add(ops.constant(answer.astype(np.float32)), nothing)
        path = tmp_path / "answering.xml"
        ov.save_model(ov.Model([result], [picture]), path, compress_to_fp16=False)
        return path

    return write
