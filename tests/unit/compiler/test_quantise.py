"""NNCF does what is asked, says nothing, and leaves the process as it was."""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import subprocess
import sys

import numpy as np
import pytest

from edgeage.compiler import find_model
from edgeage.compiler.calibration import read_split
from edgeage.compiler.compile import trained_graph
from edgeage.compiler.layererrors import float_layers
from edgeage.compiler.profiles import read_profile
from edgeage.compiler.quantise import quantise, require_nncf
from edgeage.errors import MissingDependencyError, ModelError
from edgeage.runtime.core import openvino_core

# Not importorskip: the first import must be the package's own, which is what is tested.
if importlib.util.find_spec("nncf") is None:
    pytest.skip("nncf is not installed", allow_module_level=True)


@pytest.fixture
def job(sided_model, sided_data):
    """``job(outlier, control)`` makes a graph and the faces to quantise it with."""

    def make(outlier=0.0, *, control=False):
        trained = find_model(sided_model(outlier))
        graph = trained_graph(trained, read_profile("CPU", "FP32"))
        return graph, read_split(sided_data, trained.manifest, 20, control=control)

    return make


def _run(graph, batch):
    compiled = openvino_core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.concatenate([np.array(compiled([pixels[None]])[0]) for pixels in batch])


def _types(graph):
    return [str(node.get_element_type().get_type_name()) for node in graph.get_ordered_ops()]


def test_weights_become_bytes_and_answers_stay(job):
    graph, split = job()
    made = quantise(graph, split, max_drop=0.5)
    assert _types(made).count("i8") == 3
    assert "i8" not in _types(graph)
    assert float_layers(made) == []
    batch = split.calibration.batch
    np.testing.assert_allclose(_run(made, batch), _run(graph, batch), atol=0.02)


def test_accuracy_control_leaves_in_float_what_eight_bits_cannot_hold(job):
    graph, split = job(outlier=1e6, control=True)
    made = quantise(graph, split, max_drop=0.5)
    assert float_layers(made) == ["fc3"]
    right = _run(made, split.control.batch).argmax(axis=1) == split.control.labels
    assert right.all()


def test_accuracy_control_reverts_nothing_when_nothing_is_lost(job):
    graph, split = job(control=True)
    assert float_layers(quantise(graph, split, max_drop=0.0)) == []


def test_says_nothing_but_its_progress(job, capfd, caplog):
    seen = []
    graph, split = job(control=True)
    caplog.set_level(logging.INFO, "edgeage")
    quantise(graph, split, max_drop=0.5, on_progress=lambda *step: seen.append(step))
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert seen == [(done, 20) for done in range(1, 21)]


def test_leaves_bars_and_logs_as_they_were(job):
    require_nncf()
    import rich

    console, handlers = dict(vars(rich.get_console())), list(logging.getLogger("nncf").handlers)
    graph, split = job()
    quantise(graph, split, max_drop=0.5)
    assert vars(rich.get_console()) == console
    assert logging.getLogger("nncf").handlers == handlers


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the stack's layout is Linux's")
def test_signals_are_handled_where_they_were(job):
    openvino_core().get_property("CPU", "FULL_DEVICE_NAME")
    before = _signal_stack()
    graph, split = job(outlier=1e6, control=True)
    quantise(graph, split, max_drop=0.5)
    assert _signal_stack() == before


def _signal_stack():
    """The address and the size of the stack on which this thread handles signals."""
    fields = (ctypes.c_void_p * 3)()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(fields)) == 0
    return fields[0], fields[2]


def test_the_import_reports_to_nobody_and_changes_no_other_logger():
    program = (
        "import logging, sys; from edgeage.compiler.quantise import require_nncf;"
        "nncf = require_nncf(); import nncf.telemetry;"
        "assert type(nncf.telemetry.telemetry).__module__ == 'unittest.mock';"
        "assert logging.getLoggerClass() is logging.Logger;"
        "assert sys.modules.get('openvino_telemetry', 1) is not None"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_missing_nncf_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingDependencyError, match=r"«nncf» .* pip install 'edgeage\[int8\]'"):
        require_nncf()


def test_what_nncf_refuses_is_one_line_of_ours(job, monkeypatch):
    graph, split = job()
    nncf = require_nncf()

    def refuse(*_arguments, **_options):
        raise nncf.ValidationError("no such\n thing")

    monkeypatch.setattr(nncf, "quantize", refuse)
    with pytest.raises(ModelError, match="^NNCF cannot quantise the network: no such thing$"):
        quantise(graph, split, max_drop=0.5)
    assert logging.getLogger("nncf").handlers


def test_an_interrupted_quantisation_restores_the_log(job):
    graph, split = job()
    handlers = logging.getLogger("nncf").handlers

    def stop(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantise(graph, split, max_drop=0.5, on_progress=stop)
    assert logging.getLogger("nncf").handlers is handlers


@pytest.mark.parametrize(("saturates", "narrow"), [(True, 3), (False, 1)])
def test_weights_have_seven_bits_where_sums_of_bytes_saturate(job, monkeypatch, saturates, narrow):
    monkeypatch.setattr("edgeage.compiler.quantise.adds_bytes_in_sixteen_bits", lambda: saturates)
    made = quantise(*job(), max_drop=100.0, correct_biases=False)
    largest = [
        np.abs(node.get_data().astype(int)).max()
        for node in made.get_ordered_ops()
        if node.get_type_name() == "Constant" and node.get_element_type().to_string() == "i8"
    ]
    assert len(largest) == 3
    assert sum(value <= 64 for value in largest) == narrow
