"""What a verification found."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from edgeage.verification.statistics import HALF_LARGEST

__all__ = ["EngineReport", "LayerReport", "PairReport", "Verification"]


@dataclasses.dataclass(frozen=True)
class EngineReport:
    """How one engine did.

    Attributes:
        key: its name on the command line.
        name: what it is, with its version.
        reason: why it did not run, or None.
        failed: whether it is here, began, and broke down.
        max_difference: largest difference of a probability from the reference's.
        mean_difference: mean of those differences.
        changed: pictures whose most probable group differs from the reference's.
        max_allowed: the profile's tolerance of ``max_difference``.
        mean_allowed: that of ``mean_difference``.
        accuracy: share of right answers, or None without labels.
    """

    key: str
    name: str
    reason: str | None = None
    failed: bool = False
    max_difference: float | None = None
    mean_difference: float | None = None
    changed: int | None = None
    max_allowed: float | None = None
    mean_allowed: float | None = None
    accuracy: float | None = None

    @property
    def within(self) -> bool:
        """Whether it ran and kept its tolerances, or could not run here at all."""
        if self.max_difference is None:
            return not self.failed
        assert self.max_allowed is not None
        assert self.mean_allowed is not None
        assert self.mean_difference is not None
        # NaN is within nothing.
        return self.max_difference <= self.max_allowed and self.mean_difference <= self.mean_allowed


@dataclasses.dataclass(frozen=True)
class PairReport:
    """How two engines agree.

    Attributes:
        first: key of one engine.
        second: key of the other.
        max_difference: largest difference of a probability.
        changed: pictures they put in different groups.
    """

    first: str
    second: str
    max_difference: float
    changed: int


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """What one blob holds in the reference, and how far the other engines are from it.

    Attributes:
        blob: its Caffe name.
        layer: the last layer that changes it.
        layer_type: that layer's type.
        largest: largest magnitude over all pictures.
        inner: largest sum of squares that a local response normalisation takes on its way, in the
            graph that is compiled for a Myriad X.
        inner_scale: what that graph divides the squared values by first, or None.
        small_share: share of the values other than nought that half precision holds with fewer
            than eleven bits, being below 6.1e-5.
        max_error: largest difference from the reference, by engine.
        relative_error: length of the difference over the length of the reference, by engine.
    """

    blob: str
    layer: str
    layer_type: str
    largest: float
    inner: float | None
    inner_scale: float | None
    small_share: float
    max_error: dict[str, float]
    relative_error: dict[str, float]

    @property
    def headroom(self) -> float:
        """How many times larger the blob could grow before half precision overflows."""
        return HALF_LARGEST / self.largest if self.largest else math.inf

    @property
    def inner_unscaled(self) -> float | None:
        """What :attr:`inner` is in a graph that divides by nothing."""
        if self.inner is None or self.inner_scale is None:
            return None
        return self.inner * self.inner_scale**2

    @property
    def overflows(self) -> bool:
        """Whether half precision cannot hold it."""
        return not self.largest <= HALF_LARGEST


@dataclasses.dataclass(frozen=True)
class Verification:
    """One network in several engines.

    Attributes:
        model: its name.
        task: ``"age"`` or ``"gender"``.
        pictures: how many it was run on.
        origin: which they were.
        labelled: whether their labels are known.
        reference: key of the engine the others are compared with.
        engines: every engine asked for, in order, with the reason of those that did not run.
        pairs: any two that ran.
        layers: one a comparable blob, in order.
    """

    model: str
    task: str
    pictures: int
    origin: str
    labelled: bool
    reference: str
    engines: tuple[EngineReport, ...]
    pairs: tuple[PairReport, ...]
    layers: tuple[LayerReport, ...]

    @property
    def beyond(self) -> tuple[EngineReport, ...]:
        """The engines that failed or are beyond their profile's tolerance."""
        return tuple(engine for engine in self.engines if not engine.within)

    @property
    def ran(self) -> tuple[EngineReport, ...]:
        """The engines that ran."""
        return tuple(engine for engine in self.engines if engine.max_difference is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values; what is not finite becomes None."""
        fields = dataclasses.asdict(self)
        for engine, row in zip(self.engines, fields["engines"], strict=True):
            row["within"] = engine.within
        for layer, row in zip(self.layers, fields["layers"], strict=True):
            row["headroom"] = layer.headroom
        fields["within"] = not self.beyond
        cleaned: dict[str, Any] = _json_ready(fields)
        return cleaned


def _json_ready(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_ready(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value
