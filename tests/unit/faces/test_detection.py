from __future__ import annotations

import json

import pytest

from edgeage.errors import UsageError
from edgeage.faces import Detection

POINTS = tuple((float(i), 2.0) for i in range(5))


def test_fields_become_json():
    face = Detection((1, 2, 3, 5), 0.5, POINTS, "mtcnn")
    assert (face.width, face.height) == (2, 3)
    assert json.loads(json.dumps(face.to_dict())) == {
        "box": [1, 2, 3, 5],
        "score": 0.5,
        "landmarks": [[i, 2] for i in range(5)],
        "detector": "mtcnn",
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (((3, 2, 3, 5), 0.5), "left < right"),
        (((1, 2, 3, float("nan")), 0.5), "finite box"),
        (((1, 2, 3, 5), 1.1), "expected a score of 0 to 1"),
        (((1, 2, 3, 5), 0.5, POINTS[:4]), "expected five landmarks or none, got 4"),
    ],
)
def test_impossible_faces_are_refused(fields, message):
    with pytest.raises(UsageError, match=message):
        Detection(*fields)
