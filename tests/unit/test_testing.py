"""The fake backend is itself a promise to users."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from edgeage import AGE_GROUPS, Predictor
from edgeage.errors import DeviceError, UsageError
from edgeage.testing import FakeBackend, write_random_model


def picture(level: int) -> np.ndarray:
    return np.full((50, 50, 3), level, np.uint8)


def test_brighter_is_older_and_the_same_is_the_same():
    with Predictor(detector=None, backend=FakeBackend()) as predictor:
        ages = [predictor.predict(picture(level))[0].age for level in (0, 60, 120, 180, 255)]
        assert ages == sorted(ages)
        assert len(set(ages)) == 5
        assert predictor.predict(picture(60))[0].age == ages[1]
        assert predictor.predict(picture(0))[0].age_group == AGE_GROUPS[0]


@pytest.mark.parametrize(("bright", "gender"), [("left", "Male"), ("right", "Female")])
def test_the_brighter_side_is_the_gender(bright, gender):
    face = picture(20)
    face[:, slice(0, 25) if bright == "left" else slice(25, 50)] = 220
    with Predictor(detector=None, backend=FakeBackend()) as predictor:
        assert predictor.predict(face)[0].gender == gender


@pytest.mark.parametrize(
    "options",
    [{"age": [1]}, {"gender": [0.4, 0.4]}, {"gender": [1.5, -0.5]}],
    ids=["too few", "sum", "negative"],
)
def test_refuses_what_are_no_probabilities(options):
    with pytest.raises(UsageError, match=r"probabilities for (age|gender) that sum to 1, got \["):
        FakeBackend(**options)


def test_a_session_is_as_strict_as_a_real_one():
    backend = FakeBackend(infer_error=DeviceError("gone"))
    session = backend.load(backend.models[0])
    with pytest.raises(UsageError, match="expected a uint8 batch"):
        session.infer(np.zeros((1, 3, 227, 227), np.float32))
    with pytest.raises(DeviceError, match="gone"):
        session.infer(np.zeros((1, 3, 227, 227), np.uint8))
    session.close()
    with pytest.raises(UsageError, match="closed"):
        session.infer(np.zeros((1, 3, 227, 227), np.uint8))


def test_faults_come_in_turn_and_end():
    gone = DeviceError("gone")
    backend = FakeBackend(load_faults=[None, gone], infer_faults=[None, gone, gone])
    sessions = [backend.load(backend.models[0])]
    with pytest.raises(DeviceError, match="gone"):
        backend.load(backend.models[1])
    sessions.append(backend.load(backend.models[1]))
    picture = np.zeros((1, 3, 227, 227), np.uint8)
    answered = []
    for number in range(6):
        try:
            answered.append(sessions[number % 2].infer(picture).devices)
        except DeviceError:
            answered.append(())
    assert answered == [("FAKE",), (), ()] + [("FAKE",)] * 3


def test_needs_no_openvino():
    program = (
        "import sys, numpy as np; from edgeage import Predictor;"
        "from edgeage.testing import FakeBackend;"
        "Predictor(detector=None, backend=FakeBackend()).predict(np.zeros((50, 50, 3), np.uint8));"
        "sys.exit('openvino' in sys.modules or 'google.protobuf' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_random_model_is_the_same_for_the_same_seed(tmp_path):
    paths = [
        write_random_model(tmp_path / str(number), "gender", side=67, seed=number // 2)
        for number in range(3)
    ]
    contents = [path.read_bytes() for path in paths]
    assert contents[0] == contents[1] != contents[2]


def test_a_random_model_of_an_unknown_task(tmp_path):
    with pytest.raises(UsageError, match="unknown task «race»; expected age or gender"):
        write_random_model(tmp_path, "race")
