"""Target profiles: one TOML file a target under ``compile/``, with precisions and tolerances."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from edgeage.errors import EdgeageError, UsageError, did_you_mean
from edgeage.movidius.blobs import BlobOptions
from edgeage.paths import data_dir

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Profile", "read_profile", "targets"]


_USUAL = "FP16"
_ONNX = "ONNX"


@dataclasses.dataclass(frozen=True)
class Profile:
    """How to compile for one target in one precision.

    Attributes:
        target: the target's name, for example ``"CPU"``.
        device: the device the runtime is asked for.
        precision: ``"FP32"``, ``"FP16"`` or ``"INT8"``: how weights are stored.
        max_difference: largest allowed difference of any probability from the trained network's.
        mean_difference: largest allowed mean of those differences.
        lrn_scale: what local response normalisation across channels divides its input by before
            it squares it; a power of two, 1 for not at all.
        max_accuracy_drop: for INT8, the percentage points of accuracy that may be lost against
            single precision on faces that had no part in the calibration.
        options: what the runtime is told when it opens the device, in its own words.
        blob: how the blob for a Myriad X is compiled; None for a target without one.

    Raises:
        ValueError: for a tolerance outside 0 to 1, or an ``lrn_scale`` that is no power of two.
    """

    target: str
    device: str
    precision: str
    max_difference: float
    mean_difference: float
    lrn_scale: float = 1.0
    max_accuracy_drop: float | None = None
    options: dict[str, str] = dataclasses.field(default_factory=dict)
    blob: BlobOptions | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.mean_difference <= self.max_difference <= 1:
            raise ValueError(
                "expected 0 ≤ mean_difference ≤ max_difference ≤ 1, got "
                f"{self.mean_difference} and {self.max_difference}"
            )
        if self.lrn_scale < 1 or math.frexp(self.lrn_scale)[0] != 0.5:
            raise ValueError(f"expected lrn_scale of 1, 2, 4, …, got {self.lrn_scale}")
        drop = self.max_accuracy_drop
        if (self.precision == "INT8") != (drop is not None):
            raise ValueError(f"expected max_accuracy_drop for INT8 and nothing else, got {drop}")
        if drop is not None and not 0 <= drop <= 100:
            raise ValueError(f"expected max_accuracy_drop of 0 to 100 points, got {drop}")

    @property
    def is_onnx(self) -> bool:
        """Whether an ONNX file is written, for other programs, in place of an IR."""
        return self.target == _ONNX


def targets(folder: Path | None = None) -> list[str]:
    """Return the targets that have a profile, upper case and sorted."""
    return sorted(path.stem.upper() for path in (folder or data_dir("compile")).glob("*.toml"))


def read_profile(target: str, precision: str | None, folder: Path | None = None) -> Profile:
    """Read one precision of a target's profile.

    Args:
        target: for example ``"CPU"``, in any case.
        precision: for example ``"FP16"``, in any case; None for that, or for the only one where
            the profile has one.
        folder: where the profiles are; the package's own when None.

    Returns:
        How to compile for that target in that precision.

    Raises:
        UsageError: for a target or precision without a profile, with those there are, and for a
            precision the profile refuses, with its reason.
        EdgeageError: when the profile itself is broken.
    """
    from edgeage.tomlfile import read_toml

    known = targets(folder)
    if target.upper() not in known:
        raise UsageError(
            f"unknown target «{target}»; expected {' or '.join(known)}"
            f"{did_you_mean(target.upper(), known)}"
        )
    path = (folder or data_dir("compile")) / f"{target.lower()}.toml"
    fields = read_toml(path)
    precisions: Mapping[str, Any] = fields.get("precision", {})
    precision = precision or (_USUAL if len(precisions) != 1 else next(iter(precisions)))
    if reason := fields.get("refused", {}).get(precision.upper()):
        raise UsageError(f"target {target.upper()} cannot be in {precision.upper()}: {reason}")
    if precision.upper() not in precisions:
        raise UsageError(
            f"target {target.upper()} has no precision «{precision}»; "
            f"expected {' or '.join(precisions)}"
        )
    try:
        return Profile(
            target=fields["target"],
            device=fields["device"],
            precision=precision.upper(),
            blob=BlobOptions(**fields["blob"]) if "blob" in fields else None,
            **precisions[precision.upper()],
        )
    except KeyError as error:
        raise EdgeageError(f"{path}: the field {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise EdgeageError(f"{path}: [precision.{precision.upper()}]: {error}") from None
