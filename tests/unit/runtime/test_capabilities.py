"""What a device says of itself, and devices that do not."""

from __future__ import annotations

import json

import pytest

from edgeage.runtime.capabilities import Capabilities, capabilities_of
from edgeage.runtime.core import openvino_core


class Core:
    """Answers the properties it has been given; an error is raised."""

    def __init__(self, **answers):
        self.answers = answers

    def get_property(self, device, key):
        answer = self.answers.get(key, RuntimeError(f"{device} does not know {key}"))
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_this_cpu():
    found = capabilities_of(openvino_core(), "CPU")
    assert "FP32" in found.precisions
    assert found.streams >= 1
    assert found.threads >= 1
    assert found.keeps_compiled
    assert json.loads(json.dumps(found.to_dict()))["precisions"] == list(found.precisions)


def test_a_gpu():
    core = Core(
        OPTIMIZATION_CAPABILITIES=["FP32", "BIN", "FP16", "INT8", "EXPORT_IMPORT"],
        RANGE_FOR_STREAMS=(1, 2),
        RANGE_FOR_ASYNC_INFER_REQUESTS=(1, 4, 1),
    )
    found = capabilities_of(core, "GPU.0")
    assert found == Capabilities(("FP32", "FP16", "INT8"), 2, 4, None, 8, keeps_compiled=True)
    assert found.text() == (
        "FP32, FP16, INT8; 2 streams, 4 requests, batches of 8; keeps what it compiled"
    )


@pytest.mark.parametrize(
    "answer",
    [RuntimeError("no"), TypeError("a type Python does not know"), None, "1 to 2", (), ("x", "y")],
)
def test_whatever_a_device_answers_it_is_listed(answer):
    core = Core(
        OPTIMIZATION_CAPABILITIES=answer,
        RANGE_FOR_STREAMS=answer,
        RANGE_FOR_ASYNC_INFER_REQUESTS=answer,
    )
    found = capabilities_of(core, "NPU")
    assert found == Capabilities(batch=8)
    assert found.text() == "batches of 8; compiles at every start"
