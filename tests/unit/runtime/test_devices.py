"""Which runtime a device's name leads to, and which models."""

from __future__ import annotations

import contextlib
import logging

import pytest

from edgeage import Predictor
from edgeage.compiler import released
from edgeage.errors import ToolchainError, UsageError
from edgeage.runtime.devices import open_backend
from edgeage.testing import FakeBackend


@pytest.mark.parametrize(
    ("device", "backend"),
    [
        ("MYRIAD", "MyriadBackend"),
        ("MYRIAD.1.2-ma2480", "MyriadBackend"),
        ("CPU", "OpenVINOBackend"),
        ("AUTO:GPU,CPU", "OpenVINOBackend"),
        ("MYRIADX", "OpenVINOBackend"),
    ],
)
def test_a_name_leads_to_its_runtime(device, backend):
    opened = open_backend(device)
    assert (type(opened).__name__, opened.device) == (backend, device)


def test_no_name_is_a_wrong_call():
    with pytest.raises(UsageError, match="expected a device, for example CPU or MYRIAD"):
        open_backend(" ")


class Bare(FakeBackend):
    """A device that brings no models along."""

    models = ()


@pytest.fixture
def asked(monkeypatch):
    """The targets the released models were asked for; there are none for MYRIAD."""
    targets = []

    @contextlib.contextmanager
    def models(target="CPU"):
        targets.append(target)
        if target == "MYRIAD":
            raise ToolchainError("no tools")
        yield list(FakeBackend().models)

    monkeypatch.setattr(released, "released_models", models)
    return targets


def test_the_device_decides_on_the_released_models(asked):
    Predictor(backend=Bare(device="OAK.19443010")).close()
    Predictor(backend=Bare(device="AUTO")).close()
    assert asked == ["OAK", "CPU"]


def test_without_those_for_the_stick_the_fallback_uses_its_own(asked, caplog):
    stick = Bare(device="MYRIAD")
    with Predictor(backend=stick, fallback=Bare(device="HERE")) as predictor:
        assert predictor.device == "HERE"
    assert asked == ["MYRIAD", "CPU"]
    assert stick.means == []
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert warnings == ["no tools; using HERE instead"]


def test_without_a_fallback_they_are_an_error(asked):
    with pytest.raises(ToolchainError, match="no tools"):
        Predictor(backend=Bare(device="MYRIAD"))
