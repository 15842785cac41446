"""Caffe's file formats and nothing else: prototxt, caffemodel, solverstate, mean and Datum.

Everything public is importable from here and loaded on first use, so that reading a ``.npy``
mean does not load protobuf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.lazy import lazy_names

if TYPE_CHECKING:
    from edgeage.caffe.datum import decode_datum, encode_datum
    from edgeage.caffe.mean import check_mean, mean_sha256, read_mean, write_mean
    from edgeage.caffe.phases import filter_net
    from edgeage.caffe.prototxt import (
        format_message,
        parse_net,
        parse_solver,
        read_net,
        read_solver,
    )
    from edgeage.caffe.schema import LayerParameter, NetParameter, SolverParameter
    from edgeage.caffe.solverstate import SolverState, read_solverstate, write_solverstate
    from edgeage.caffe.weights import read_weights, write_weights

__all__ = [
    "LayerParameter",
    "NetParameter",
    "SolverParameter",
    "SolverState",
    "check_mean",
    "decode_datum",
    "encode_datum",
    "filter_net",
    "format_message",
    "mean_sha256",
    "parse_net",
    "parse_solver",
    "read_mean",
    "read_net",
    "read_solver",
    "read_solverstate",
    "read_weights",
    "write_mean",
    "write_solverstate",
    "write_weights",
]

_HOMES = {
    "datum": ("decode_datum", "encode_datum"),
    "mean": ("check_mean", "mean_sha256", "read_mean", "write_mean"),
    "phases": ("filter_net",),
    "prototxt": ("format_message", "parse_net", "parse_solver", "read_net", "read_solver"),
    "schema": ("LayerParameter", "NetParameter", "SolverParameter"),
    "solverstate": ("SolverState", "read_solverstate", "write_solverstate"),
    "weights": ("read_weights", "write_weights"),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
