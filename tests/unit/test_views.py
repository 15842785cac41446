"""Several views of a face: where they are cut, how their answers are averaged, all the way."""

from __future__ import annotations

import dataclasses
import json

import cv2
import numpy as np
import pytest
from one_layer import SIDE, write_one_layer

from edgeage import Predictor
from edgeage.answers import decode
from edgeage.compiler import compile_model, find_model
from edgeage.datasets.store import DatumReader, DatumWriter
from edgeage.errors import DeviceError, UsageError
from edgeage.evaluation.score import predict_probabilities
from edgeage.faces import Detection
from edgeage.inputspec import InputSpec
from edgeage.manifest import Manifest
from edgeage.outputs import Output
from edgeage.runtime.backend import Answer
from edgeage.testing import FakeBackend, FakeDetector
from edgeage.views import CROPS, averaged, cut_views

STORED = 20


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("resize_hw", "input_hw", "corners", "centre"),
    [
        # Levi and Hassner's: 14.5 is rounded down.
        ((256, 256), (227, 227), [(0, 0), (0, 29), (29, 0), (29, 29)], (14, 14)),
        ((12, 11), (7, 8), [(0, 0), (0, 3), (5, 0), (5, 3)], (2, 1)),
        ((12, 11), (12, 10), [(0, 0), (0, 1), (0, 0), (0, 1)], (0, 0)),
    ],
)
def test_the_ten_views_are_caffes(resize_hw, input_hw, corners, centre) -> None:
    picture = noise(*resize_hw)
    views = cut_views(picture, InputSpec(resize_hw, input_hw), 10)
    assert (views.shape, views.dtype) == ((10, 3, *input_hw), np.uint8)
    height, width = input_hw
    for place, (top, left) in enumerate([*corners, centre]):
        cut = picture[top : top + height, left : left + width]
        np.testing.assert_array_equal(views[place].transpose(1, 2, 0), cut)
        np.testing.assert_array_equal(views[place + 5].transpose(1, 2, 0), cut[:, ::-1])


def test_one_and_two_views_are_the_centre_and_its_mirror_image() -> None:
    spec = InputSpec((30, 25), (21, 20))
    face = noise(44, 51)
    centre = spec.prepare(face)
    np.testing.assert_array_equal(cut_views(face, spec, 1), centre[None])
    np.testing.assert_array_equal(cut_views(face, spec, 2), np.stack([centre, centre[:, :, ::-1]]))
    assert all(cut_views(face, spec, crops).flags.c_contiguous for crops in CROPS)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    return powers / powers.sum(axis=-1, keepdims=True)


CLASSES = {"labels": ("0-9", "10-19", "20-29"), "temperature": 0.5, "interval": 1.2}


@pytest.mark.parametrize(
    ("output", "to_probabilities"),
    [
        pytest.param(Output("o", "age", **CLASSES), None, id="probabilities"),
        pytest.param(Output("o", "age", logits=True, **CLASSES), _softmax, id="logits"),
        pytest.param(
            Output("o", "age", "distribution", logits=True), _softmax, id="logits of years"
        ),
        pytest.param(Output("o", "age", "years", factor=100), None, id="years"),
        pytest.param(
            Output("o", "gender", labels=("Male",), logits=True, temperature=2.0),
            lambda logits: 1 / (1 + np.exp(-logits)),
            id="sigmoid",
        ),
    ],
)
def test_probabilities_are_averaged_and_the_temperature_is_applied_to_that(
    output, to_probabilities
) -> None:
    values = output.size or 3
    rows = np.random.default_rng(1).uniform(-2, 2, (20, values))
    if output.kind == "years":
        rows = np.abs(rows) / 4
    elif not output.logits:
        rows = _softmax(rows)
    answer = Answer({"o": rows.astype(np.float32)}, ("CPU",) * 20)
    found = averaged(answer, [output], 10).outputs["o"]
    assert (found.shape, found.dtype) == ((2, values), np.float32)
    shares = to_probabilities(rows) if to_probabilities else rows
    plain = dataclasses.replace(output, logits=False)
    for place in (0, 1):
        mean = shares[10 * place : 10 * place + 10].mean(axis=0)
        told, expected = decode(output, found[place]), decode(plain, mean)
        assert told.keys() == expected.keys()
        for name, value in expected.items():
            assert told[name] == (value if isinstance(value, str) else pytest.approx(value, 1e-4))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("logits", [True, False])
