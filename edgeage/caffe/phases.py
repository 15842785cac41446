"""Which layers of a network exist in a phase: Caffe's ``include`` and ``exclude`` rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.caffe.schema import TEST, TRAIN, LayerParameter, NetParameter, NetState, NetStateRule
from edgeage.errors import ModelError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["filter_net"]

_PHASES = {"TRAIN": TRAIN, "TEST": TEST}


def filter_net(
    net: NetParameter,
    phase: str,
    *,
    level: int | None = None,
    stages: Iterable[str] | None = None,
) -> NetParameter:
    """Return the network as it is in one phase, as Caffe's ``Net::FilterNet`` does.

    A layer is in when it has no rules, when any of its ``include`` rules holds, or when none of
    its ``exclude`` rules does.

    Args:
        net: the network with all its layers; left as it is.
        phase: ``"TRAIN"`` or ``"TEST"``.
        level: the state's level; the network's own ``state`` by default.
        stages: the state's stages; the network's own ``state`` by default.

    Returns:
        A copy with the layers of that phase, its ``state`` set accordingly.

    Raises:
        UsageError: for an unknown phase.
        ModelError: when a layer has both kinds of rules.

    Source:
        ``Net::FilterNet`` and ``Net::StateMeetsRule`` in Caffe's ``net.cpp``.
    """
    if phase not in _PHASES:
        raise UsageError(f"unknown phase «{phase}»; expected TRAIN or TEST" + _near(phase))
    result = NetParameter()
    result.CopyFrom(net)
    result.state.phase = _PHASES[phase]
    if level is not None:
        result.state.level = level
    if stages is not None:
        result.state.stage[:] = list(stages)
    kept = [layer for layer in net.layer if _is_in(layer, result.state)]
    result.ClearField("layer")
    result.layer.extend(kept)
    return result


def _near(phase: str) -> str:
    return did_you_mean(phase.upper(), _PHASES)


def _is_in(layer: LayerParameter, state: NetState) -> bool:
    if layer.include and layer.exclude:
        raise ModelError(
            f"layer «{layer.name}» has both include and exclude rules; Caffe takes one kind"
        )
    if layer.include:
        return any(_holds(rule, state) for rule in layer.include)
    return not any(_holds(rule, state) for rule in layer.exclude)


def _holds(rule: NetStateRule, state: NetState) -> bool:
    stages = set(state.stage)
    return (
        (not rule.HasField("phase") or rule.phase == state.phase)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and stages.issuperset(rule.stage)
        and stages.isdisjoint(rule.not_stage)
    )
