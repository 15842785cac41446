"""SSR-Net: two small streams, three stages that refine one another.

Yang, Huang, Lin, Hsiu, Chuang, *SSR-Net: A Compact Soft Stagewise Regression Network for Age
Estimation*, IJCAI 2018; stages 3-3-3 on pictures of 64×64. Layers have the names of the published
Keras 2 weights, so that these can be loaded one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeage.networkinput import NetworkInput
from edgeage.outputs import Output
from edgeage.zoo.backend import open_keras
from edgeage.zoo.layers import SoftStagewise
from edgeage.zoo.network import ZooNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AGE_SPAN", "SIDE", "ssrnet", "ssrnet_gender", "ssrnet_joint"]

SIDE = 64
MARGIN = 0.4
"""What the authors leave around a face."""

AGE_SPAN = 101
"""Years the age head's range is wide: 0 to 100."""

_MOMENTUM = 0.9
"""Of batch normalisation; only training is concerned. Answers are no numbers until its statistics
fit the pictures, which are not normalised."""

_STAGES = (3, 3, 3)
_BLOCKS = 4
_POOLS = (None, 4, 8)
"""How stage k pools what it takes of the trunk; the first takes the trunk's end as it is."""

layers = open_keras().layers


def ssrnet() -> ZooNetwork:
    """Return the age network of the paper; its weights are random."""
    picture = layers.Input((SIDE, SIDE, 3), name="input_1")
    age = _head(_trunk(picture), AGE_SPAN, "pred_a", "pred_age_stage{}")
    return _network("ssrnet", picture, [age], [_AGE])


def ssrnet_gender() -> ZooNetwork:
    """Return the same network regressing a gender from 0 (female) to 1 (male)."""
    picture = layers.Input((SIDE, SIDE, 3), name="input_1")
    gender = _head(_trunk(picture), 1, "pred", "pred_stage{}")
    return _network("ssrnet-gender", picture, [gender], [_gender("pred")])


def ssrnet_joint() -> ZooNetwork:
    """Return one trunk with an age head and a gender head."""
    picture = layers.Input((SIDE, SIDE, 3), name="input_1")
    features = _trunk(picture)
    age = _head(features, AGE_SPAN, "pred_a", "pred_age_stage{}")
    gender = _head(features, 1, "pred", "gender_pred_stage{}", prefix="gender_")
    return _network("ssrnet-joint", picture, [age, gender], [_AGE, _gender("pred")])


_AGE = Output("pred_a", "age", "years")


def _gender(name: str) -> Output:
    return Output(name, "gender", "sigmoid", ("Male",))


def _network(name: str, picture: Any, ends: list[Any], outputs: Sequence[Output]) -> ZooNetwork:
    model = open_keras().Model(picture, ends, name=name.replace("-", "_"))
    return ZooNetwork(name, model, NetworkInput("BGR"), tuple(outputs), MARGIN)


def _trunk(picture: Any) -> list[tuple[Any, Any]]:
    """Return for each stage the features of both streams: (tanh stream, relu stream)."""
    relu = _stream(picture, 32, "relu", "average", 1)
    tanh = _stream(picture, 16, "tanh", "max", 1 + _BLOCKS)
    return [(tanh[3], relu[3]), (tanh[1], relu[1]), (tanh[0], relu[0])]


def _stream(picture: Any, filters: int, activation: str, pool: str, first: int) -> list[Any]:
    """Return what each of four blocks ends in; the last has no pooling."""
    ends, here = [], picture
    for block in range(_BLOCKS):
        number = first + block
        here = layers.Conv2D(filters, 3, name=f"conv2d_{number}")(here)
        norm = f"batch_normalization_{number}"
        here = layers.BatchNormalization(momentum=_MOMENTUM, name=norm)(here)
        here = layers.Activation(activation, name=f"activation_{number}")(here)
        if block < _BLOCKS - 1:
            here = _pool(pool, 2, f"{pool}_pooling2d_{block + 1}")(here)
        ends.append(here)
    return ends


def _pool(kind: str, size: int, name: str) -> Any:
    pooling = layers.MaxPooling2D if kind == "max" else layers.AveragePooling2D
    return pooling(size, name=name)


def _head(
    features: Sequence[tuple[Any, Any]], span: float, name: str, shares: str, prefix: str = ""
) -> Any:
    """Return the regressed value; published names begin with ``prefix``."""
    parts = [
        _stage(number, pair, bins, shares.format(number), prefix)
        for number, (pair, bins) in enumerate(zip(features, _STAGES, strict=True), 1)
    ]
    return SoftStagewise(span, name=name)(
        [part for kind in zip(*parts, strict=True) for part in kind]
    )


def _stage(
    number: int, pair: tuple[Any, Any], bins: int, shares: str, prefix: str
) -> tuple[Any, Any, Any]:
    """Return a stage's shares, stretch and shifts."""
    flat, mixed = [], []
    for place, (kind, stream) in enumerate(zip(("max", "average"), pair, strict=True)):
        conv = 2 * _BLOCKS + 2 * (number - 1) + place + 1
        here = layers.Conv2D(10, 1, activation="relu", name=f"{prefix}conv2d_{conv}")(stream)
        if (size := _POOLS[number - 1]) is not None:
            here = _pool(kind, size, f"{prefix}{kind}_pooling2d_stage{number}")(here)
        here = layers.Flatten(name=f"{prefix}flatten_{2 * number - 1 + place}")(here)
        flat.append(here)
        here = layers.Dropout(0.2, name=f"{prefix}dropout_{2 * number - 1 + place}")(here)
        dense = 3 * (number - 1) + place + 1
        mixed.append(layers.Dense(bins, activation="relu", name=f"{prefix}dense_{dense}")(here))
    both = layers.Multiply(name=f"{prefix}multiply_{2 * number - 1}")(flat)
    stretch = layers.Dense(1, activation="tanh", name=f"{prefix}delta_s{number}")(both)
    here = layers.Multiply(name=f"{prefix}multiply_{2 * number}")(mixed)
    here = layers.Dense(2 * bins, activation="relu", name=f"{prefix}dense_{3 * number}")(here)
    answer = layers.Dense(bins, activation="relu", name=shares)(here)
    local = f"{prefix}local_delta_stage{number}"
    return answer, stretch, layers.Dense(bins, activation="tanh", name=local)(here)
