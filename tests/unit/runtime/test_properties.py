"""What OpenVINO is told for which device, and on which CPUs bf16 is no gain."""

from __future__ import annotations

import pytest

from edgeage.runtime import properties
from edgeage.runtime.options import RuntimeOptions
from edgeage.runtime.properties import device_properties

ALL = RuntimeOptions("throughput", threads=3, streams=2)


@pytest.fixture(autouse=True)
def plain_cpu(monkeypatch):
    """A CPU on which OpenVINO chooses the precision itself."""
    monkeypatch.setattr(properties, "single_is_quicker", lambda: False)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("CPU", {"NUM_STREAMS": 2, "INFERENCE_NUM_THREADS": 3}),
        ("GPU.1", {"NUM_STREAMS": 2}),
        ("NPU", {}),
        (
            "AUTO:GPU,CPU",
            {
                "DEVICE_PROPERTIES": {
                    "CPU": {"NUM_STREAMS": 2, "INFERENCE_NUM_THREADS": 3},
                    "GPU": {"NUM_STREAMS": 2},
                }
            },
        ),
    ],
)
def test_each_device_is_told_what_it_knows(device, expected):
    assert device_properties(device, ALL, {}) == {"PERFORMANCE_HINT": "THROUGHPUT", **expected}


@pytest.mark.parametrize("device", ["CPU", "GPU", "NPU", "AUTO", "MULTI:GPU,CPU"])
def test_without_choices_there_is_the_mode_only(device):
    assert device_properties(device, RuntimeOptions(), {}) == {"PERFORMANCE_HINT": "LATENCY"}


def test_single_precision_where_that_is_quicker_but_never_against_the_model(monkeypatch):
    monkeypatch.setattr(properties, "single_is_quicker", lambda: True)
    hint = "INFERENCE_PRECISION_HINT"
    assert device_properties("CPU", RuntimeOptions(), {})[hint] == "f32"
    assert device_properties("CPU", RuntimeOptions(), {hint: "bf16"})[hint] == "bf16"
    assert hint not in device_properties("GPU", RuntimeOptions(), {})
    told = device_properties("AUTO", RuntimeOptions(), {})
    assert told["DEVICE_PROPERTIES"] == {"CPU": {hint: "f32"}}
    told = device_properties("AUTO", RuntimeOptions(), {hint: "bf16"})
    assert (told[hint], told["DEVICE_PROPERTIES"]["CPU"][hint]) == ("bf16", "bf16")