def test_one_view_without_a_number_leaves_its_face_alone_without_one(wrong, logits) -> None:
    output = Output("o", "age", logits=logits, **CLASSES)
    rows = np.full((4, 3), 1 / 3, np.float32)
    rows[3, 1] = wrong
    found = averaged(Answer({"o": rows}, ("CPU",) * 4), [output], 2).outputs["o"]
    assert decode(output, found[0])["age_probabilities"] == pytest.approx([1 / 3] * 3)
    with pytest.raises(DeviceError, match="expected numbers"):
        decode(output, found[1])


def test_all_devices_that_answered_for_a_face_are_named() -> None:
    rows = np.full((4, 2), 0.5, np.float32)
    answer = Answer({"o": rows}, ("MYRIAD", "CPU", "CPU", "CPU"))
    output = Output("o", "gender", labels=("Male", "Female"))
    assert averaged(answer, [output], 2).devices == ("MYRIAD, CPU", "CPU")
    assert averaged(answer, [output], 1) is answer


@pytest.mark.parametrize("crops", [0, 3, 5, -1])
def test_another_number_is_refused(crops) -> None:
    with pytest.raises(UsageError, match=f"expected crops of 1, 2 or 10, got {crops}"):
        Predictor(backend=FakeBackend(), detector=None, crops=crops)


@pytest.mark.parametrize(("side", "enlarged"), [(227, 256), (128, 144)])
def test_where_the_whole_picture_is_seen_ten_views_are_of_a_larger_one(side, enlarged) -> None:
    face = noise(300, 300)
    spec, larger = (InputSpec((size, size), (side, side)) for size in (side, enlarged))
    np.testing.assert_array_equal(cut_views(face, spec, 10), cut_views(face, larger, 10))


def _write_network(folder, stored: int) -> Manifest:
    """Compile a network whose answer depends on where what it sees lies."""
    weights = np.random.default_rng(3).standard_normal((9, 3 * SIDE * SIDE)) / 1500
    path = write_one_layer(folder, "net", weights, np.zeros(9), 120, stored)
    return compile_model(find_model(path), folder / "ir", precision="FP32")


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> tuple[Manifest, Manifest]:
    """The same weights for pictures larger than the input, and for those of its size."""
    folder = tmp_path_factory.mktemp("views")
    return _write_network(folder / "larger", STORED), _write_network(folder / "same", SIDE)


def _told(manifest: Manifest, pictures: list[np.ndarray], crops: int = 1) -> np.ndarray:
    with Predictor([manifest], "CPU", detector=None, crops=crops) as predictor:
        results = predictor.predict_batch(pictures)
    return np.array([result.faces[0].age_probabilities for result in results])


def test_over_sampling_is_the_mean_over_the_ten_cuts(networks) -> None:
    larger, same = networks
    pictures = [noise(STORED, STORED, seed) for seed in range(5)]
    ends = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
    cuts = [
        np.ascontiguousarray(picture[top : top + SIDE, left : left + SIDE][:, ::step])
        for picture in pictures
        for step in (1, -1)
        for top, left in ends
    ]
    each = _told(same, cuts).reshape(5, 10, 9)
    assert each.std(axis=1).max(axis=1).min() > 0.02
    np.testing.assert_allclose(_told(larger, pictures, 10), each.mean(axis=1), atol=2e-3)
    np.testing.assert_allclose(_told(larger, pictures), each[:, 4], atol=2e-3)


