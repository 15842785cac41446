"""What a training was asked for, kept beside its snapshots so that resuming needs no repetition."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from edgeage.caffe import format_message
from edgeage.errors import ModelError, TrainingError
from edgeage.paths import atomic_file, sha256_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Recipe", "read_recipe"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What the solver's and the network's prototxts do not say.

    Attributes:
        overrides: ``key=value`` words; the later of two for the same key counts.
        precision: ``auto``, ``fp32`` or ``bf16``.
        started_from: ``name`` and ``sha256`` of the weights it started from, or None.
        engine: ``torch`` or ``caffe``: what trained last.
    """

    overrides: tuple[str, ...] = ()
    precision: str = "auto"
    started_from: dict[str, str] | None = None
    engine: str = "torch"

    @classmethod
    def of(cls, weights: Path | None) -> Recipe:
        """Return the recipe of a training that starts from these weights.

        Raises:
            ModelError: when they cannot be read.
        """
        if weights is None:
            return cls()
        try:
            return cls(started_from={"name": weights.name, "sha256": sha256_file(weights)})
        except OSError as error:
            raise ModelError(f"{weights} cannot be read: {error.strerror}") from None

    def changed(
        self, precision: str | None, words: Sequence[str], engine: str | None = None
    ) -> Recipe:
        """Return a copy with another precision and engine, if given, and more overrides behind."""
        more = tuple(word for word in words if word not in self.overrides)
        return dataclasses.replace(
            self,
            precision=precision or self.precision,
            overrides=self.overrides + more,
            engine=engine or self.engine,
        )

    def write(self, folder: Path, name: str, solver: Any, net: Any) -> None:
        """Write the recipe, and the prototxts as they are used, overrides applied.

        Args:
            folder: the training's folder.
            name: the network's name.
            solver: the ``SolverParameter``; what is written names the net beside it.
            net: the ``NetParameter``.
        """
        used = type(solver)()
        used.CopyFrom(solver)
        used.net = f"{name}_train_test.prototxt"
        texts = {
            f"{name}_solver.prototxt": format_message(used),
            used.net: format_message(net),
            f"{name}_recipe.json": json.dumps(dataclasses.asdict(self), indent=2) + "\n",
        }
        for file, text in texts.items():
            with atomic_file(folder / file) as temporary:
                temporary.write_text(text, encoding="utf-8")


def read_recipe(folder: Path, name: str) -> Recipe:
    """Read the recipe a training left.

    Raises:
        TrainingError: when there is none, or it is damaged.
    """
    path = folder / f"{name}_recipe.json"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        kept = tuple(fields["overrides"]), fields["precision"], fields["started_from"]
        # Recipes of before there were two engines do not name theirs.
        return Recipe(*kept, fields.get("engine", "torch"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{path} is not a training's recipe ({type(error).__name__}); start anew with another "
            "--out"
        ) from None
