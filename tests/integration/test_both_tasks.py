"""The networks of both tasks that come with edgeage, as they come."""

import numpy as np
import pytest
from skimage.data import astronaut

from edgeage import Predictor
from edgeage.manifest import Manifest
from edgeage.modelfiles import has_weights, ready_models

OWN = [name for name, path in ready_models().items() if has_weights(Manifest.read(path))]


def test_there_is_a_default_and_a_small_one():
    assert OWN == ["edgeage-s", "edgeage-xs"]


@pytest.mark.parametrize("name", OWN)
def test_each_knows_a_grown_woman(name):
    """Eileen Collins, in her late thirties or early forties."""
    with Predictor(name, "CPU", detect="always", cache=False) as predictor:
        (face,) = predictor.predict(np.ascontiguousarray(astronaut()[:, :, ::-1]))
    assert face.gender == "Female"
    assert face.gender_probability > 0.8
    low, high = face.age_interval
    assert 18 < low < face.age < high < 60
