"""A small network with weights, and the project's own two, for this room's tests."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeage.caffe import parse_net

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgeage.caffe import NetParameter

SMALL_NET = """
name: "small"
layer {
  name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 6 dim: 6 } }
}
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: 4 kernel_size: 3 }
}
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer {
  name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
  inner_product_param { num_output: 2 bias_term: false }
}
"""


@pytest.fixture
def small_net() -> NetParameter:
    return parse_net(SMALL_NET)


@pytest.fixture
def small_weights() -> dict[str, list[np.ndarray]]:
    numbers = np.random.default_rng(7)
    return {
        "conv": [
            numbers.normal(size=(4, 3, 3, 3)).astype(np.float32),
            numbers.normal(size=4).astype(np.float32),
        ],
        "fc": [numbers.normal(size=(2, 64)).astype(np.float32)],
    }


@pytest.fixture(scope="session")
def only() -> Callable[[type[Exception]], contextlib.AbstractContextManager[None]]:
    """A block that may raise one error, in one line, and no other."""

    @contextlib.contextmanager
    def block(kind: type[Exception]) -> Iterator[None]:
        try:
            yield
        except kind as error:
            if "\n" in str(error):
                pytest.fail(f"expected one line, got {error}")

    return block
