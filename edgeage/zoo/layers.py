"""The layers of the zoo that Keras does not have, or not alike in every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeage.zoo.backend import open_keras

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Expectation", "SameAverage", "SoftStagewise"]

keras = open_keras()


@keras.saving.register_keras_serializable(package="edgeage")
class SoftStagewise(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """Soft stagewise regression of three stages.

    Stage k answers shares p of its bins, shifts η of each bin and one stretch Δ of its width. The
    value is the sum over the stages of ``Σ p_i · (i + η_i)`` in units of the stage's bin width,
    which is the width of the stage before divided by ``bins · (1 + Δ)``.

    Inputs: nine tensors, the stages' shares (n, bins), their stretches (n, 1), their shifts
    (n, bins). Output: (n, 1).

    Args:
        span: what the whole range is wide: 101 years for ages, 1 for a gender.

    Source:
        Yang et al., *SSR-Net: A Compact Soft Stagewise Regression Network for Age Estimation*,
        IJCAI 2018, equations 4 to 7.
    """

    def __init__(self, span: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.span = float(span)

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return the regressed values."""
        ops = keras.ops
        total, width = 0.0, self.span
        stages = zip(inputs[0:3], inputs[3:6], inputs[6:9], strict=True)
        for shares, stretch, shifts in stages:
            bins = shares.shape[-1]
            places = ops.convert_to_tensor([list(range(bins))], dtype=shares.dtype)
            width = width / (bins * (1.0 + stretch))
            total = total + width * ops.sum(shares * (places + shifts), axis=-1, keepdims=True)
        return total

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, int]:
        """Return (n, 1)."""
        return (input_shape[0][0], 1)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made of."""
        return {**super().get_config(), "span": self.span}


@keras.saving.register_keras_serializable(package="edgeage")
class Expectation(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """The expectation of a value under shares of its classes: (n, classes) to (n, 1).

    Args:
        values: the value each class stands for.
    """

    def __init__(self, values: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.values = [float(value) for value in values]

    def call(self, inputs: Any) -> Any:
        """Return the expectation."""
        values = keras.ops.convert_to_tensor([self.values], dtype=inputs.dtype)
        return keras.ops.sum(inputs * values, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, int]:
        """Return (n, 1)."""
        return (input_shape[0], 1)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made of."""
        return {**super().get_config(), "values": self.values}


@keras.saving.register_keras_serializable(package="edgeage")
class SameAverage(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """Average pooling of stride 1 that keeps the size and counts what is inside the picture.

    Keras's own, of padding «same», repeats the border instead where torch computes.

    Args:
        size: height and width of the window.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = int(size)

    @property
    def padding(self) -> tuple[int, int]:
        """How much is added before and behind."""
        return (self.size - 1) // 2, self.size // 2

    def call(self, inputs: Any) -> Any:
        """Return the averages."""
        around = [[0, 0], list(self.padding), list(self.padding), [0, 0]]

        def pooled(values: Any) -> Any:
            padded = keras.ops.pad(values, around)
            return keras.ops.average_pool(padded, self.size, 1, "valid")

        return pooled(inputs) / pooled(keras.ops.ones_like(inputs[:, :, :, :1]))

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        """Return the same shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made of."""
        return {**super().get_config(), "size": self.size}