def test_the_command_line_says_the_same(networks, tmp_path, cli) -> None:
    larger, _ = networks
    picture = noise(STORED, STORED)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    words = ("--models", larger.folder, "--detect", "never", "--crops", "10", "--json")
    done = cli("infer", tmp_path / "a.png", *words)
    assert done.exit_code == 0, done.stderr
    (face,) = json.loads(done.stdout)["results"][0]["faces"]
    (expected,) = _told(larger, [picture], 10)
    assert face["age_probabilities"] == pytest.approx(expected, abs=1e-3)


def test_two_views_are_the_mean_with_the_mirrored_picture(networks) -> None:
    pictures = [noise(STORED, STORED, seed) for seed in range(3)]
    mirrored = [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
    for manifest in networks:
        one, other = _told(manifest, pictures), _told(manifest, mirrored)
        assert np.abs(one - other).max() > 0.02
        found = _told(manifest, pictures, 2)
        np.testing.assert_allclose(found, (one + other) / 2, atol=2e-3)
        np.testing.assert_allclose(_told(manifest, mirrored, 2), found, atol=2e-3)


def test_the_views_of_all_faces_share_batches_and_stay_with_their_face() -> None:
    picture = np.zeros((60, 90, 3), np.uint8)
    picture[:, :30], picture[:, 30:60], picture[:, 60:] = 10, 120, 250
    boxes = [(4, 15, 26, 45), (34, 15, 56, 45), (64, 15, 86, 45)]
    detector = FakeDetector([Detection(box, 0.9) for box in boxes])
    ages, batches = [], []
    for crops in (1, 2):
        backend = FakeBackend()
        with Predictor(backend=backend, detector=detector, crops=crops, margin=0) as predictor:
            faces = predictor.predict(picture)
            assert predictor.timing.faces == 3
        batches.append(backend.batches)
        ages.append([face.age for face in faces])
    # Brightness, which the fake age is made of, is no other in a mirror.
    assert ages[0] == pytest.approx(ages[1], abs=1e-4)
    assert ages[0][0] < ages[0][1] < ages[0][2]
    assert batches == [[3, 3], [6, 6]]


def test_a_lit_side_is_no_longer_one_with_the_mirror_image() -> None:
    face = np.zeros((40, 40, 3), np.uint8)
    face[:, :20] = 250
    with Predictor(backend=FakeBackend(), detector=None) as predictor:
        assert predictor.predict(face)[0].gender_probability > 0.9
    with Predictor(backend=FakeBackend(), detector=None, crops=2) as predictor:
        assert predictor.predict(face)[0].gender_probability == pytest.approx(0.5, abs=0.01)


class Corner:
    """A session that answers Female for a view whose first pixel is bright."""

    device = "FAKE"

    def infer(self, batch):
        female = (batch[:, 0, 0, 0] > 127).astype(np.float32)
        return Answer({"prob": np.stack([1 - female, female], axis=1)}, ("FAKE",) * len(batch))


def test_a_stored_data_set_is_scored_by_views(tmp_path) -> None:
    spec = InputSpec((12, 12), (8, 8), mean="none")
    manifest = Manifest.classifier("g", "gender", ("Male", "Female"), spec, output_name="prob")
    count = 45
    with DatumWriter(tmp_path / "lmdb") as writer:
        for index in range(count):
            pixels = np.zeros((3, 12, 12), np.uint8)
            pixels[:, 0, 0] = 255 * (index % 2)
            pixels[:, 2, 2] = 255 * (index % 3 == 0)
            writer.put(f"{index:03}", pixels, index % 2)
    with DatumReader(tmp_path / "lmdb") as reader:
        found, labels = predict_probabilities(Corner(), manifest, reader, crops=10)
    shares = [(index % 2 + (index % 3 == 0)) / 10 for index in range(count)]
    assert found[:, 1].tolist() == pytest.approx(shares)
    assert labels.tolist() == [index % 2 for index in range(count)]
