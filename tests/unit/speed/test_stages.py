"""The cost of each step of one picture."""

from __future__ import annotations

import numpy as np
import pytest

from edgeage import Predictor
from edgeage.errors import NoFaceError
from edgeage.faces import Detection
from edgeage.sources import as_source
from edgeage.speed.stages import StageCosts, time_stages
from edgeage.testing import FakeBackend, FakeDetector

PICTURE = as_source(np.full((60, 90, 3), 128, np.uint8))


def test_every_step_has_its_cost():
    faces = [Detection((5, 5, 25, 25), 0.9), Detection((40, 5, 60, 25), 0.8)]
    backend = FakeBackend()
    with Predictor(backend=backend, detector=FakeDetector(faces)) as predictor:
        ticks = iter(range(100))
        costs = time_stages(predictor, PICTURE, seconds=5, clock=lambda: next(ticks))
    assert (costs.size_hw, costs.faces, costs.runs, costs.device) == ((60, 90), 2, 7, "FAKE")
    assert set(costs.stages_ms) == {"decode", "detect", "align", "age", "gender"}
    assert all(value > 0 for value in costs.stages_ms.values())
    assert costs.whole_ms > costs.stages_ms["detect"]
    # Once before it is timed; three times, then until the clock, asked each time, says 5.
    assert backend.batches == [2] * 16
    assert [costs.per(stage) for stage in ("decode", "align")] == ["picture", "face"]


def test_at_least_three_runs():
    with Predictor(backend=FakeBackend(), detector=None) as predictor:
        costs = time_stages(predictor, PICTURE, seconds=1e-9)
    assert costs.runs == 3
    assert "detect" not in costs.stages_ms


def test_a_picture_without_the_face_that_must_be():
    predictor = Predictor(backend=FakeBackend(), detector=FakeDetector(), detect="always")
    with predictor, pytest.raises(NoFaceError):
        time_stages(predictor, PICTURE, seconds=1)


def test_as_json():
    costs = StageCosts("a.png", (4, 5), "CPU", "FP16", 1, 3, {"age": 1.23456}, 2.0)
    assert costs.to_dict()["stages_ms"] == {"age": 1.235}
    assert costs.to_dict()["size_hw"] == [4, 5]
    assert StageCosts("a.png", reason="no").to_dict() == {"picture": "a.png", "reason": "no"}
