"""What one output of a network means: an age or a gender, and how its numbers say it."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import TYPE_CHECKING, Any

from edgeage.errors import ModelError, did_you_mean
from edgeage.labels import AGE_GROUPS, DEFAULT_GROUP_AGES, GENDERS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KINDS", "ONE_OUTPUT", "Output", "outputs_from_fields", "outputs_to_fields"]

KINDS = {"age": ("classes", "years", "distribution"), "gender": ("classes", "sigmoid")}
"""How an output may say each task; see :class:`Output`."""

ONE_OUTPUT = ("task", "labels", "group_ages", "output_name")
"""A manifest's own fields that may stand for ``outputs``: of one output, probabilities a class."""

_RANGE = re.compile(r"\D*(\d+)\D+(\d+)\D*")


@dataclasses.dataclass(frozen=True)
class Output:
    """One output of a network.

    ==================  ======================================================================
    kind                what the output holds for a face
    ==================  ======================================================================
    ``"classes"``       a value a class, in the order of ``labels``
    ``"years"``         one value; the age is ``value · factor + offset``
    ``"distribution"``  a value a year of age; value number i stands for ``i · factor + offset``
                        years, and the age is the expectation (Rothe et al., DEX, ICCVW 2015)
    ``"sigmoid"``       one value, the probability of the one gender in ``labels``
    ==================  ======================================================================

    Attributes:
        name: the output's name in the network.
        task: ``"age"`` or ``"gender"``.
        kind: as above; the default is ``"classes"`` for several labels and ``"sigmoid"`` for one.
        labels: the classes in the network's order. Genders are written ``"Male"`` and
            ``"Female"``.
        group_ages: for classes of age, the age in years that stands for each; the default is the
            middle of a label such as ``"25-32"``.
        factor: years a unit, of ``"years"`` and ``"distribution"``.
        offset: years at zero, of the same.
        logits: whether softmax, or the logistic function of a sigmoid, is still to be taken.
        temperature: logits are divided by it, and probabilities changed as if theirs had been;
            1 leaves them (Guo et al., On Calibration of Modern Neural Networks, ICML 2017).
        interval: of age: half the width of the interval that holds four of five faces' ages, in
            standard deviations of the age as the probabilities have it, or in years where the
            network tells only years; 0 where that is not known.

    Raises:
        ModelError: for what does not go together.

    >>> Output("prob", "gender", labels=("female", "male")).labels
    ('Female', 'Male')
    """

    name: str
    task: str
    kind: str = ""
    labels: tuple[str, ...] = ()
    group_ages: tuple[float, ...] = ()
    factor: float = 1.0
    offset: float = 0.0
    logits: bool = False
    temperature: float = 1.0
    interval: float = 0.0

    def __post_init__(self) -> None:
        if self.task not in KINDS:
            expected = " or ".join(f"«{task}»" for task in KINDS)
            raise ModelError(f"expected task {expected}, got «{self.task}»")
        self._set("labels", tuple(str(label) for label in self.labels))
        self._set("kind", self.kind or self._default_kind())
        if self.kind not in KINDS[self.task]:
            raise ModelError(
                f"expected kind {_listed(KINDS[self.task])} of the {self.task} output "
                f"«{self.name}», got {self.kind!r}{did_you_mean(str(self.kind), KINDS[self.task])}"
            )
        self._check_numbers()
        self._check_belonging()
        if self.task == "gender":
            self._set("labels", self._genders())
        self._set("group_ages", self._ages())

    @property
    def size(self) -> int | None:
        """How many values a face has; None for a distribution, which has any number."""
        if self.kind == "distribution":
            return None
        return len(self.labels) if self.kind == "classes" else 1

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are not at their defaults, JSON-ready."""
        return {
            field.name: list(value) if isinstance(value, tuple) else value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Output:
        """Make an output from :meth:`to_dict`'s result, or from hand-written fields.

        Args:
            fields: by their names; ``name`` and ``task`` have to be there.

        Returns:
            The output, whose :meth:`to_dict` gives those fields again.

        Raises:
            ModelError: for unknown, missing or impossible fields.
        """
        if not isinstance(fields, dict):
            raise ModelError(f"expected an output as {{…}} with name and task, got {fields!r}")
        known = [field.name for field in dataclasses.fields(cls)]
        for name in fields:
            if name not in known:
                raise ModelError(f"unknown field «{name}» of an output{did_you_mean(name, known)}")
        for name in ("name", "task"):
            if not isinstance(fields.get(name), str):
                raise ModelError(f"expected a {name} of each output, got {fields.get(name)!r}")
        for name, kind in (("labels", str), ("group_ages", int | float)):
            values = fields.get(name, [])
            if not isinstance(values, list) or not all(isinstance(v, kind) for v in values):
                raise ModelError(f"expected {name} of «{fields['name']}» as a list, got {values!r}")
        return cls(**fields)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _default_kind(self) -> str:
        if self.labels:
            return "sigmoid" if len(self.labels) == 1 and self.task == "gender" else "classes"
        raise ModelError(
            f"expected a kind ({_listed(KINDS[self.task])}) or labels of the {self.task} output "
            f"«{self.name}»"
        )

    def _check_numbers(self) -> None:
        for name in ("factor", "offset", "temperature", "interval"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise ModelError(f"expected {name} of «{self.name}» as a number, got {number!r}")
            if not math.isfinite(number) or (name in ("factor", "temperature") and number == 0):
                raise ModelError(f"expected a finite {name} of «{self.name}», got {number}")
        if self.temperature < 0:
            raise ModelError(f"expected a temperature above 0, got {self.temperature}")
        if self.interval < 0 or (self.interval and self.task != "age"):
            raise ModelError(
                f"expected interval of 0 or more, of an age, got {self.interval} of «{self.name}», "
                f"which is {self.task}"
            )
        if not isinstance(self.logits, bool):
            raise ModelError(f"expected logits as true or false, got {self.logits!r}")

    def _check_belonging(self) -> None:
        """Refuse what this kind makes nothing of, and would silently ignore."""
        strange = {"years": ("logits", "temperature"), "distribution": ()}
        for field in dataclasses.fields(self):
            given = getattr(self, field.name) != field.default
            if given and field.name in strange.get(self.kind, ("factor", "offset")):
                raise ModelError(f"{field.name} does not belong to «{self.name}» of {self.kind}")

    def _genders(self) -> tuple[str, ...]:
        """Return the gender labels as edgeage writes them."""
        known = {gender.lower(): gender for gender in GENDERS}
        labels = tuple(known.get(label.lower(), label) for label in self.labels)
        count = 2 if self.kind == "classes" else 1
        if len(labels) != count or not set(labels) <= set(GENDERS) or len(set(labels)) != count:
            wanted = {
                "classes": "«Male» and «Female» in the network's order",
                "sigmoid": "the one gender whose probability it is",
            }[self.kind]
            raise ModelError(
                f"expected as labels of «{self.name}» {wanted}, got {list(self.labels)}"
            )
        return labels

    def _ages(self) -> tuple[float, ...]:
        """Return the age in years that stands for each class; empty for other kinds."""
        given = tuple(float(age) for age in self.group_ages)
        if self.task != "age" or self.kind != "classes":
            if given or (self.labels and self.task == "age"):
                raise ModelError(
                    f"labels and group_ages belong to classes of age, «{self.name}» is "
                    f"{self.task} by {self.kind}"
                )
            return ()
        ages = given or _middles(self.labels)
        if not self.labels or len(ages) != len(self.labels):
            raise ModelError(
                f"expected {len(self.labels)} group_ages, got {len(ages)}: the age in years that "
                f"stands for each of the labels of «{self.name}»"
            )
        return ages


def outputs_from_fields(fields: dict[str, Any]) -> tuple[Output, ...]:
    """Take what is said about the outputs out of a manifest's fields.

    Raises:
        ModelError: for unknown, missing or impossible fields, or both forms at once.
    """
    short = {name: fields.pop(name) for name in ONE_OUTPUT if name in fields}
    listed = fields.pop("outputs", None)
    if listed is not None and short:
        raise ModelError(f"expected outputs or {' and '.join(short)}, not both")
    if listed is not None:
        if not isinstance(listed, list):
            raise ModelError(f"expected outputs as a list, got {listed!r}")
        return tuple(Output.from_dict(output) for output in listed)
    if not short:
        raise ModelError('expected outputs: [{"name": …, "task": "age" or "gender", …}, …]')
    name, task = short.get("output_name", "prob"), short.get("task", "")
    labels, ages = (tuple(short.get(key, ())) for key in ("labels", "group_ages"))
    return (Output(name, task, "classes", labels, ages),)


def outputs_to_fields(outputs: tuple[Output, ...], *, short: bool) -> dict[str, Any]:
    """Return the fields of a manifest that say this, JSON-ready.

    Args:
        outputs: all outputs of a network.
        short: write one output of plain probabilities as :data:`ONE_OUTPUT`.
    """
    first = outputs[0]
    plain = first.kind == "classes" and not (first.logits or first.interval)
    plain = plain and first.temperature == 1
    if short and plain and len(outputs) == 1:
        values = (first.task, list(first.labels), list(first.group_ages), first.name)
        return dict(zip(ONE_OUTPUT, values, strict=True))
    return {"outputs": [output.to_dict() for output in outputs]}


def _middles(labels: tuple[str, ...]) -> tuple[float, ...]:
    """Return the middle of every label such as «25-32», or nothing when one has none.

    >>> _middles(("(0, 2)", "4-6"))
    (1.0, 5.0)
    """
    if labels == AGE_GROUPS:
        return DEFAULT_GROUP_AGES
    found = [_RANGE.fullmatch(label) for label in labels]
    if not all(found):
        return ()
    return tuple((float(match[1]) + float(match[2])) / 2 for match in found if match)


def _listed(words: tuple[str, ...]) -> str:
    return " or ".join(f"«{word}»" for word in words)
