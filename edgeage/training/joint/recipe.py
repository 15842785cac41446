"""What a joint training is asked for: one TOML file a released pair of networks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from edgeage.errors import TrainingError, did_you_mean
from edgeage.tomlfile import read_toml
from edgeage.training.augment import Augmentation
from edgeage.training.settings import changed_settings, check_number, check_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["JointRecipe"]

_ABOVE_ZERO = ("iterations", "batch_size", "warmup", "learning_rate", "clip", "age_spread")
_SHARES = ("average", "gender_smoothing", "age_balance", "validation", "teacher_weight")
_TABLES = ("race_weights", "augment", "network")


@dataclasses.dataclass(frozen=True)
class JointRecipe:
    """The settings of a joint training.

    Attributes:
        iterations: how many updates.
        batch_size: faces an update.
        learning_rate: AdamW's highest rate (Loshchilov and Hutter, ICLR 2019); it rises over
            ``warmup`` iterations and falls to zero along a cosine.
        warmup: iterations of the rise.
        weight_decay: AdamW's decay of weights; biases have none.
        clip: largest norm of the whole gradient.
        average: factor of the running average of the weights that is released.
        age_spread: standard deviation in years of the age a face is taught as: the share of a
            normal distribution that falls into each age group.
        gender_smoothing: share of certainty taken from a face's gender.
        gender_weight: factor of the gender's loss beside the age's.
        year_weight: factor of the absolute error, in years, of the expected age beside the age's
            loss (Gao et al., *Age Estimation Using Expectation of Label Distribution Learning*,
            IJCAI 2018).
        teacher_weight: the teacher's share of what a face is taught as, where there is one.
        race_weights: how many times as often as others a race's faces are drawn.
        age_balance: 0 draws every face alike, 1 every age group alike.
        validation: share of the near-duplicate groups held back for validation.
        seed: of the split, the order, the augmentation and the fillers.
        augment: how far a face is changed each time it is drawn.
        network: what else the network's family wants to know; AgeNet's wants nothing.

    Raises:
        TrainingError: for an impossible value.
    """

    iterations: int
    batch_size: int = 50
    learning_rate: float = 2e-4
    warmup: int = 200
    weight_decay: float = 0.02
    clip: float = 5.0
    average: float = 0.998
    age_spread: float = 3.0
    gender_smoothing: float = 0.02
    gender_weight: float = 1.0
    year_weight: float = 0.0
    teacher_weight: float = 0.0
    race_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    age_balance: float = 0.0
    validation: float = 0.05
    seed: int = 230
    augment: Augmentation = dataclasses.field(default_factory=Augmentation)
    network: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_numbers(self, above_zero=_ABOVE_ZERO, shares=_SHARES, others=_TABLES)
        if self.validation in (0, 1):
            raise TrainingError(
                f"expected validation between 0 and 1, got {self.validation}: faces are needed on "
                "both sides"
            )
        for race, factor in self.race_weights.items():
            check_number(f"race_weights.{race}", factor)

    @classmethod
    def read(cls, path: Path) -> JointRecipe:
        """Read a recipe.

        Raises:
            TrainingError: for an unknown setting or one of the wrong kind.
            UsageError: for an unknown augmentation.
            EdgeageError: when the file is missing or no TOML.
        """
        return cls.from_dict(read_toml(path), str(path))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], origin: str) -> JointRecipe:
        """Make a recipe from settings by name; ``augment`` and ``race_weights`` are mappings.

        Args:
            fields: the settings.
            origin: where they come from, for the errors.

        Raises:
            TrainingError: for an unknown setting or one of the wrong kind.
            UsageError: for an unknown augmentation.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in fields:
            if name not in known:
                raise TrainingError(
                    f"{origin}: unknown setting «{name}»{did_you_mean(name, known)}"
                )
        try:
            options = {name: str(value) for name, value in dict(fields.get("augment", {})).items()}
            return cls(**{**fields, "augment": Augmentation.from_options(options)})
        except (TypeError, ValueError) as error:
            raise TrainingError(f"{origin} is no recipe of a joint training: {error}") from None

    def changed(self, words: Sequence[str]) -> JointRecipe:
        """Return a copy with ``key=value`` words put into it (``augment.blur=2``).

        Raises:
            UsageError: for a word that is not ``key=value``.
            TrainingError: for an unknown setting or an impossible value.
        """
        return self.from_dict(changed_settings(self.to_dict(), words, _TABLES), "the recipe")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready values."""
        return dataclasses.asdict(self)
