"""What a training of one of the zoo's networks is asked for."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from edgeage.errors import TrainingError, did_you_mean
from edgeage.tomlfile import read_toml
from edgeage.training.augment import Augmentation
from edgeage.training.settings import changed_settings, check_numbers

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

__all__ = ["ZooRecipe"]

_WORDS = {
    "optimizer": ("adam", "sgd"),
    "schedule": ("constant", "cosine", "step"),
    "age_loss": ("", "crossentropy", "mae", "mse"),
    "gender_loss": ("", "crossentropy", "mae", "mse"),
}
_ABOVE_ZERO = ("epochs", "batch_size", "learning_rate", "step_epochs", "step_factor")
_SHARES = ("gender_smoothing", "age_balance", "validation", "flip")
_TABLES = ("augment", "race_weights")


@dataclasses.dataclass(frozen=True)
class ZooRecipe:
    """The settings of a training.

    Attributes:
        epochs: how often as many faces are drawn as there are to train on.
        batch_size: faces an update.
        optimizer: ``"adam"`` or ``"sgd"``, whose momentum is Nesterov's.
        learning_rate: the highest rate.
        momentum: of SGD.
        weight_decay: decoupled decay of weights; biases and batch normalisation have none.
        clip: largest norm of the whole gradient; 0 for any.
        schedule: ``"constant"``, ``"cosine"`` (falling to zero at the end) or ``"step"``.
        step_epochs: epochs from one step to the next.
        step_factor: what each step multiplies the rate by.
        warmup: iterations over which the rate rises first.
        patience: epochs without a smaller validation loss after which the training ends; 0 trains
            all epochs.
        age_loss: ``"crossentropy"`` for shares of classes or years; ``"mae"`` or ``"mse"``, in
            years, for an age that is one number; empty for the first of these that fits.
        gender_loss: ``"crossentropy"``, or of a single probability ``"mae"`` or ``"mse"`` too;
            empty for the first.
        age_weight: factor of the age's loss.
        gender_weight: factor of the gender's loss.
        age_spread: standard deviation in years of the age that shares are taught; 0 teaches one
            class alone (:func:`edgeage.training.joint.targets.age_targets`).
        gender_smoothing: share of certainty taken from a face's gender.
        mixup: parameter α of the Beta distribution by which two faces are mixed (Zhang et al.,
            *mixup: Beyond Empirical Risk Minimization*, ICLR 2018); 0 mixes none.
        flip: 1 mirrors every second picture, 0 none.
        race_weights: how many times as often as others a race's faces are drawn.
        age_balance: 0 draws every face alike, 1 every age group alike.
        validation: share of the near-duplicate groups held back for validation.
        seed: of the split, the order, the augmentation and the first weights.
        augment: how far a face is changed each time it is drawn.
        network: options of the network's builder; in a file and on the command line they stand
            among the other settings.

    Raises:
        TrainingError: for an impossible value.
    """

    epochs: int
    batch_size: int = 64
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    clip: float = 0.0
    schedule: str = "cosine"
    step_epochs: int = 30
    step_factor: float = 0.1
    warmup: int = 0
    patience: int = 0
    age_loss: str = ""
    gender_loss: str = ""
    age_weight: float = 1.0
    gender_weight: float = 1.0
    age_spread: float = 0.0
    gender_smoothing: float = 0.0
    mixup: float = 0.0
    flip: int = 1
    race_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    age_balance: float = 0.0
    validation: float = 0.05
    seed: int = 230
    augment: Augmentation = dataclasses.field(default_factory=Augmentation)
    network: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _WORDS:
            _check_word(name, getattr(self, name))
        others = (*_WORDS, *_TABLES, "network")
        check_numbers(self, above_zero=_ABOVE_ZERO, shares=_SHARES, others=others)
        if self.validation in (0, 1):
            raise TrainingError(
                f"expected validation between 0 and 1, got {self.validation}: the best epoch is "
                "chosen by it"
            )

    @classmethod
    def read(cls, path: Path, options: Collection[str]) -> ZooRecipe:
        """Read a recipe, a TOML file.

        Args:
            path: the file.
            options: names of the network's own options.

        Raises:
            TrainingError: for an unknown setting or an impossible value.
            UsageError: for an unknown augmentation.
            EdgeageError: when the file is missing or no TOML.
        """
        return cls.from_dict(read_toml(path), options, str(path))

    @classmethod
    def from_dict(
        cls, fields: Mapping[str, Any], options: Collection[str], origin: str
    ) -> ZooRecipe:
        """Make a recipe from settings by name, the network's options among them.

        Args:
            fields: the settings; ``augment`` and ``race_weights`` are mappings.
            options: names of the network's own options.
            origin: where the settings come from, for the errors.

        Raises:
            TrainingError: for an unknown setting or an impossible value.
            UsageError: for an unknown augmentation.
        """
        own = [field.name for field in dataclasses.fields(cls) if field.name != "network"]
        for name in fields:
            if name not in own and name not in options:
                raise TrainingError(
                    f"{origin}: unknown setting «{name}»{did_you_mean(name, (*own, *options))}"
                )
        try:
            augment = {name: str(value) for name, value in dict(fields.get("augment", {})).items()}
            settings = {name: value for name, value in fields.items() if name in own}
            settings["augment"] = Augmentation.from_options(augment)
            network = {name: value for name, value in fields.items() if name in options}
            return cls(**settings, network=network)
        except (TypeError, ValueError) as error:
            raise TrainingError(f"{origin} is no recipe of a training: {error}") from None

    def changed(self, words: Sequence[str], options: Collection[str]) -> ZooRecipe:
        """Return a copy with ``key=value`` words put into it (``augment.erase=0.3``).

        Args:
            words: on the command line.
            options: names of the network's own options.

        Raises:
            UsageError: for a word that is not ``key=value``.
            TrainingError: for an unknown setting or an impossible value.
        """
        fields = changed_settings(self.to_dict(), words, _TABLES)
        return self.from_dict(fields, options, "the recipe")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready values, the network's options among them."""
        fields = dataclasses.asdict(self)
        network = fields.pop("network")
        return {**fields, **network}

    def rate(self, iteration: int, an_epoch: int) -> float:
        """Return the learning rate of an update.

        Args:
            iteration: counted from 0.
            an_epoch: iterations an epoch.
        """
        epoch = iteration / an_epoch
        rise = min(1.0, (iteration + 1) / self.warmup) if self.warmup else 1.0
        fall = {
            "constant": 1.0,
            "cosine": 0.5 * (1 + math.cos(math.pi * min(1.0, epoch / self.epochs))),
            "step": self.step_factor ** (int(epoch) // self.step_epochs),
        }
        return self.learning_rate * rise * fall[self.schedule]


def _check_word(name: str, value: object) -> None:
    words = _WORDS[name]
    if value not in words:
        offered = ", ".join(word for word in words if word)
        raise TrainingError(
            f"expected {name} as one of {offered}, got «{value}»{did_you_mean(str(value), words)}"
        )
