"""Post-training quantisation with NNCF, which is imported here only, and kept quiet.

An activation's range is the smallest and largest number the calibration faces make of it: NNCF's
own choice, the mean of each face's largest, cuts off what these networks decide by. AgeNet's and
GenderNet's biases are not corrected, which in networks of so few layers moves more decisions than
it saves; in deeper ones it takes out a part of what the layers' errors add up to. docs/int8.md has
the figures.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import ModelError, one_line, require
from edgeage.processor import adds_bytes_in_sixteen_bits
from edgeage.runtime.core import openvino_core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from edgeage.compiler.calibration import Faces, Split

__all__ = ["WEIGHTED", "allowed_faces", "quantise", "require_nncf"]

WEIGHTED = ("Convolution", "GroupConvolution", "MatMul")
"""OpenVINO's types of layers with weights, which are quantised."""

_LOGGER = logging.getLogger(__name__)
_TELEMETRY = "openvino_telemetry"


def quantise(
    graph: Any,
    split: Split,
    *,
    max_drop: float,
    device: str = "CPU",
    correct_biases: bool = False,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> Any:
    """Quantise a graph's convolutions and inner products to INT8.

    Weights are symmetric with a scale an output channel, activations with a scale a tensor.
    Everything else stays in floating point, local response normalisation among it.

    With faces for accuracy control NNCF puts back to float, one by one, the layer with which most
    of them are decided rightly, until no more than allowed are wrong or no layer is left.

    Args:
        graph: ``openvino.Model`` of :func:`edgeage.compiler.graph.build_graph`, in single
            precision; it is not changed.
        split: the faces.
        max_drop: percentage points of accuracy that may be lost on the faces for control.
        device: the device it is for; layers are chosen on the CPU in any case.
        correct_biases: shift each layer's bias by what quantisation moves its mean.
        on_progress: told how many of how many calibration faces are done.

    Returns:
        ``openvino.Model`` with the same input and output.

    Raises:
        MissingDependencyError: when NNCF is not installed.
        ModelError: when NNCF cannot quantise it.
    """
    with _quiet_nncf() as nncf, _our_core(), _translated(nncf):
        known = nncf.TargetDevice.__members__
        advanced = _advanced(nncf, correct_biases=correct_biases)
        data = nncf.Dataset(_Counted(_rows(split.calibration), on_progress))
        given = {
            "subset_size": len(split.calibration),
            "preset": nncf.QuantizationPreset.PERFORMANCE,
            "target_device": known.get(device, nncf.TargetDevice.ANY),
            "ignored_scope": nncf.IgnoredScope(
                names=[*_around_normalisations(graph), *_divisors(graph)]
            ),
        }
        if not len(split.control):
            return nncf.quantize(graph, data, advanced_parameters=advanced, **given)
        pairs = list(zip(_rows(split.control), split.control.labels.tolist(), strict=True))
        return nncf.quantize_with_accuracy_control(
            graph,
            data,
            nncf.Dataset(pairs, lambda pair: pair[0]),
            _right_and_shares,
            max_drop=allowed_faces(max_drop, len(pairs)) + 0.5,
            drop_type=nncf.DropType.ABSOLUTE,
            advanced_quantization_parameters=advanced,
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                num_ranking_workers=1
            ),
            **given,
        )


def allowed_faces(max_drop: float, faces: int) -> int:
    """Return how many more of ``faces`` may be wrong when ``max_drop`` points may be lost.

    >>> allowed_faces(0.5, 549), allowed_faces(0.5, 200), allowed_faces(0.5, 199)
    (2, 1, 0)
    """
    return int(max_drop * faces / 100 + 1e-9)


def require_nncf() -> ModuleType:
    """Import NNCF without what the import does besides.

    It reports every use to its makers unless the package that does so is missing, and makes its
    own class that of every logger the process has from there on.

    Raises:
        MissingDependencyError: when it is not installed.
    """
    telemetry = sys.modules.get(_TELEMETRY)
    logger_class = logging.getLoggerClass()
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        return require("nncf", extra="int8", purpose="quantise to INT8")
    finally:
        logging.setLoggerClass(logger_class)
        del sys.modules[_TELEMETRY]
        if telemetry is not None:
            sys.modules[_TELEMETRY] = telemetry


