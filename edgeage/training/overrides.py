"""``key=value`` overrides of a training: solver fields, the batch, the mirror, the augmentation."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from google.protobuf import text_format

from edgeage.errors import UsageError, did_you_mean
from edgeage.training.augment import Augmentation

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Overrides"]

_NET_KEYS = ("batch_size", "mirror")


@dataclasses.dataclass(frozen=True)
class Overrides:
    """What a call changes of the solver's and the network's files.

    Attributes:
        solver: solver field to its text (``base_lr=0.01``, ``lr_policy=poly``, ``stepvalue=…``).
        net: ``batch_size`` and ``mirror`` of the TRAIN phase's data layer.
        fillers: ``filler.LAYER``: another weight filler type for a layer, its bias from 0.
        augment: ``augment.NAME`` options.
    """

    solver: tuple[tuple[str, str], ...] = ()
    net: tuple[tuple[str, str], ...] = ()
    fillers: tuple[tuple[str, str], ...] = ()
    augment: Augmentation = dataclasses.field(default_factory=Augmentation)

    @classmethod
    def parse(cls, words: Sequence[str]) -> Overrides:
        """Sort ``key=value`` words.

        Raises:
            UsageError: for a word without ``=`` or an unknown augmentation.
        """
        solver, net, fillers, augment = [], [], [], {}
        for word in words:
            key, equals, value = word.partition("=")
            if not equals or not key or not value:
                raise UsageError(f"expected key=value, got «{word}»")
            if key.startswith("augment."):
                augment[key.removeprefix("augment.")] = value
            elif key.startswith("filler."):
                fillers.append((key.removeprefix("filler."), value))
            elif key in _NET_KEYS:
                net.append((key, value))
            else:
                solver.append((key, value))
        return cls(tuple(solver), tuple(net), tuple(fillers), Augmentation.from_options(augment))

    def apply(self, solver: Any, net: Any) -> None:
        """Change a ``SolverParameter`` and the training data layer of a ``NetParameter``.

        Raises:
            UsageError: for a field the solver does not have, or a value that does not fit it.
        """
        known = [field.name for field in solver.DESCRIPTOR.fields]
        for key in dict.fromkeys(key for key, _ in self.solver):
            if key not in known:
                raise UsageError(
                    f"unknown setting «{key}»{did_you_mean(key, [*known, *_NET_KEYS])}"
                )
            solver.ClearField(key)
        for key, value in self.solver:
            _merge(solver, key, value)
        for layer in net.layer:
            if layer.type == "Data" and any(rule.phase == 0 for rule in layer.include):
                for key, value in self.net:
                    target = layer.data_param if key == "batch_size" else layer.transform_param
                    target.ClearField(key)
                    _merge(target, key, value)
        for name, kind in self.fillers:
            _refill(net, name, kind)


def _refill(net: Any, name: str, kind: str) -> None:
    fields = ("convolution_param", "inner_product_param")
    filled = {
        layer.name: getattr(layer, field)
        for layer in net.layer
        for field in fields
        if layer.HasField(field)
    }
    if name not in filled:
        raise UsageError(
            f"filler.{name}: no layer with weights «{name}»{did_you_mean(name, filled)}"
        )
    for filler in (filled[name].weight_filler, filled[name].bias_filler):
        filler.Clear()
    filled[name].weight_filler.type = kind


def _merge(message: Any, key: str, value: str) -> None:
    quoted = f'"{value}"'
    for text in (value, quoted):
        try:
            text_format.Merge(f"{key}: {text}", message)
        except text_format.ParseError:
            continue
        return
    raise UsageError(f"{key}={value}: the value does not fit the field")
