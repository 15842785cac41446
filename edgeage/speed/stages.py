"""What each step of one picture costs."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from edgeage.speed.timing import undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeage.predictor import Predictor
    from edgeage.sources import Source

__all__ = ["StageCosts", "time_stages"]

_LEAST_RUNS = 3
_MOST_RUNS = 1000
_PER_PICTURE = ("decode", "detect")


@dataclasses.dataclass(frozen=True)
class StageCosts:
    """The cost of each step of a picture, taken through them alone, again and again.

    Attributes:
        picture: its name.
        size_hw: its height and width in pixels.
        device: where the networks ran.
        precision: the networks' precision.
        faces: how many faces were looked at.
        runs: how many times.
        stages_ms: milliseconds of each step, the median; see :attr:`edgeage.Timing.stages_ms`.
        whole_ms: milliseconds from the decoded picture to the answer, the median.
        reason: why there is none of that; empty where there is.
    """

    picture: str
    size_hw: tuple[int, int] = (0, 0)
    device: str = ""
    precision: str = ""
    faces: int = 0
    runs: int = 0
    stages_ms: dict[str, float] = dataclasses.field(default_factory=dict)
    whole_ms: float | None = None
    reason: str = ""

    def per(self, stage: str) -> str:
        """Say what the cost of a step is of: a picture or a face."""
        return "picture" if stage in _PER_PICTURE else "face"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values, or the picture and the reason alone."""
        if self.reason:
            return {"picture": self.picture, "reason": self.reason}
        fields = {**dataclasses.asdict(self), "size_hw": list(self.size_hw)}
        del fields["reason"]
        fields["stages_ms"] = {name: round(value, 3) for name, value in self.stages_ms.items()}
        return {**fields, "whole_ms": self.whole_ms and round(self.whole_ms, 3)}


def time_stages(
    predictor: Predictor,
    source: Source,
    *,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> StageCosts:
    """Take a picture through all steps until the time is over.

    Args:
        predictor: what does it; its own clock tells the steps apart.
        source: the picture, read anew each time.
        seconds: how long.
        clock: tells the time in seconds.

    Raises:
        ImageError: when the picture cannot be read.
        DeviceError: when the device fails.
        MissingDependencyError: when the detector's package is not installed.
    """
    size_hw = source.read().shape[:2]
    predictor.predict(source)
    runs, begun, faces = 0, clock(), 0
    with undisturbed():
        while runs < _LEAST_RUNS or (runs < _MOST_RUNS and clock() - begun < seconds):
            faces = len(predictor.predict(source))
            runs += 1
    timing = predictor.timing
    return StageCosts(
        source.name,
        (size_hw[0], size_hw[1]),
        predictor.device,
        ", ".join(dict.fromkeys(manifest.precision for manifest in predictor.models)),
        faces,
        runs,
        timing.stages_ms,
        timing.steady_ms,
    )
