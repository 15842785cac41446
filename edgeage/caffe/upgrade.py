"""Bring older Caffe networks and solvers to the syntax of Caffe 1.0.

Follows what Caffe itself does on loading (``upgrade_proto.cpp``): ``layers { … }`` to
``layer { … }``, data transformations out of the data layers' own parameters, deprecated
``input`` fields to an ``Input`` layer, and ``solver_type`` to ``type``.
"""

from __future__ import annotations

from edgeage.caffe.schema import LayerParameter, NetParameter, SolverParameter, V1LayerParameter
from edgeage.errors import ModelError

__all__ = ["upgrade_net", "upgrade_solver"]

_IRREGULAR_TYPES = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}
_SOLVER_TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
_TRANSFORM_FIELDS = ("scale", "mean_file", "crop_size", "mirror")
_SAME_IN_BOTH = ("name", "bottom", "top", "include", "exclude", "blobs", "loss_weight")


def upgrade_net(net: NetParameter, *, source: str) -> NetParameter:
    """Upgrade a network in place and return it.

    Args:
        net: as parsed, of either syntax.
        source: name of the file, for errors.

    Raises:
        ModelError: when it mixes both syntaxes, or has a layer older than both or inputs whose
            shapes do not fit.
    """
    if net.layers and net.layer:
        raise ModelError(
            f"{source} mixes «layers» (the older syntax) and «layer»; use «layer» throughout"
        )
    for old in net.layers:
        net.layer.append(_modern_layer(old, source))
    net.ClearField("layers")
    for layer in net.layer:
        _move_transformations(layer)
        _freeze_batch_norm(layer)
    _add_input_layer(net, source)
    return net


def upgrade_solver(solver: SolverParameter, *, source: str) -> SolverParameter:
    """Upgrade a solver in place, with the networks inside it, and return it.

    Raises:
        ModelError: when it names its type in both ways.
    """
    if solver.HasField("solver_type"):
        if solver.HasField("type"):
            raise ModelError(f"{source} has both «solver_type» and «type»; keep «type»")
        solver.type = _SOLVER_TYPES[solver.solver_type]
        solver.ClearField("solver_type")
    for field in ("net_param", "train_net_param"):
        if solver.HasField(field):
            upgrade_net(getattr(solver, field), source=source)
    for net in solver.test_net_param:
        upgrade_net(net, source=source)
    return solver


def _modern_type(old: V1LayerParameter, source: str) -> str:
    name: str = old.LayerType.Name(old.type)
    if name == "NONE":
        raise ModelError(
            f"{source}: layer «{old.name}» has no type; layers of the syntax before 2014 "
            "(«layers { layer { … } }») must be upgraded with Caffe's own tools first"
        )
    return _IRREGULAR_TYPES.get(name, "".join(word.capitalize() for word in name.split("_")))


def _modern_layer(old: V1LayerParameter, source: str) -> LayerParameter:
    layer = LayerParameter(type=_modern_type(old, source))
    for field, value in old.ListFields():
        if field.name in _SAME_IN_BOTH or field.name.endswith("_param"):
            _copy_field(value, layer, field.name)
    _copy_param_specs(old, layer)
    return layer


def _copy_field(value: object, layer: LayerParameter, name: str) -> None:
    target = getattr(layer, name)
    if hasattr(target, "CopyFrom"):
        target.CopyFrom(value)
    elif hasattr(target, "extend"):
        target.extend(value)
    else:
        setattr(layer, name, value)


def _copy_param_specs(old: V1LayerParameter, layer: LayerParameter) -> None:
    columns = {
        "name": old.param,
        "share_mode": old.blob_share_mode,
        "lr_mult": old.blobs_lr,
        "decay_mult": old.weight_decay,
    }
    for _ in range(max(len(values) for values in columns.values())):
        layer.param.add()
    for name, values in columns.items():
        for spec, value in zip(layer.param, values, strict=False):
            setattr(spec, name, value)


def _move_transformations(layer: LayerParameter) -> None:
    for name in ("data_param", "image_data_param"):
        if not layer.HasField(name):
            continue
        holder = getattr(layer, name)
        for field in _TRANSFORM_FIELDS:
            if holder.HasField(field):
                setattr(layer.transform_param, field, getattr(holder, field))
                holder.ClearField(field)


def _freeze_batch_norm(layer: LayerParameter) -> None:
    # The three blobs are running statistics, not weights; Caffe never lets a solver touch them.
    if layer.type == "BatchNorm" and len(layer.param) == 3:
        for spec in layer.param:
            spec.lr_mult = spec.decay_mult = 0.0


def _add_input_layer(net: NetParameter, source: str) -> None:
    names = list(net.input)
    shapes = [list(shape.dim) for shape in net.input_shape]
    if net.input_dim:
        if shapes or len(net.input_dim) != 4 * len(names):
            raise ModelError(
                f"{source}: expected 4 input_dim for each of {len(names)} inputs, or input_shape "
                f"instead; found {len(net.input_dim)} input_dim and {len(shapes)} input_shape"
            )
        dims = list(net.input_dim)
        shapes = [dims[start : start + 4] for start in range(0, len(dims), 4)]
    if shapes and len(shapes) not in (1, len(names)):
        raise ModelError(f"{source}: expected one shape an input, found {len(shapes)}")
    if names:
        layer = LayerParameter(name="input", type="Input", top=names)
        for shape in shapes:
            layer.input_param.shape.add(dim=shape)
        net.layer.insert(0, layer)
    for field in ("input", "input_dim", "input_shape"):
        net.ClearField(field)
