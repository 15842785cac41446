"""What is verified, and on which pictures."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from edgeage.datasets.store import DatumWriter
from edgeage.errors import DatasetError, ImageError, ModelError, UsageError
from edgeage.verification import find_subject
from edgeage.verification.pictures import read_pictures


def test_a_trained_network(trained_models):
    subject = find_subject(trained_models / "gendernet.caffemodel")
    assert subject.compiled is None
    assert subject.trained.manifest is subject.manifest
    assert subject.points[-1].blob == "prob"


def test_a_compiled_one_with_what_it_was_made_of(trained_models, compiled_models):
    origin = trained_models / "agenet.caffemodel"
    subject = find_subject(compiled_models / "agenet", trained=str(origin))
    assert subject.compiled.target == "CPU"
    assert subject.trained.caffemodel == origin
    assert len(subject.points) == 12


def test_a_compiled_one_alone_has_an_output_only(compiled_models):
    """Its name is that of a released network, and its weights are others."""
    subject = find_subject(compiled_models / "agenet")
    assert subject.trained is None
    assert [point.blob for point in subject.points] == ["prob"]


def test_other_weights_are_refused(trained_models, compiled_models):
    with pytest.raises(ModelError, match="was not compiled from"):
        find_subject(
            compiled_models / "agenet", trained=str(trained_models / "gendernet.caffemodel")
        )


def test_unknown_names():
    with pytest.raises(UsageError, match="did you mean «agenet»"):
        find_subject("agnet")


def test_normalised_is_what_caffe_gets(subject, pictures):
    values = subject.normalised(pictures.batch)
    mean = subject.trained.mean
    np.testing.assert_array_equal(values[1], pictures.batch[1].astype(np.float32) - mean)
    spec = dataclasses.replace(subject.manifest.input, scale=0.5)
    manifest = dataclasses.replace(subject.trained.manifest, input=spec)
    halved = dataclasses.replace(
        subject, trained=dataclasses.replace(subject.trained, manifest=manifest)
    )
    np.testing.assert_array_equal(halved.normalised(pictures.batch), values / 2)


class TestPictures:
    @pytest.fixture
    def lmdb(self, tmp_path):
        with DatumWriter(tmp_path / "age_test_lmdb") as writer:
            for number in range(10):
                writer.put("x", np.full((3, 67, 67), number, np.uint8), number % 9)
        return tmp_path / "age_test_lmdb"

    def test_of_a_data_set_with_labels(self, subject, lmdb):
        for data in (lmdb, lmdb.parent):
            found = read_pictures(data, subject.manifest, 5)
            assert found.origin == "5 pictures of age_test_lmdb"
            assert found.labels.tolist() == [0, 2, 4, 6, 8]
            assert found.batch[:, 0, 0, 0].tolist() == [0, 2, 4, 6, 8]

    def test_of_another_task(self, trained_models, lmdb):
        gender = find_subject(trained_models / "gendernet.caffemodel").manifest
        with pytest.raises(DatasetError, match="labels of 0 to 8, gendernet knows 0 to 1"):
            read_pictures(lmdb, gender, 100)

    def test_of_a_folder(self, subject, tmp_path, astronaut_face):
        with pytest.raises(ImageError, match="holds no picture"):
            read_pictures(tmp_path, subject.manifest, 5)
        for number in range(3):
            cv2.imwrite(str(tmp_path / f"{number}.png"), astronaut_face)
        found = read_pictures(tmp_path, subject.manifest, 2)
        assert (found.labels, found.batch.shape) == (None, (2, 3, 67, 67))
