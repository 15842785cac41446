"""How well a face is seen, when it is looked at again, and what is averaged."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgeage.faceresult import Face
from edgeage.faces import Detection
from edgeage.prediction.finder import FoundFace
from edgeage.streaming.looks import frontalness, likeness, look_at
from edgeage.streaming.smoothing import Schedule, Smoother

FRONTAL = ((30, 40), (70, 40), (50, 60), (35, 80), (65, 80))


def look(picture, points=()):
    height, width = picture.shape[:2]
    detection = Detection((0, 0, width, height), 0.9, points) if points else None
    return look_at(picture, FoundFace((0, 0, width, height), detection))


def test_quality_falls_with_size_blur_and_turning(astronaut_face):
    sharp = look(astronaut_face)
    small = look(cv2.resize(astronaut_face, (40, 40), interpolation=cv2.INTER_AREA))
    slightly, strongly = (look(cv2.GaussianBlur(astronaut_face, (0, 0), s)) for s in (2, 5))
    assert sharp.quality > 0.6
    assert small.quality < 0.5 * sharp.quality
    assert sharp.quality > 1.2 * slightly.quality > 1.4 * strongly.quality
    turned = (*FRONTAL[:2], (66, 60), *FRONTAL[3:])
    assert look(astronaut_face, turned).quality < 0.4 * look(astronaut_face, FRONTAL).quality


def test_noise_is_no_sharpness(astronaut_face):
    blurred = cv2.GaussianBlur(astronaut_face, (0, 0), 4)
    noise = np.random.default_rng(0).normal(0, 4, blurred.shape)
    noisy = np.clip(blurred + noise, 0, 255).astype(np.uint8)
    assert look(noisy).quality < 0.6 * look(astronaut_face).quality


def test_light_changes_neither_quality_nor_colours_much(astronaut_face):
    bright, dim = look(astronaut_face), look((astronaut_face * 0.7).astype(np.uint8))
    assert dim.quality == pytest.approx(bright.quality, rel=0.1)
    strange = look(astronaut_face[:, :, ::-1])
    alike = likeness([bright], [bright, dim, strange])[0]
    assert alike[0] == pytest.approx(1, abs=1e-5)
    assert alike[1] > 0.8 > 0.5 > alike[2]


@pytest.mark.parametrize("turn", [0, 20, 45, 90, 180])
def test_a_tilted_head_is_as_frontal(turn):
    way = np.exp(1j * np.radians(turn))
    points = tuple((p.real, p.imag) for p in (complex(x, y) * way for x, y in FRONTAL))
    assert frontalness(points) == pytest.approx(1)


def test_a_flat_picture_has_no_quality():
    assert look(np.full((50, 50, 3), 90, np.uint8)).quality == 0
    assert frontalness(((5, 5),) * 5) == 0


def test_a_face_seen_better_is_looked_at_at_once():
    schedule = Schedule(refresh=100)
    due = [n for n in range(40) if schedule.is_due(n, 0.3 if n < 20 else 0.5)]
    assert due == [0, 2, 6, 14, 20]


def test_refresh_of_one_is_always():
    schedule = Schedule(refresh=1)
    assert all(schedule.is_due(n, 0.5) for n in range(10))


def answer(age, female, groups=None, interval=None):
    gender = "Female" if female >= 0.5 else "Male"
    return Face(
        (0, 0, 9, 9),
        age=age,
        age_interval=interval,
        age_group="x",
        age_probabilities=groups or (),
        gender=gender,
        gender_probability=max(female, 1 - female),
        device="CPU",
    )


def test_answers_are_averaged_by_quality():
    smoother = Smoother()
    assert smoother.fields == {}
    smoother.add(answer(20, 0.9, (1, 0, 0, 0, 0, 0, 0, 0, 0)), 0.75)
    smoother.add(answer(40, 0.1, (0, 0, 1, 0, 0, 0, 0, 0, 0)), 0.25)
    fields = smoother.fields
    assert fields["age"] == pytest.approx(25)
    assert fields["age_group"] == "0-9"
    assert fields["age_probabilities"] == pytest.approx((0.75, 0, 0.25, 0, 0, 0, 0, 0, 0))
    assert (fields["gender"], fields["gender_probability"]) == ("Female", pytest.approx(0.7))


def test_what_is_new_is_heard_after_a_long_time():
    smoother = Smoother()
    for _ in range(2000):
        smoother.add(answer(20, 0.9), 1.0)
    for _ in range(60):
        smoother.add(answer(60, 0.1), 1.0)
    assert smoother.fields["age"] > 50
    assert smoother.fields["gender"] == "Male"


def test_intervals_are_averaged_as_ages_are():
    smoother = Smoother()
    smoother.add(answer(20, 0.9), 1.0)
    assert "age_interval" not in smoother.fields
    smoother = Smoother()
    for age, quality in ((20, 0.75), (40, 0.25)):
        smoother.add(answer(age, 0.9, interval=(age - 4, age + 8)), quality)
    assert smoother.fields["age_interval"] == pytest.approx((21, 33))
    # As wide after many looks as each look's own.
    for _ in range(200):
        smoother.add(answer(30, 0.9, interval=(26, 38)), 1.0)
    assert smoother.fields["age_interval"] == pytest.approx((26, 38), abs=0.1)


def test_other_groups_keep_their_names():
    smoother = Smoother(("young", "old"))
    smoother.add(answer(30, 0.9, (0.4, 0.6)), 0.5)
    assert smoother.fields["age_group"] == "old"
