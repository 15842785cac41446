"""What OpenVINO is told when it opens a device, from what the user and the model ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeage.processor import single_is_quicker
from edgeage.runtime.devices import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeage.runtime.options import RuntimeOptions

__all__ = ["device_properties"]

_LISTS = ("AUTO", "MULTI", "HETERO")


def device_properties(
    device: str, options: RuntimeOptions, own: Mapping[str, str]
) -> dict[str, Any]:
    """Return the properties a network is compiled with.

    Args:
        device: the device's name as :func:`edgeage.runtime.devices.device_name` spells it.
        options: the user's choices.
        own: the model's (``Manifest.options``), which come before the rest.

    >>> from edgeage.runtime.options import RuntimeOptions
    >>> device_properties("GPU", RuntimeOptions("throughput", streams=2), {})
    {'PERFORMANCE_HINT': 'THROUGHPUT', 'NUM_STREAMS': 2}
    """
    common = {"PERFORMANCE_HINT": options.mode.upper()}
    each = {"CPU": _of_cpu(options), "GPU": _of_any(options)}
    kind = kind_of(device)
    if kind not in _LISTS:
        return {**common, **each.get(kind, {}), **own}
    told = {name: {**chosen, **own} for name, chosen in each.items() if chosen}
    return {**common, **own, **({"DEVICE_PROPERTIES": told} if told else {})}


def _of_any(options: RuntimeOptions) -> dict[str, Any]:
    return {} if options.streams is None else {"NUM_STREAMS": options.streams}


def _of_cpu(options: RuntimeOptions) -> dict[str, Any]:
    chosen = _of_any(options)
    if options.threads is not None:
        chosen["INFERENCE_NUM_THREADS"] = options.threads
    if single_is_quicker():
        chosen["INFERENCE_PRECISION_HINT"] = "f32"
    return chosen
