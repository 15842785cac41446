"""Which faces of a data set calibrate, which choose layers, and which only measure."""

from __future__ import annotations

import random
import shutil
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeage.compiler import find_model
from edgeage.compiler.calibration import calibration_places, read_split
from edgeage.datasets import DatumReader, DatumWriter
from edgeage.errors import DatasetError, UsageError


def _names(labels):
    return [f"{place:03}.jpg" for place in range(len(labels))]


def test_every_class_gives_its_share_as_far_as_it_reaches():
    labels = [0] * 50 + [1] * 3 + [2] * 20
    chosen = calibration_places(labels, _names(labels), 23)
    assert Counter(labels[place] for place in chosen) == {0: 10, 1: 3, 2: 10}


@given(st.lists(st.integers(0, 8), min_size=1, max_size=80), st.integers(1, 100))
def test_no_class_is_passed_over_for_one_that_has_given_more(labels, count):
    chosen = calibration_places(labels, _names(labels), count)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(count, len(labels))
    given_by = Counter(labels[place] for place in chosen)
    for label, total in Counter(labels).items():
        if given_by[label] < total:
            assert max(given_by.values()) <= given_by[label] + 1


def test_the_choice_is_by_name_and_not_by_place():
    labels = [place % 3 for place in range(60)]
    pairs = list(zip(labels, _names(labels), strict=True))
    mixed = random.Random(4).sample(pairs, len(pairs))

    def chosen(of):
        return {of[place][1] for place in calibration_places(*zip(*of, strict=True), 20)}

    assert chosen(mixed) == chosen(pairs)
    assert chosen(pairs) != {name for _, name in pairs[:20]}


@pytest.fixture
def manifest(sided_model):
    return find_model(sided_model()).manifest


def test_no_face_has_two_parts(manifest, sided_data):
    split = read_split(sided_data, manifest, 25, control=True)
    assert (len(split.calibration), len(split.control)) == (25, 35)
    assert split.calibration.batch.shape == (25, 3, 16, 16)
    assert split.calibration.batch.dtype == np.uint8
    both = np.concatenate([split.calibration.batch, split.control.batch])
    assert len(np.unique(both.reshape(60, -1), axis=0)) == 60
    # Two thirds are of the second class: shares alike in the calibration as far as it reaches.
    assert np.bincount(split.calibration.labels).tolist() == [13, 12]
    assert split.test_lmdb == sided_data / "gender_test_lmdb"


def test_labels_stay_with_their_pictures(manifest, sided_data):
    faces = read_split(sided_data, manifest, 25).calibration
    brighter = faces.batch[..., 8:].mean((1, 2, 3)) > faces.batch[..., :8].mean((1, 2, 3))
    assert (brighter == faces.labels).all()


def test_without_accuracy_control_nothing_is_read_for_it(manifest, sided_data):
    assert len(read_split(sided_data, manifest, 25).control) == 0


def test_networks_of_both_tasks_are_calibrated_on_the_same_faces(manifest, sided_data, tmp_path):
    """The age groups choose, and what they chose is in no other part."""
    data = tmp_path / "both"
    shutil.copytree(sided_data, data)
    with DatumReader(data / "gender_train_lmdb") as reader:
        faces = [(reader.key(place), reader.get(place)[0]) for place in range(len(reader))]
    with DatumWriter(data / "age_train_lmdb") as writer:
        for place, (key, pixels) in enumerate(faces[:50]):
            writer.put(key.decode().partition("_")[2], pixels, place % 8)
    split = read_split(data, manifest, 24, control=True)
    assert np.bincount(split.calibration.labels).tolist() == [3] * 8
    assert split.train_lmdb == data / "age_train_lmdb"
    assert len(split.control) == 36
    both = np.concatenate([split.calibration.batch, split.control.batch])
    assert len(np.unique(both.reshape(60, -1), axis=0)) == 60


def test_accuracy_control_needs_faces_of_its_own(manifest, sided_data):
    with pytest.raises(UsageError, match=r"beside the 60 .* has 60; .* --calibration 30"):
        read_split(sided_data, manifest, 60, control=True)


@pytest.mark.parametrize("side", ["train", "test"])
def test_both_lmdbs_are_needed(side, manifest, tmp_path):
    with DatumWriter(tmp_path / f"gender_{side}_lmdb") as writer:
        writer.put("a", np.zeros((3, 16, 16), np.uint8), 0)
    missing = {"train": "test", "test": "train"}[side]
    with pytest.raises(DatasetError, match=f"gender_{missing}_lmdb .* edgeage dataset build"):
        read_split(tmp_path, manifest, 5)


def test_labels_of_another_task_are_refused(manifest, tmp_path):
    for side in ("train", "test"):
        with DatumWriter(tmp_path / f"gender_{side}_lmdb") as writer:
            writer.put("a", np.zeros((3, 16, 16), np.uint8), 7)
    with pytest.raises(DatasetError, match="labels of 7 to 7, sided knows 0 to 1"):
        read_split(tmp_path, manifest, 5)
