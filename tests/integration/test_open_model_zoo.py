"""Open Model Zoo's age-gender-recognition-retail-0013 on real faces, by its ready manifest."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest

from edgeage import Predictor
from edgeage.images import read_image

NAME = "age-gender-recognition-retail-0013"
FACES = 200


@pytest.fixture(scope="module")
def adults(utkface_archive):
    """Pictures, ages and genders of 200 faces of 18 to 75 years, which it was trained for.

    Spread over the archive, which is in order of age.
    """
    found = []
    with tarfile.open(utkface_archive) as tar:
        for number, member in enumerate(tar):
            if number % 80 or not member.name.endswith(".jpg"):
                continue
            age, gender = (int(word) for word in member.name.rpartition("/")[2].split("_")[:2])
            if 18 <= age <= 75:
                found.append((tar.extractfile(member).read(), age, gender))
    places = np.linspace(0, len(found) - 1, FACES).round().astype(int)
    return [(read_image(found[place][0]), *found[place][1:]) for place in places]


def test_its_users_move_over_in_a_line(open_model_zoo, adults):
    with Predictor(open_model_zoo / f"{NAME}.xml", "CPU") as predictor:
        results = predictor.predict_batch([picture for picture, _, _ in adults])
    faces = [result.faces[0] for result in results]
    errors = np.abs([face.age - age for face, (_, age, _) in zip(faces, adults, strict=True)])
    right = [
        face.gender == ("Male", "Female")[gender]
        for face, (_, _, gender) in zip(faces, adults, strict=True)
    ]
    print(f"{FACES} faces: age off by {errors.mean():.2f} years, gender {np.mean(right):.1%}")
    # It takes the elderly for younger: above 55 years by thirteen and more, below 45 by six.
    assert len(faces) == FACES
    assert errors.mean() < 9
    assert errors[[age < 45 for _, age, _ in adults]].mean() < 7
    assert np.mean(right) > 0.9


def test_batches_answer_as_single_pictures_do(open_model_zoo, adults):
    pictures = [picture for picture, _, _ in adults[:11]]
    with Predictor(open_model_zoo / f"{NAME}.xml", "CPU") as predictor:
        together = [result.faces[0] for result in predictor.predict_batch(pictures)]
        alone = [predictor.predict(picture)[0] for picture in pictures]
    assert [face.age for face in together] == pytest.approx([f.age for f in alone], abs=0.5)
