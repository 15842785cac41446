"""Which runtime a device's name leads to, and which models."""

from __future__ import annotations

import contextlib
import logging
from types import SimpleNamespace

import pytest

from edgeage import Predictor
from edgeage.compiler import released
from edgeage.errors import DeviceNotFoundError, ToolchainError, UsageError
from edgeage.runtime import openvino
from edgeage.runtime.compiling import resolved_device
from edgeage.runtime.devices import is_pluggable, open_backend, target_of
from edgeage.runtime.options import RuntimeOptions
from edgeage.testing import FakeBackend


@pytest.mark.parametrize(
    ("asked", "backend", "name"),
    [
        ("MYRIAD", "MyriadBackend", "MYRIAD"),
        ("myriad.1.2-ma2480", "MyriadBackend", "MYRIAD.1.2-ma2480"),
        (" OAK.19443010D116 ", "OakBackend", "OAK.19443010D116"),
        ("oak.fe80::1", "OakBackend", "OAK.fe80::1"),
        ("CPU", "OpenVINOBackend", "CPU"),
        ("gpu.1", "OpenVINOBackend", "GPU.1"),
        ("AUTO", "OpenVINOBackend", "AUTO"),
        ("auto: gpu , cpu", "OpenVINOBackend", "AUTO:GPU,CPU"),
        ("AUTO:-NPU", "OpenVINOBackend", "AUTO:-NPU"),
        ("multi:gpu.0,gpu.1", "OpenVINOBackend", "MULTI:GPU.0,GPU.1"),
        ("HETERO:NPU,CPU", "OpenVINOBackend", "HETERO:NPU,CPU"),
    ],
)
def test_a_name_in_any_case_leads_to_its_runtime(asked, backend, name):
    opened = open_backend(asked)
    assert (type(opened).__name__, opened.device) == (backend, name)


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (" ", "expected a device, for example CPU or MYRIAD"),
        ("MYRIADX", "unknown device «MYRIADX»; expected AUTO, .*; did you mean «MYRIAD»?"),
        ("cuda", "unknown device «cuda»; expected .* or OAK$"),
        ("AUTO:GPU,CUP", "unknown device «AUTO:GPU,CUP».*did you mean «CPU»?"),
        ("MULTI", "«MULTI» names no devices; list them, for example MULTI:GPU,CPU"),
        ("hetero: ,", "«HETERO:,» names no devices"),
        ("multi:myriad,cpu", "«MULTI:MYRIAD,CPU» cannot hold MYRIAD: today's OpenVINO drives no"),
        ("HETERO:CPU,OAK", "cannot hold OAK"),
        ("AUTO:MULTI:GPU", "holds another list, MULTI"),
    ],
)
def test_what_cannot_be_a_device_is_a_wrong_call_and_says_why(device, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        open_backend(device)
    assert "\n" not in str(caught.value)


def test_another_vendors_plugin_is_a_device(monkeypatch):
    monkeypatch.setattr(openvino, "available_devices", lambda: ["CPU", "NVIDIA.0"])
    assert open_backend("nvidia.0").device == "NVIDIA.0"


def test_options_reach_openvino_and_leave_a_stick_alone():
    options = RuntimeOptions("throughput", threads=1)
    assert open_backend("CPU", options)._options is options
    assert open_backend("MYRIAD", options).device == "MYRIAD"


@pytest.mark.parametrize(
    ("device", "target"),
    [
        ("MYRIAD.1.2-ma2480", "MYRIAD"),
        ("oak", "OAK"),
        ("AUTO", "CPU"),
        ("CPU", "CPU"),
        ("gpu.1", "GPU"),
        ("AUTO:GPU", "GPU"),
        ("MULTI:GPU.0,GPU.1", "GPU"),
        ("MULTI:GPU,CPU", "CPU"),
        ("HETERO:NPU,CPU", "CPU"),
        ("AUTO:-GPU", "CPU"),
        ("NPU", "NPU"),
        ("FAKE", "CPU"),
    ],
)
def test_the_target_a_device_needs(device, target):
    assert target_of(device) == target
    assert is_pluggable(device) == (target in ("MYRIAD", "OAK"))


@pytest.mark.parametrize(
    ("requested", "here", "opened"),
    [
        ("AUTO", ["CPU"], "CPU"),
        ("AUTO", ["CPU", "GPU"], "AUTO"),
        ("AUTO:GPU,CPU", ["CPU"], "CPU"),
        ("AUTO:GPU,CPU", ["CPU", "GPU.0", "GPU.1"], "AUTO:GPU,CPU"),
        ("AUTO:NPU,GPU,CPU", ["CPU", "GPU"], "AUTO:GPU,CPU"),
        ("AUTO:-GPU", ["CPU", "GPU"], "CPU"),
        ("AUTO:-GPU", ["CPU", "GPU", "NPU"], "AUTO:-GPU"),
        ("GPU", ["CPU", "GPU.0", "GPU.1"], "GPU"),
        ("GPU.0", ["CPU", "GPU"], "GPU.0"),
        ("MULTI:GPU,CPU", ["CPU", "GPU"], "MULTI:GPU,CPU"),
    ],
)
def test_auto_takes_what_is_here(requested, here, opened):
    assert resolved_device(SimpleNamespace(available_devices=here), requested) == opened


@pytest.mark.parametrize(
    ("requested", "reason"),
    [
        ("GPU", "device «GPU» is not here; devices here: CPU, NPU"),
        ("AUTO:GPU", "device «AUTO:GPU» wants GPU, which is not here; devices here: CPU, NPU"),
        ("MULTI:GPU,CPU", "wants GPU, which is not here"),
        ("HETERO:GPU.1,NPU,CPU", "wants GPU.1, which is not here"),
    ],
)
def test_a_device_that_is_not_here_says_which_are(requested, reason):
    with pytest.raises(DeviceNotFoundError, match=reason):
        resolved_device(SimpleNamespace(available_devices=["CPU", "NPU"]), requested)


class Bare(FakeBackend):
    """A device that brings no models along."""

    models = ()


@pytest.fixture
def asked(monkeypatch):
    """The targets the released models were asked for; there are none for MYRIAD."""
    targets = []

    @contextlib.contextmanager
    def models(target="CPU", names=None):
        targets.append(target)
        if target == "MYRIAD":
            raise ToolchainError("no tools")
        yield list(FakeBackend().models)

    monkeypatch.setattr(released, "released_models", models)
    return targets


def test_the_device_decides_on_the_released_models(asked):
    Predictor(detector=None, backend=Bare(device="OAK.19443010")).close()
    Predictor(detector=None, backend=Bare(device="AUTO")).close()
    assert asked == ["OAK", "CPU"]


def test_without_those_for_the_stick_the_fallback_uses_its_own(asked, caplog):
    stick = Bare(device="MYRIAD")
    with Predictor(detector=None, backend=stick, fallback=Bare(device="HERE")) as predictor:
        assert predictor.device == "HERE"
    assert asked == ["MYRIAD", "CPU"]
    assert stick.means == []
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert warnings == ["no tools; using HERE instead"]


def test_without_a_fallback_they_are_an_error(asked):
    with pytest.raises(ToolchainError, match="no tools"):
        Predictor(detector=None, backend=Bare(device="MYRIAD"))
