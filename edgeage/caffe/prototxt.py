"""Networks and solvers as text: read and write prototxt files.

What is read is always brought to the modern syntax (:mod:`edgeage.caffe.upgrade`), so callers
see ``net.layer`` and string layer types only.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from edgeage.caffe.schema import NetParameter, SolverParameter
from edgeage.caffe.upgrade import upgrade_net, upgrade_solver
from edgeage.errors import ModelError, did_you_mean

__all__ = ["format_message", "parse_net", "parse_solver", "read_net", "read_solver"]

_M = TypeVar("_M", bound=Message)

_POSITION = re.compile(r"^\d+:\d+ : (?:'.*?': )?", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r'^Message type "caffe\.\w+" has no field named "(\w+)"')


def read_net(path: str | Path) -> NetParameter:
    """Read a network from a prototxt file.

    Args:
        path: a text file in either syntax, ``layer { … }`` or the older ``layers { … }``.

    Returns:
        The network in the modern syntax, layers in file order, all phases.

    Raises:
        ModelError: when the file is missing or is not a valid prototxt; a mistake in the text
            is named as ``file:line:column``.

    Source:
        ``NetParameter`` in Caffe's ``caffe.proto``; Protocol Buffers' text format.
    """
    return parse_net(_read_text(path), source=str(path))


def parse_net(text: str, *, source: str = "prototxt") -> NetParameter:
    """Read a network from a prototxt's text.

    Args:
        text: either syntax; deprecated ``input`` fields become an ``Input`` layer.
        source: name that stands before line and column in an error.

    Returns:
        The network in the modern syntax, layers in the text's order, all phases.

    Raises:
        ModelError: when the text is not a valid network.

    Source:
        ``NetParameter`` in Caffe's ``caffe.proto`` and ``UpgradeNetAsNeeded`` in its
        ``util/upgrade_proto.cpp``; Protocol Buffers' text format.

    >>> net = parse_net('layers { name: "relu1" type: RELU bottom: "a" top: "a" }')
    >>> net.layer[0].type
    'ReLU'
    """
    return upgrade_net(_parse(text, NetParameter(), source), source=source)


def read_solver(path: str | Path) -> SolverParameter:
    """Read a solver from a prototxt file.

    File names inside it (``net``, ``snapshot_prefix``) are left as written.

    Args:
        path: a text file; the older ``solver_type`` is read too.

    Returns:
        The solver in the modern syntax.

    Raises:
        ModelError: when the file is missing or is not a valid solver.

    Source:
        ``SolverParameter`` in Caffe's ``caffe.proto``; Protocol Buffers' text format.
    """
    return parse_solver(_read_text(path), source=str(path))


def parse_solver(text: str, *, source: str = "solver") -> SolverParameter:
    """Read a solver from a prototxt's text.

    The older ``solver_type: SGD`` becomes ``type: "SGD"``, and networks written inside the solver
    are upgraded too.

    Args:
        text: either syntax.
        source: name that stands before line and column in an error.

    Returns:
        The solver in the modern syntax.

    Raises:
        ModelError: when the text is not a valid solver.

    Source:
        ``SolverParameter`` in Caffe's ``caffe.proto`` and ``UpgradeSolverAsNeeded`` in its
        ``util/upgrade_proto.cpp``; Protocol Buffers' text format.

    >>> parse_solver('base_lr: 0.01 solver_type: NESTEROV').type
    'Nesterov'
    """
    return upgrade_solver(_parse(text, SolverParameter(), source), source=source)


def format_message(msg: Message) -> str:
    """Return a network or solver as prototxt text, fields in the order of their numbers.

    :func:`parse_net` and :func:`parse_solver` read it back to an equal message.

    Args:
        msg: a :class:`edgeage.caffe.NetParameter` or :class:`edgeage.caffe.SolverParameter`.

    Source:
        Protocol Buffers' text format.

    >>> print(format_message(parse_net('name: "tiny"')), end="")
    name: "tiny"
    """
    return text_format.MessageToString(msg, as_utf8=True)


def _read_text(path: str | Path) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ModelError(f"{path} is missing; expected a prototxt file there") from None
    except UnicodeDecodeError:
        raise ModelError(
            f"{path} is not text; expected a prototxt, found a binary file (a caffemodel?)"
        ) from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from None


def _parse(text: str, message: _M, source: str) -> _M:
    try:
        with warnings.catch_warnings():
            # Python only warns of an unknown escape such as "\d"; Caffe refuses it.
            warnings.simplefilter("error")
            return text_format.Parse(text, message)
    except text_format.ParseError as error:
        place = f"{source}:{error.GetLine() or 1}:{error.GetColumn() or 1}"
        raise ModelError(f"{place}: {_reason(str(error), message)}") from None
    except (ValueError, RecursionError, Warning) as error:
        raise ModelError(f"{source}: not a valid prototxt: {_one_line(str(error))}") from None


def _reason(text: str, root: Message) -> str:
    reason = _one_line(_POSITION.sub("", text))
    if unknown := _UNKNOWN_FIELD.match(reason):
        name = unknown[1]
        owner = reason.split('"')[1].removeprefix("caffe.")
        descriptor = root.DESCRIPTOR.file.message_types_by_name[owner]
        close = did_you_mean(name, descriptor.fields_by_name)
        return f"unknown field «{name}» in {owner}{close}"
    return reason.replace("caffe.", "")


def _one_line(text: str) -> str:
    return " ".join(text.split())
