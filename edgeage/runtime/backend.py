"""The interface every runtime offers, so that nothing else needs to know which one it is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

from edgeage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from edgeage.manifest import Manifest

__all__ = ["Answer", "Backend", "Session", "batch_problem", "check_own", "parted", "values_of"]


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a network says of a batch.

    Attributes:
        outputs: by the output's name in the manifest, a float32 array of shape (n, values); what
            the values mean is said by :class:`edgeage.Output`.
        devices: for each row the name of the device that answered it, for example ``"CPU"``.
    """

    outputs: dict[str, np.ndarray]
    devices: tuple[str, ...]

    @property
    def probabilities(self) -> np.ndarray:
        """The float32 rows of a network with one output, of shape (n, values).

        Of edgeage's own networks the values are one probability a label.

        >>> import numpy as np
        >>> Answer({"prob": np.full((1, 2), 0.5, np.float32)}, ("CPU",)).probabilities.tolist()
        [[0.5, 0.5]]
        """
        (only,) = self.outputs.values()
        return only


class Session(Protocol):
    """One network loaded on one device; safe to use from several threads."""

    @property
    def device(self) -> str:
        """Name of the device that does the work, for example ``"CPU"``."""
        ...

    def infer(self, batch: np.ndarray) -> Answer:
        """Run the network.

        Args:
            batch: uint8 array of shape (n, 3, height, width), BGR, of the manifest's ``input_hw``;
                n may be any number and memory does not grow with it beyond the answer.

        Returns:
            For every output of the manifest a row a picture, in order, and who answered it.

        Raises:
            UsageError: for a batch of another shape or dtype, or after :meth:`close`.
            DeviceError: when the device fails.
        """
        ...

    def close(self) -> None:
        """Give the device and its memory back; closing twice is harmless."""
        ...


class Backend(Protocol):
    """Opens networks on one device."""

    @property
    def device(self) -> str:
        """Name of the device asked for, for example ``"AUTO"``."""
        ...

    @property
    def models(self) -> Sequence[Manifest]:
        """The models it brings along; empty for one that reads compiled models from files."""
        ...

    def load(self, manifest: Manifest, *, mean: np.ndarray | None = None) -> Session:
        """Load one model.

        Args:
            manifest: the compiled model's manifest; its files are checked against their hashes.
            mean: float32 array of the shape ``manifest.input.mean_shape``, BGR, to subtract
                instead of the model's own mean.

        Returns:
            The loaded network.

        Raises:
            ModelError: when a file is missing, changed or no network.
            DeviceError: when the device is not there or refuses the network.
        """
        ...


def batch_problem(batch: np.ndarray, input_hw: tuple[int, int]) -> str | None:
    """Say in one line what is wrong with a batch for :meth:`Session.infer`, or None.

    >>> import numpy as np
    >>> batch_problem(np.zeros((1, 3, 4, 4), np.float32), (4, 4))
    'expected a uint8 batch of shape (n, 3, 4, 4), got float32 of shape (1, 3, 4, 4)'
    """
    shape = (3, *input_hw)
    if batch.dtype == "uint8" and batch.ndim == 4 and batch.shape[1:] == shape:
        return None
    return (
        f"expected a uint8 batch of shape (n, {', '.join(map(str, shape))}), "
        f"got {batch.dtype} of shape {batch.shape}"
    )


def check_own(manifest: Manifest, device: str) -> None:
    """Refuse somebody else's network for a device that only runs what was compiled for it.

    Raises:
        UsageError: for one.
    """
    if not manifest.is_own:
        raise UsageError(
            f"{device} runs only models made by «edgeage compile», and {manifest.name} is "
            f"somebody else's; choose a device of OpenVINO's, such as CPU"
        )


def values_of(manifest: Manifest) -> dict[str, int]:
    """Return how many values each output has of a network compiled for a Myriad X.

    Such a network has one output; where it answers more than one task, its outputs stand beside
    one another in it.

    Returns:
        By the output's name in the manifest, in order.
    """
    joined: dict[str, int] = manifest.blob.get("values", {})
    return joined or {manifest.output_name: len(manifest.labels)}


def parted(manifest: Manifest, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Take apart what stands beside one another in a network's one output.

    Args:
        manifest: the network's, compiled for a Myriad X.
        rows: float32 of shape (n, values), the sum of :func:`values_of`.

    Returns:
        By the output's name in the manifest, float32 of shape (n, its values).
    """
    values, start, outputs = values_of(manifest), 0, {}
    for name, count in values.items():
        outputs[name] = rows[:, start : start + count]
        start += count
    return outputs
