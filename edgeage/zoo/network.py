"""What a network of the zoo is: a Keras model, and what it takes and answers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from edgeage.errors import ModelError
from edgeage.inputspec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    from edgeage.networkinput import NetworkInput
    from edgeage.outputs import Output

__all__ = ["ZooNetwork"]

# Keras keeps what every layer answers until the last one has: of EfficientNet-B5 0.9 GB a face.
_PIXELS_AT_ONCE = 8 * 224 * 224


@dataclasses.dataclass(frozen=True)
class ZooNetwork:
    """A Keras model whose input and outputs are described.

    Attributes:
        name: the network's name.
        model: ``keras.Model``; it takes float32 (n, height, width, 3) and has one output for each
            of ``outputs``, in their order, from a layer of the output's name.
        takes: how bytes become what the model takes.
        outputs: what each of its outputs means.
        margin: as of :class:`edgeage.InputSpec`.
        landmarks: as of :class:`edgeage.InputSpec`.
        equalise: as of :class:`edgeage.InputSpec`.

    Raises:
        ModelError: when the model is not what is said about it.
    """

    name: str
    model: Any
    takes: NetworkInput
    outputs: tuple[Output, ...]
    margin: float = 0.0
    landmarks: tuple[tuple[float, float], ...] | None = None
    equalise: bool = False

    def __post_init__(self) -> None:
        if len(self.model.inputs) != 1 or len(self.model.inputs[0].shape) != 4:
            raise ModelError(
                f"{self.name} takes {len(self.model.inputs)} inputs, expected a picture"
            )
        if None in self.model.inputs[0].shape[1:] or self.model.inputs[0].shape[3] != 3:
            raise ModelError(
                f"{self.name} takes pictures of {self.model.inputs[0].shape[1:]}, expected a fixed "
                "height and width and 3 channels"
            )
        if len(self.model.outputs) != len(self.outputs):
            raise ModelError(
                f"{self.name} has {len(self.model.outputs)} outputs, described are "
                f"{len(self.outputs)}"
            )
        for tensor, output in zip(self.model.outputs, self.outputs, strict=True):
            size = tensor.shape[-1]
            if len(tensor.shape) != 2 or output.size not in (None, size):
                raise ModelError(
                    f"output «{output.name}» of {self.name} has shape {tuple(tensor.shape)}, "
                    f"expected (n, {output.size or 'years'})"
                )

    @property
    def input_hw(self) -> tuple[int, int]:
        """Height and width in pixels of what the model takes."""
        _, height, width, _ = self.model.inputs[0].shape
        return int(height), int(width)

    @property
    def spec(self) -> InputSpec:
        """How a face is cut and resized for it."""
        return InputSpec(
            self.input_hw,
            self.input_hw,
            margin=self.margin,
            landmarks=self.landmarks,
            mean="none",
            equalise=self.equalise,
        )

    def prepared(self, faces: np.ndarray) -> np.ndarray:
        """Turn faces into what the model takes.

        Args:
            faces: uint8 (n, 3, height, width), BGR, as :attr:`spec` prepares them.

        Returns:
            float32 (n, height, width, 3) in the model's channel order, mean and range applied.
        """
        import numpy as np

        pixels = faces.transpose(0, 2, 3, 1).astype(np.float32)
        if self.takes.channel_order == "RGB":
            pixels = pixels[..., ::-1]
        mean, scale = (np.asarray(part, np.float32) for part in self.takes.mean_scale)
        return np.ascontiguousarray((pixels - mean) / scale, np.float32)

    def answers(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Run the Keras model on what it takes.

        Args:
            pixels: float32 (n, height, width, 3), as :meth:`prepared` returns them.

        Returns:
            For each of the outputs float32 (n, values).
        """
        found = self.model.predict_on_batch(pixels)
        return list(found) if isinstance(found, list | tuple) else [found]

    def predict(self, faces: np.ndarray) -> dict[str, np.ndarray]:
        """Run the Keras model, on a few faces at a time: the larger they are, the fewer.

        Args:
            faces: uint8 (n, 3, height, width), BGR, as for :meth:`prepared`.

        Returns:
            By output name, float32 of shape (n, values).
        """
        import numpy as np

        height, width = self.input_hw
        count = max(1, _PIXELS_AT_ONCE // (height * width))
        found = [
            self.answers(self.prepared(faces[start : start + count]))
            for start in range(0, len(faces), count)
        ]
        rows = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        return {output.name: row for output, row in zip(self.outputs, rows, strict=True)}
