"""Two networks that begin with the same layers become one, whose beginning runs once.

AgeNet and GenderNet trained together differ in their last layer alone; running both as they are
would compute everything else twice.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov

from edgeage.runtime.backend import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgeage.manifest import Manifest

__all__ = ["joined_manifest", "joined_model", "separated"]

_WORK = ("Convolution", "GroupConvolution", "MatMul")


def joined_manifest(manifests: Sequence[Manifest]) -> Manifest:
    """Describe several networks as one, whose outputs have the networks' names before their own."""
    outputs = [
        dataclasses.replace(output, name=_joined_name(manifest, output.name))
        for manifest in manifests
        for output in manifest.outputs
    ]
    name = "+".join(manifest.name for manifest in manifests)
    return dataclasses.replace(manifests[0], name=name, outputs=tuple(outputs))


def separated(answer: Answer, manifest: Manifest) -> Answer:
    """Return what one of the networks in a joined one says.

    Args:
        answer: of the network that :func:`joined_manifest` describes.
        manifest: the one network's.
    """
    outputs = {
        output.name: answer.outputs[_joined_name(manifest, output.name)]
        for output in manifest.outputs
    }
    return Answer(outputs, answer.devices)


def _joined_name(manifest: Manifest, output: str) -> str:
    return f"{manifest.name}/{output}"


def joined_model(first: Any, second: Any, name: str) -> Any | None:
    """Join two networks where they agree: same operations, same settings, same numbers.

    Args:
        first: ``openvino.Model`` with one input; the result keeps its layers.
        second: likewise; what it has beyond the common beginning is taken over, so it cannot be
            used any more.
        name: put before the names of what is taken over.

    Returns:
        A model with the outputs of the first and then those of the second, which answers what
        both answered; None where no convolution or matrix product is common to them, and then
        both are as they were.
    """
    twins = _twins(first, second)
    if not any(node.get_type_name() in _WORK for node in twins.values()):
        return None
    for node in second.get_ordered_ops():
        if node.get_name() in twins:
            continue
        node.set_friendly_name(f"{name}/{node.get_friendly_name()}")
        for port in node.inputs():
            source = port.get_source_output()
            if twin := twins.get(source.get_node().get_name()):
                port.replace_source_output(twin.output(source.get_index()))
        if node.get_type_name() == "Result":
            continue
        for output in node.outputs():
            output.get_tensor().set_names({f"{name}/{known}" for known in output.get_names()})
    results = [*first.get_results(), *second.get_results()]
    return ov.Model(results, first.get_parameters(), first.get_friendly_name())


def _twins(first: Any, second: Any) -> dict[str, Any]:
    """Return, by the name of a node of the second network, the first's node that equals it."""
    if len(first.inputs) != 1 or len(second.inputs) != 1:
        return {}
    one, other = first.get_parameters()[0], second.get_parameters()[0]
    if _form(one) != _form(other):
        return {}
    twins = {other.get_name(): one}
    for node in second.get_ordered_ops():
        for candidate in _candidates(node, twins):
            if _equal(node, candidate, twins):
                twins[node.get_name()] = candidate
                break
    return twins


def _form(parameter: Any) -> tuple[str, str]:
    return str(parameter.get_partial_shape()), str(parameter.get_element_type())


def _candidates(node: Any, twins: dict[str, Any]) -> Iterator[Any]:
    """Yield what takes the same values in the first network as a node of the second does."""
    if node.get_name() in twins or node.get_type_name() == "Result":
        return
    for port in node.inputs():
        source = port.get_source_output()
        if twin := twins.get(source.get_node().get_name()):
            for target in twin.output(source.get_index()).get_target_inputs():
                yield target.get_node()
            return


def _equal(node: Any, candidate: Any, twins: dict[str, Any]) -> bool:
    if twin := twins.get(node.get_name()):
        return bool(twin.get_name() == candidate.get_name())
    if node.get_type_info() != candidate.get_type_info():
        return False
    if node.get_type_name() == "Constant":
        return _same_numbers(node, candidate)
    if node.get_type_name() == "Parameter" or node.get_attributes() != candidate.get_attributes():
        return False
    ends, others = node.input_values(), candidate.input_values()
    return len(ends) == len(others) and all(
        end.get_index() == other.get_index() and _equal(end.get_node(), other.get_node(), twins)
        for end, other in zip(ends, others, strict=True)
    )


def _same_numbers(one: Any, other: Any) -> bool:
    if one.get_element_type() != other.get_element_type() or one.shape != other.shape:
        return False
    # As bytes: what is no number is equal to itself too, and no type needs a reading of its own.
    return bool(np.array_equal(_bytes(one), _bytes(other)))


def _bytes(constant: Any) -> np.ndarray:
    values: np.ndarray = np.ascontiguousarray(constant.data)
    return values.reshape(-1).view(np.uint8)
