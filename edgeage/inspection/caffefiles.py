"""What a mean, a prototxt or a solverstate says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage import caffe
from edgeage.errors import MeanError, ModelError
from edgeage.inspection.finding import Finding, Table

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["describe_mean", "describe_prototxt", "describe_solverstate"]

_NPY_MAGIC = b"\x93NUMPY"


def describe_mean(path: Path) -> Finding:
    """Explain a mean and say whether it can be one in BGR order.

    Raises:
        MeanError: when it is damaged.
    """
    mean = caffe.read_mean(path)
    with path.open("rb") as stream:
        form = ".npy" if stream.read(6) == _NPY_MAGIC else ".binaryproto"
    channels = mean.shape[0] if mean.ndim in (1, 3) else 0
    facts: dict[str, Any] = {
        "format": form,
        "shape": list(mean.shape),
        "smallest": float(mean.min()) if mean.size else None,
        "largest": float(mean.max()) if mean.size else None,
        "channel_means": [round(float(mean[place].mean()), 3) for place in range(min(channels, 4))],
        "mean_sha256": caffe.mean_sha256(mean),
    }
    notes = []
    try:
        fits = (3,) if mean.size == 3 else (3, *mean.shape[-2:])
        caffe.check_mean(mean.reshape(3) if mean.size == 3 else mean, fits)
        facts["order"] = _order(mean)
    except MeanError as error:
        facts["order"] = None
        notes.append(str(error))
    summary = f"mean of shape {'×'.join(map(str, mean.shape))}"
    return Finding(path, "mean", summary, facts, notes=tuple(notes))


def _order(mean: np.ndarray) -> str:
    """Say what the channels' middles tell: faces are redder than blue."""
    first, _, last = mean.reshape(3, -1).mean(axis=1)
    if last - first > 1:
        return "BGR, as expected (channel 2 is brighter than channel 0, as red is on faces)"
    return "cannot be told (its channels are alike); BGR is expected"


def describe_prototxt(path: Path) -> Finding:
    """Explain a network or a solver.

    Raises:
        ModelError: when it is neither, with the place of the mistake.
    """
    try:
        net = caffe.read_net(path)
    except ModelError as no_net:
        try:
            return _solver(path)
        except ModelError as no_solver:
            # The reader that came further knows better what the text wanted to be.
            error = max(no_net, no_solver, key=lambda error: _reached(str(error), path))
            raise ModelError(f"{error}; it was read as a Caffe network or solver") from None
    if not net.layer:
        raise ModelError(f"{path} is text without a layer; expected a Caffe network or solver")
    return _net(path, net)


def _reached(message: str, path: Path) -> tuple[int, ...]:
    place = message.removeprefix(f"{path}:").split(": ")[0].split(":")
    return (*(int(part) for part in place if part.isdecimal()), "did you mean" in message)


def _net(path: Path, net: Any) -> Finding:
    rows = [
        (
            str(layer.name),
            str(layer.type),
            list(layer.bottom),
            list(layer.top),
            [rule for rule in ("TRAIN", "TEST") if _in_phase(net, layer, rule)],
        )
        for layer in net.layer
    ]
    inputs = {
        name: list(layer.input_param.shape[min(place, len(layer.input_param.shape) - 1)].dim)
        for layer in net.layer
        if layer.type == "Input" and layer.input_param.shape
        for place, name in enumerate(layer.top)
    }
    data = [layer.name for layer in net.layer if layer.type.endswith("Data")]
    kind = "training network" if data else "deploy network"
    facts = {
        "network": str(net.name),
        "inputs": inputs,
        "data_layers": data,
        "outputs": _outputs(net),
        "layer_types": sorted({str(layer.type) for layer in net.layer}),
    }
    table = Table("layers", ("name", "type", "bottom", "top", "phases"), tuple(rows))
    summary = f"Caffe {kind}, {len(net.layer)} layers"
    return Finding(path, "net", summary, facts, (table,))


def _in_phase(net: Any, layer: Any, phase: str) -> bool:
    alone = caffe.NetParameter(state=net.state, layer=[layer])
    return bool(caffe.filter_net(alone, phase).layer)


def _outputs(net: Any) -> list[str]:
    """Return the blobs no layer reads."""
    read = {name for layer in net.layer for name in layer.bottom}
    tops = [name for layer in net.layer for name in layer.top if name not in read]
    return list(dict.fromkeys(tops))


def _solver(path: Path) -> Finding:
    solver = caffe.read_solver(path)
    if not solver.ListFields():
        raise ModelError(f"{path} is text without a field; expected a Caffe network or solver")
    facts = {field.name: _plain(field, value) for field, value in solver.ListFields()}
    return Finding(path, "solver", "Caffe solver", facts)


def _plain(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return "written inside the solver"
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    if isinstance(value, float):
        return float(f"{value:.7g}")
    return value if isinstance(value, int | str) else list(value)


def describe_solverstate(path: Path) -> Finding:
    """Explain a solver's snapshot.

    Raises:
        ModelError: when it is damaged.
    """
    state = caffe.read_solverstate(path)
    learned = path.parent / state.learned_net.replace("\\", "/").rsplit("/", 1)[-1]
    facts = {
        "iteration": state.iter,
        "learned_net": state.learned_net,
        "current_step": state.current_step,
        "history_blobs": len(state.history),
        "history_numbers": sum(blob.size for blob in state.history),
    }
    rows = [
        (place, "×".join(map(str, blob.shape)), float(np.abs(blob).max(initial=0)))
        for place, blob in enumerate(state.history)
    ]
    notes = []
    if state.learned_net and not learned.is_file():
        notes.append(f"its weights, {learned.name}, are not beside it; resuming needs them")
    table = Table("history", ("blob", "shape", "largest_magnitude"), tuple(rows))
    return Finding(
        path,
        "solverstate",
        f"snapshot of a Caffe solver at iteration {state.iter:,}",
        facts,
        (table,),
        tuple(notes),
    )
