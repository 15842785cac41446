"""The released networks give the same answers in OpenCV, the torch engine and OpenVINO.

OpenCV's Caffe importer is the independent reader: it shares no code with any of the others.
"""

from __future__ import annotations

import contextlib
import tarfile

import numpy as np
import pytest
import torch

from edgeage.caffe import read_mean, read_net, read_weights
from edgeage.compiler import compile_model, find_model
from edgeage.images import read_image
from edgeage.paths import data_dir
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.training.net import TorchNet

PICTURES = 50
NAMES = ("agenet", "gendernet")


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    return find_model(request.param)


@pytest.fixture(scope="module")
def real_faces(utkface_archive):
    """Every hundredth face of the archive: fifty of all ages, genders and races."""
    faces = []
    with tarfile.open(utkface_archive, "r|gz") as tar:
        for number, member in enumerate(tar):
            if number % 100 == 0 and (stream := tar.extractfile(member)):
                faces.append(read_image(stream.read()))
            if len(faces) == PICTURES:
                return faces
    raise AssertionError("the archive has too few pictures")


@pytest.fixture(scope="module")
def sample_faces():
    """The sample picture shifted fifty ways, for where there are no real faces."""
    picture = read_image(data_dir("examples") / "test_0.png")
    return [np.roll(picture, (shift, 3 * shift), axis=(0, 1)) for shift in range(PICTURES)]


def _opencv(model, batch):
    import cv2

    net = cv2.dnn.readNetFromCaffe(str(model.prototxt), str(model.caffemodel))
    mean = read_mean(model.manifest.file("mean"))
    rows = []
    for pixels in batch:
        net.setInput((pixels - mean)[None].astype(np.float32))
        rows.append(net.forward().reshape(-1).copy())
    return np.stack(rows)


def _torch(model, batch):
    mean = read_mean(model.manifest.file("mean"))
    net = TorchNet(read_net(model.prototxt), batch.shape[1:], phases=("TEST",))
    assert net.load(read_weights(model.caffemodel))[1] == []
    with torch.no_grad():
        pixels = torch.from_numpy((batch - mean).astype(np.float32))
        return net.forward("TEST", pixels, torch.zeros(len(batch)))["prob"].numpy()


def _check(model, faces, folder):
    batch = np.stack([model.manifest.input.prepare(face) for face in faces])
    expected = _opencv(model, batch)
    assert np.abs(_torch(model, batch) - expected).max() <= 1e-4
    for precision, allowed in (("FP32", 1e-3), ("FP16", 5e-2)):
        compiled = compile_model(model, folder / precision, precision=precision)
        with contextlib.closing(OpenVINOBackend("CPU").load(compiled)) as session:
            assert np.abs(session.infer(batch).probabilities - expected).max() <= allowed
    assert np.ptp(expected, axis=0).max() > 0.3  # the faces do get different answers


def test_on_real_faces(model, real_faces, tmp_path):
    _check(model, real_faces, tmp_path)


def test_on_the_sample_picture(model, sample_faces, tmp_path):
    _check(model, sample_faces, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_the_released_weights_are_exact_in_half_precision(name):
    """A stick that computes in half precision and a CPU run the same numbers."""
    for blobs in read_weights(data_dir("caffe_models") / f"{name}.caffemodel").values():
        for blob in blobs:
            np.testing.assert_array_equal(blob, blob.astype(np.float16).astype(np.float32))
