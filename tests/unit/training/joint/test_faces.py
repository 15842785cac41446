"""Faces with both labels: the division, the drawing, what is refused."""

import dataclasses

import numpy as np
import pytest

from edgeage.datasets.records import SplitRecord, read_records, write_records
from edgeage.errors import DatasetError
from edgeage.training.joint.faces import read_faces


def test_each_face_is_on_one_side_and_near_duplicates_stay_together(joint_faces):
    train, validation = joint_faces()
    names = [[item.record.name for item in side.records] for side in (train, validation)]
    assert len(names[0]) + len(names[1]) == 40
    assert not set(names[0]) & set(names[1])
    assert len(names[1]) > 4
    groups = [{i.duplicate_group for i in side.records} - {None} for side in (train, validation)]
    assert not groups[0] & groups[1]


def test_a_batch_depends_on_recipe_and_number_alone(joint_faces, recipe):
    train, _ = joint_faces()
    first, again, other = train.drawn(recipe, 3), train.drawn(recipe, 3), train.drawn(recipe, 4)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.ages_years, again.ages_years)
    assert not np.array_equal(first.pixels, other.pixels)
    assert first.pixels.shape == (8, 16, 16, 3)


def test_labels_are_those_of_the_faces_drawn(joint_faces, recipe):
    _, validation = joint_faces()
    batches = list(validation.whole(5))
    ages = np.concatenate([batch.ages_years for batch in batches])
    genders = np.concatenate([batch.genders for batch in batches])
    pixels = np.concatenate([batch.pixels for batch in batches])
    assert ages.tolist() == [item.record.age for item in validation.records]
    # The made-up faces carry their gender in the first two channels.
    assert (pixels[..., 1].mean((1, 2)) > pixels[..., 0].mean((1, 2))).tolist() == (
        genders == 1
    ).tolist()


def test_a_race_is_drawn_as_often_as_its_weight_says(joint_faces, recipe):
    train, _ = joint_faces()
    plain = dataclasses.replace(recipe, race_weights={}, batch_size=4000)
    heavy = dataclasses.replace(recipe, race_weights={"asian": 3.0}, batch_size=4000)
    asian = {item.record.age for item in train.records if item.record.race == "asian"}
    shares = [np.isin(train.drawn(r, 0).ages_years, list(asian)).mean() for r in (plain, heavy)]
    expected = 3 * shares[0] / (1 + 2 * shares[0])
    assert shares[1] == pytest.approx(expected, abs=0.04)


def test_balance_draws_every_group_alike(joint_faces, recipe):
    train, _ = joint_faces()
    even = dataclasses.replace(recipe, race_weights={}, age_balance=1.0, batch_size=4000)
    groups = np.bincount(np.minimum(train.drawn(even, 0).ages_years // 10, 8))
    drawn = groups[groups > 0] / groups.sum()
    np.testing.assert_allclose(drawn, 1 / len(drawn), atol=0.03)


def test_a_copy_or_a_test_face_in_the_lmdb_is_refused(joint_data, joint_faces, recipe, tmp_path):
    items = read_records(joint_data / "records.csv")
    moved = [SplitRecord(items[0].record, "test"), *items[1:]]
    write_records(tmp_path / "records.csv", moved)
    train, validation = joint_faces()
    with pytest.raises(DatasetError, match=r"00_a\.jpg.*--no-oversample"):
        read_faces(tmp_path, train.reader, train.transform, validation.transform, recipe)


def test_a_face_without_a_gender_is_good_for_ages(joint_data, joint_faces, recipe, tmp_path):
    items = read_records(joint_data / "records.csv")
    unknown = dataclasses.replace(items[0].record, gender=None)
    write_records(tmp_path / "records.csv", [SplitRecord(unknown, "train"), *items[1:]])
    train, other = joint_faces()
    sides = read_faces(
        tmp_path, train.reader, train.transform, other.transform, recipe, genders=False
    )
    genders = np.concatenate([batch.genders for side in sides for batch in side.whole(9)])
    assert (genders == -1).sum() == 1
    assert len(genders) == 40


def test_a_face_without_a_gender_is_refused(joint_data, joint_faces, recipe, tmp_path):
    items = read_records(joint_data / "records.csv")
    unknown = dataclasses.replace(items[0].record, gender=None)
    write_records(tmp_path / "records.csv", [SplitRecord(unknown, "train"), *items[1:]])
    train, validation = joint_faces()
    with pytest.raises(DatasetError, match="does not say the gender of «00_a.jpg»; train age"):
        read_faces(tmp_path, train.reader, train.transform, validation.transform, recipe)
