"""Caffe's protobuf messages as Python classes, made at import from our own field tables.

The classes live in a descriptor pool of their own, so they work with every protobuf from 4 on
and never clash with a real ``caffe`` in the same process. Fields have the public names and
numbers (BVLC Caffe 1.0): ``NetParameter().layer[0].convolution_param.num_output``. Enum
constants are class attributes: ``PoolingParameter.MAX``, ``NetState.phase`` takes ``TRAIN`` or
``TEST`` of this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from edgeage.caffe.layerfields import LAYER_MESSAGES, MessageFields
from edgeage.caffe.netfields import NET_ENUMS, NET_MESSAGES

__all__ = [
    "TEST",
    "TRAIN",
    "BlobNumbers",
    "BlobProto",
    "Datum",
    "LayerParameter",
    "LossParameter",
    "NetParameter",
    "NetState",
    "NetStateRule",
    "PoolingParameter",
    "SolverParameter",
    "SolverState",
    "V1LayerParameter",
]

_PACKAGE = "caffe"
_Field = descriptor_pb2.FieldDescriptorProto

TRAIN, TEST = 0, 1


def _add_enum(holder: Any, name: str, values: str) -> None:
    enum = holder.enum_type.add(name=name)
    for number, value in enumerate(values.split()):
        enum.value.add(name=value, number=number)


def _add_field(message: Any, text: str, enums: set[str]) -> None:
    name, rest = text.split("=", 1)
    number, rest = rest.split(":", 1)
    kind, _, default = rest.partition("=")
    kind, repeated, packed = kind.partition("*")
    field = message.field.add(name=name, number=int(number))
    field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    if packed:
        field.options.packed = True
    if default:
        field.default_value = default
    if kind in enums:
        nested = f"{message.name}." if kind not in NET_ENUMS else ""
        field.type, field.type_name = _Field.TYPE_ENUM, f".{_PACKAGE}.{nested}{kind}"
    elif kind[0].isupper():
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = _Field.Type.Value(f"TYPE_{kind.upper()}")


def _build(messages: dict[str, MessageFields]) -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="edgeage/caffe.proto", package=_PACKAGE)
    for name, values in NET_ENUMS.items():
        _add_enum(file, name, values)
    for name, (fields, enums) in messages.items():
        message = file.message_type.add(name=name)
        for enum, values in enums.items():
            _add_enum(message, enum, values)
        for text in fields.split():
            _add_field(message, text, {*enums, *NET_ENUMS})
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in messages
    }


_CLASSES = _build({**LAYER_MESSAGES, **NET_MESSAGES})

if TYPE_CHECKING:
    from google.protobuf.message import Message

    class _CaffeMessage(Message):
        """What the type checker knows of a message: every field is there, of any type."""

        def __init__(self, **fields: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    class BlobProto(_CaffeMessage):
        """An array; ``data`` is a list of byte strings of little-endian float32."""

    class BlobNumbers(_CaffeMessage):
        """A ``BlobProto`` whose numbers are read one by one, packed or not."""

    class Datum(_CaffeMessage):
        """One record of a data set: a picture and its label."""

    class LayerParameter(_CaffeMessage):
        """One layer, ``layer { … }`` in a prototxt.

        Source:
            ``message LayerParameter`` in BVLC Caffe 1.0's ``caffe.proto``.
        """

    class LossParameter(_CaffeMessage):
        """How a loss is normalised, and the ``NormalizationMode`` constants."""

    class NetParameter(_CaffeMessage):
        """A network: a prototxt, or with the layers' blobs a caffemodel.

        Source:
            ``message NetParameter`` in BVLC Caffe 1.0's ``caffe.proto``.
        """

    class NetState(_CaffeMessage):
        """The phase, level and stages a network is built for."""

    class NetStateRule(_CaffeMessage):
        """One ``include`` or ``exclude`` rule of a layer."""

    class PoolingParameter(_CaffeMessage):
        """A pooling layer's window, and the ``PoolMethod`` constants."""

    class SolverParameter(_CaffeMessage):
        """How a network is trained: a solver prototxt.

        Source:
            ``message SolverParameter`` in BVLC Caffe 1.0's ``caffe.proto``.
        """

    class SolverState(_CaffeMessage):
        """A solver's snapshot: iteration and momentum history."""

    class V1LayerParameter(_CaffeMessage):
        """One layer in the syntax before Caffe 1.0, ``layers { … }``."""

else:
    BlobNumbers = _CLASSES["BlobNumbers"]
    BlobProto = _CLASSES["BlobProto"]
    Datum = _CLASSES["Datum"]
    LayerParameter = _CLASSES["LayerParameter"]
    LossParameter = _CLASSES["LossParameter"]
    NetParameter = _CLASSES["NetParameter"]
    NetState = _CLASSES["NetState"]
    NetStateRule = _CLASSES["NetStateRule"]
    PoolingParameter = _CLASSES["PoolingParameter"]
    SolverParameter = _CLASSES["SolverParameter"]
    SolverState = _CLASSES["SolverState"]
    V1LayerParameter = _CLASSES["V1LayerParameter"]
