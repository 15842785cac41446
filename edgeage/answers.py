"""What the networks' numbers say about a face."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import DeviceError
from edgeage.labels import AGE_GROUPS, GENDERS, MAX_AGE, age_group_index, expected_age

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgeage.manifest import Manifest
    from edgeage.outputs import Output
    from edgeage.runtime.backend import Answer

__all__ = ["age_spread", "comparable", "decode", "face_fields", "probabilities"]

_TINY = 1e-12


def face_fields(
    manifests: Sequence[Manifest], answers: Mapping[str, Answer], place: int
) -> dict[str, Any]:
    """Return what all networks say about one face.

    Args:
        manifests: the networks' manifests.
        answers: by task, what the network of that task answered.
        place: the face's row in the answers.

    Returns:
        Fields of :class:`edgeage.Face`.

    Raises:
        DeviceError: for an answer that is not a number.
    """
    fields: dict[str, Any] = {}
    for manifest in manifests:
        for output in manifest.outputs:
            fields |= decode(output, answers[output.task].outputs[output.name][place])
    return fields


def decode(output: Output, values: np.ndarray) -> dict[str, Any]:
    """Return what one output says about one face.

    Args:
        output: what the output means.
        values: float array of shape (n,), the output's values for the face.

    Returns:
        Fields of :class:`edgeage.Face`: age and age group, or gender, each with what is known of
        its probability, the age with its interval where the output has one. An age is never below
        0 nor above 120 years.

    Raises:
        DeviceError: when a value is not a number.

    >>> from edgeage.outputs import Output
    >>> decode(Output("age", "age", "years", factor=100), np.array([0.336]))["age_group"]
    '30-39'
    """
    if not np.isfinite(values).all():
        raise DeviceError(
            f"output «{output.name}» answered {values.tolist()[:4]}, expected numbers; does the "
            f"device overflow in half precision?"
        )
    return _DECODERS[output.task, output.kind](output, values)


def probabilities(output: Output, values: np.ndarray) -> np.ndarray:
    """Return an output's values as probabilities at its temperature.

    Args:
        output: of kind ``"classes"`` or ``"distribution"``.
        values: float array of shape (..., n): logits or probabilities, as the output says.

    Returns:
        float64 array of the same shape, each row summing to 1. Probabilities at temperature 1 are
        what they were.
    """
    if not output.logits and output.temperature == 1:
        return values
    logits = values if output.logits else np.log(np.maximum(values, _TINY))
    scaled = logits.astype(np.float64) / output.temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return result


def comparable(output: Output, values: np.ndarray) -> np.ndarray:
    """Return an output's values on the scale of a probability; an age counts in hundreds of years.

    Two networks are compared by it, whatever form their answers have.

    Args:
        output: what the output means.
        values: float array of shape (..., n).

    Returns:
        float64 array of the same shape.

    >>> from edgeage.outputs import Output
    >>> comparable(Output("age", "age", "years", factor=50), np.array([0.6])).tolist()
    [0.3]
    """
    exact = np.asarray(values, np.float64)
    if output.kind == "years":
        return exact * (abs(output.factor) / 100)
    if output.kind == "sigmoid":
        return 1 / (1 + np.exp(-exact / output.temperature)) if output.logits else exact
    return probabilities(output, exact)


def _age_by_classes(output: Output, values: np.ndarray) -> dict[str, Any]:
    found = probabilities(output, values)
    age = float(expected_age(found, output.group_ages))
    return {
        "age": age,
        **_interval(output, age, found, np.array(output.group_ages)),
        **_groups(found, output.labels),
    }


def _age_by_distribution(output: Output, values: np.ndarray) -> dict[str, Any]:
    found = probabilities(output, values)
    ages, members = _ages_and_groups(len(found), output.factor, output.offset)
    age = float(found @ ages)
    return {
        "age": age,
        **_interval(output, age, found, ages),
        **_groups(found @ members, AGE_GROUPS),
    }


def _age_by_years(output: Output, values: np.ndarray) -> dict[str, Any]:
    age = float(np.clip(values[0] * output.factor + output.offset, 0, MAX_AGE))
    interval = _within_life(age, output.interval) if output.interval else {}
    return {"age": age, **interval, "age_group": AGE_GROUPS[_group(age)]}


def _gender_by_classes(output: Output, values: np.ndarray) -> dict[str, Any]:
    found = probabilities(output, values)
    best = int(found.argmax())
    return {"gender": output.labels[best], "gender_probability": float(found[best])}


def _gender_by_sigmoid(output: Output, values: np.ndarray) -> dict[str, Any]:
    value = float(values[0])
    if not output.logits:
        value = min(max(value, _TINY), 1 - _TINY)
        value = float(np.log(value / (1 - value)))
    # The larger of the two probabilities, without overflow at either end.
    larger = float(1 / (1 + np.exp(-abs(value) / output.temperature)))
    own = output.labels[0]
    other = GENDERS[1 - GENDERS.index(own)]
    return {"gender": own if value >= 0 else other, "gender_probability": larger}


def _groups(found: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    best = int(found.argmax())
    return {
        "age_group": labels[best],
        "age_group_probability": float(found[best]),
        "age_probabilities": tuple(float(value) for value in found),
    }


def age_spread(found: np.ndarray, ages: np.ndarray) -> np.ndarray:
    """Return the standard deviation of an age, as the probabilities have it.

    Each class counts as spread evenly over its share of the years between its neighbours.

    Args:
        found: float array of shape (..., classes), each row summing to 1.
        ages: the age in years that stands for each class, ascending.

    Returns:
        Float array of shape (...), years.

    >>> float(age_spread(np.array([0.0, 1.0, 0.0]), np.array([5.0, 15.0, 25.0]))).__round__(3)
    2.887
    """
    widths = np.gradient(ages) if len(ages) > 1 else np.zeros(1)
    middle = (found @ ages)[..., None]
    result: np.ndarray = np.sqrt((found * ((ages - middle) ** 2 + widths**2 / 12)).sum(axis=-1))
    return result


def _interval(output: Output, age: float, found: np.ndarray, ages: np.ndarray) -> dict[str, Any]:
    if not output.interval:
        return {}
    return _within_life(age, output.interval * float(age_spread(found, ages)))


def _within_life(age: float, half: float) -> dict[str, Any]:
    return {"age_interval": (max(age - half, 0.0), min(age + half, float(MAX_AGE)))}


def _group(age_years: float) -> int:
    """Return the group of an age to the nearest year, a half being the older."""
    return age_group_index(min(int(age_years + 0.5), MAX_AGE))


@functools.lru_cache(maxsize=32)
def _ages_and_groups(count: int, factor: float, offset: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the age of each value of a distribution, and one-hot rows of its group."""
    ages = np.clip(np.arange(count) * factor + offset, 0, MAX_AGE)
    return ages, np.eye(len(AGE_GROUPS))[[_group(age) for age in ages]]


_DECODERS = {
    ("age", "classes"): _age_by_classes,
    ("age", "distribution"): _age_by_distribution,
    ("age", "years"): _age_by_years,
    ("gender", "classes"): _gender_by_classes,
    ("gender", "sigmoid"): _gender_by_sigmoid,
}