def _advanced(nncf: Any, *, correct_biases: bool) -> Any:
    from nncf.quantization.advanced_parameters import OverflowFix
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    narrow = adds_bytes_in_sixteen_bits()
    return nncf.AdvancedQuantizationParameters(
        overflow_fix=OverflowFix.ENABLE if narrow else OverflowFix.FIRST_LAYER,
        disable_bias_correction=not correct_biases,
        activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
    )


def _around_normalisations(graph: Any) -> list[str]:
    """Name what scales a local response normalisation's input and its answer.

    Multiplications are quantised as a rule; here that would round what the normalisation squares.
    """
    found = []
    for node in graph.get_ordered_ops():
        if node.get_type_name() == "LRN":
            after = [place.get_node() for place in node.output(0).get_target_inputs()]
            found += [node.input(0).get_source_output().get_node(), *after]
    return [node.get_friendly_name() for node in found if node.get_type_name() == "Multiply"]


def _divisors(graph: Any) -> list[str]:
    """Name what computes the divisors of divisions, back to the layers with weights among them.

    A divisor's step of eight bits moves the quotient by any amount, as in SSR-Net's regression.
    """
    found: dict[str, Any] = {}
    ahead = [n.input_value(1) for n in graph.get_ordered_ops() if n.get_type_name() == "Divide"]
    while ahead:
        node = ahead.pop().get_node()
        name = node.get_friendly_name()
        if name in found or node.get_type_name() in ("Constant", "Parameter"):
            continue
        found[name] = node
        if node.get_type_name() not in WEIGHTED:
            ahead += node.input_values()
    return list(found)


def _right_and_shares(
    compiled: Any, pairs: Iterable[tuple[np.ndarray, int]]
) -> tuple[float, list[float]]:
    """Return how many faces are decided rightly, and the probability of each one's own class.

    The mean of these probabilities, a quarter at most, ranks layers that decide as many rightly;
    half a face more than allowed makes up for it. One number a face also makes NNCF rank by this
    measure: by probabilities, its other way, 3.4 reverts the least helpful layer first.
    """
    items = [(np.array(compiled(pixels)[0]).reshape(-1), label) for pixels, label in pairs]
    right = sum(int(found.argmax()) == label for found, label in items)
    shares = [float(found[label]) for found, label in items]
    return right + sum(shares) / len(shares) / 4, shares


def _rows(faces: Faces) -> list[np.ndarray]:
    return [faces.batch[place : place + 1] for place in range(len(faces))]


class _Counted:
    """A sequence that tells how many of its items have been handed out."""

    def __init__(
        self, items: list[np.ndarray], on_progress: Callable[[int, int | None], None] | None
    ) -> None:
        self._items, self._on_progress, self._done = items, on_progress, 0

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[np.ndarray]:
        for item in self._items:
            self._done += 1
            if self._on_progress and self._done <= len(self):
                self._on_progress(self._done, len(self))
            yield item


@contextlib.contextmanager
def _translated(nncf: Any) -> Iterator[None]:
    """Turn what NNCF and OpenVINO raise into one line of ours."""
    own = [
        k for k in vars(nncf.errors).values() if isinstance(k, type) and issubclass(k, Exception)
    ]
    kinds: tuple[type[Exception], ...] = (*own, RuntimeError, ValueError, TypeError)
    try:
        yield
    except kinds as error:
        raise ModelError(f"NNCF cannot quantise the network: {one_line(error)}") from error


@contextlib.contextmanager
def _quiet_nncf() -> Iterator[ModuleType]:
    """Import NNCF; while the block runs its bars are hidden and its log goes to ours.

    Raises:
        MissingDependencyError: when it is not installed.
    """
    nncf = require_nncf()
    import rich

    logger, console = logging.getLogger("nncf"), rich.get_console()
    handlers, state = logger.handlers, console.__dict__
    logger.handlers = [_Forward(logging.INFO)]
    rich.reconfigure(quiet=True, force_terminal=False)
    try:
        yield nncf
    finally:
        logger.handlers, console.__dict__ = handlers, state


@contextlib.contextmanager
def _our_core() -> Iterator[None]:
    """Have NNCF run its networks on the process's core while the block runs.

    It makes one for each and lets them go in any order, which leaves the thread without a stack
    for its signals; see :func:`edgeage.runtime.core.openvino_core`.
    """
    import openvino as ov

    theirs = ov.Core, ov.compile_model
    ov.Core, ov.compile_model = openvino_core, openvino_core().compile_model
    try:
        yield
    finally:
        ov.Core, ov.compile_model = theirs


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _LOGGER.debug("NNCF: %s", record.getMessage())
