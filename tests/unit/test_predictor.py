"""The Predictor on the fake backend: what goes to the networks and what comes back."""

from __future__ import annotations

import dataclasses
import logging
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from edgeage import AGE_GROUPS, Predictor
from edgeage.errors import (
    DeviceError,
    ImageError,
    MeanError,
    ModelError,
    ParityError,
    UsageError,
)
from edgeage.faces import Detection, cut_face
from edgeage.inputspec import InputSpec
from edgeage.manifest import Manifest
from edgeage.testing import FakeBackend, FakeDetector, FakeSession

AGE = [0.0, 0.1, 0.2, 0.4, 0.3, 0.0, 0.0, 0.0, 0.0]
FACE = Detection((20, 20, 40, 40), 0.9)


def grey(level: int, hw: tuple[int, int] = (40, 30)) -> np.ndarray:
    return np.full((*hw, 3), level, np.uint8)


class Recording(FakeBackend):
    """A fake backend that keeps the batches its networks were given, by model."""

    def __init__(self, models=None):
        super().__init__()
        self.seen: dict[str, list[np.ndarray]] = {}
        self._models = models

    @property
    def models(self):
        return self._models or super().models

    def load(self, manifest, *, mean=None):
        session = FakeSession(self, manifest, None)
        answer = session.infer

        def infer(batch):
            self.seen.setdefault(manifest.name, []).append(batch)
            return answer(batch)

        session.infer = infer
        return session


def test_a_face_says_all_that_the_networks_say():
    with Predictor(detector=None, backend=FakeBackend(age=AGE, gender=[0.25, 0.75])) as predictor:
        (face,) = predictor.predict(grey(9))
    assert face.box == (0, 0, 30, 40)
    assert face.age == pytest.approx(0.1 * 14.5 + 0.2 * 24.5 + 0.4 * 34.5 + 0.3 * 44.5)
    assert (face.age_group, face.age_group_probability) == ("30-39", pytest.approx(0.4))
    assert face.age_probabilities == pytest.approx(AGE)
    assert (face.gender, face.gender_probability) == ("Female", pytest.approx(0.75))
    assert face.device == "FAKE"
    assert face.latency_ms > 0
    assert face.to_dict()["age_probabilities"] == list(face.age_probabilities)


def test_the_age_uses_the_models_own_group_ages():
    base = FakeBackend().models[0]
    ages = tuple(float(10 * number + 1) for number in range(9))
    output = dataclasses.replace(base.outputs[0], group_ages=ages)
    manifest = dataclasses.replace(base, outputs=(output,))
    with Predictor([manifest], detector=None, backend=FakeBackend(age=AGE)) as predictor:
        assert predictor.predict(grey(0))[0].age == pytest.approx(np.dot(AGE, ages))


@pytest.mark.parametrize("task", ["age", "gender"])
def test_one_network_alone_leaves_the_rest_unknown(task):
    backend = FakeBackend()
    models = [manifest for manifest in backend.models if manifest.task == task]
    face = Predictor(models, detector=None, backend=backend).predict(grey(200))[0]
    assert (face.age is None, face.gender is None) == (task != "age", task != "gender")
    assert (face.age_group is None, face.age_probabilities == ()) == (task != "age",) * 2


def test_a_picture_reaches_the_network_in_bgr_from_a_file_and_an_array(tmp_path):
    """A known defect of the original scripts: training in BGR, inference in RGB."""
    picture = np.zeros((227, 227, 3), np.uint8)
    picture[:, :, 0] = 200
    cv2.imwrite(str(tmp_path / "blue.png"), picture)
    backend = Recording()
    predictor = Predictor(detector=None, backend=backend)
    predictor.predict(tmp_path / "blue.png")
    predictor.predict((tmp_path / "blue.png").read_bytes())
    predictor.predict(picture)
    for batch in backend.seen["fake_age"]:
        np.testing.assert_array_equal(batch[0], picture.transpose(2, 0, 1))


def test_networks_of_the_same_input_share_its_preparation(monkeypatch):
    prepared = []
    prepare = InputSpec.prepare
    predictor = Predictor(detector=None, backend=FakeBackend())
    monkeypatch.setattr(InputSpec, "prepare", lambda *a: prepared.append(1) or prepare(*a))
    predictor.predict_batch([grey(level) for level in range(3)])
    assert len(prepared) == 3


def test_networks_of_different_inputs_get_their_own():
    base = FakeBackend().models
    small = InputSpec(resize_hw=(80, 80), input_hw=(64, 64))
    backend = Recording([base[0], dataclasses.replace(base[1], input=small)])
    Predictor(detector=None, backend=backend).predict(grey(1))
    assert backend.seen["fake_age"][0].shape == (1, 3, 227, 227)
    assert backend.seen["fake_gender"][0].shape == (1, 3, 64, 64)


def test_a_batch_comes_back_in_order_with_its_errors(tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    good = tmp_path / "good.png"
    cv2.imwrite(str(good), grey(255))
    images = [good, bad, grey(0), b"junk", tmp_path / "none.png", str(good)]
    with Predictor(detector=None, backend=FakeBackend()) as predictor:
        results = predictor.predict_batch(images)
    assert [len(result.faces) for result in results] == [1, 0, 1, 0, 0, 1]
    assert [isinstance(result.error, ImageError) for result in results] == [
        False, True, False, True, True, False,
    ]  # fmt: skip
    assert [result.image for result in results] == [
        str(good), str(bad), "<array>", "<bytes>", str(tmp_path / "none.png"), str(good),
    ]  # fmt: skip
    assert results[0].faces[0].age_group == AGE_GROUPS[-1]
    assert results[2].faces[0].age_group == AGE_GROUPS[0]
    assert results[1].to_dict() == {"image": str(bad), "error": str(results[1].error)}
    assert results[0].to_dict()["faces"][0]["age_group"] == AGE_GROUPS[-1]


def test_a_long_batch_is_worked_off_a_few_at_a_time():
    backend, taken = FakeBackend(), []
    with Predictor(detector=None, backend=backend) as predictor:
        results = predictor.predict_batch(taken.append(n) or grey(n % 256) for n in range(100))
    assert len(results) == len(taken) == 100
    assert max(backend.batches) <= 32
    assert sum(backend.batches) == 200


def test_an_empty_batch_is_empty():
    with Predictor(detector=None, backend=FakeBackend()) as predictor:
        assert predictor.predict_batch([]) == []


def test_one_bad_picture_raises_alone():
    with Predictor(detector=None, backend=FakeBackend()) as predictor, pytest.raises(ImageError):
        predictor.predict(b"junk")


def test_a_failing_device_is_not_a_bad_picture():
    backend = FakeBackend(infer_error=DeviceError("unplugged"))
    with (
        Predictor(detector=None, backend=backend) as predictor,
        pytest.raises(DeviceError, match="unplugged"),
    ):
        predictor.predict_batch([grey(1)])


def test_several_threads_share_one_predictor():
    pictures = [grey(level) for level in range(0, 256, 5)]
    with (
        Predictor(detector=None, backend=FakeBackend()) as predictor,
        ThreadPoolExecutor(8) as pool,
    ):
        expected = [predictor.predict(picture)[0].age for picture in pictures]
        found = list(pool.map(lambda picture: predictor.predict(picture)[0].age, pictures))
    assert found == expected


def test_the_times_of_loading_and_of_answers_are_told_apart():
    with Predictor(detector=None, backend=FakeBackend()) as predictor:
        assert predictor.timing.steady_ms is None
        faces = [predictor.predict(grey(level))[0] for level in range(5)]
        timing = predictor.timing
    assert timing.load_ms > 0
    assert timing.first_ms is None
    assert timing.faces == 5
    assert timing.steady_ms == sorted(face.latency_ms for face in faces)[2]


def test_closed_is_closed():
    predictor = Predictor(detector=None, backend=FakeBackend())
    predictor.close()
    predictor.close()
    with pytest.raises(UsageError, match="closed"):
        predictor.predict(grey(1))


@pytest.mark.parametrize(
    ("margin", "trained", "expected"),
    [(None, 0.0, 0.0), (None, 0.5, 0.5), (0.5, 0.0, 0.5), (0.0, 0.5, 0.0)],
    ids=["trained without", "trained with", "more", "less"],
)
def test_the_margin_is_the_trained_one_unless_told(margin, trained, expected):
    picture = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    spec = InputSpec(resize_hw=(64, 64), input_hw=(64, 64), margin=trained)
    backend = Recording([dataclasses.replace(FakeBackend().models[0], input=spec)])
    predictor = Predictor(backend=backend, detector=FakeDetector([FACE]), margin=margin)
    assert predictor.predict(picture)[0].box == (20, 20, 40, 40)
    seen = backend.seen["fake_age"][0][0]
    cuts = [cut_face(picture, FACE, spec, margin=m).transpose(2, 0, 1) for m in (0.0, 0.5)]
    assert [(seen == cut).all() for cut in cuts] == [expected == 0.0, expected == 0.5]


@pytest.mark.parametrize(
    ("least", "gender"), [(0.0, "Female"), (0.75, "Female"), (0.76, "unknown")]
)
def test_a_gender_less_sure_than_wanted_is_unknown(least, gender):
    backend = FakeBackend(gender=[0.25, 0.75])
    with Predictor(detector=None, backend=backend, min_confidence=least) as predictor:
        (face,) = predictor.predict(grey(1))
    assert (face.gender, face.gender_probability) == (gender, 0.75)
    assert face.age_group is not None


class TestFallback:
    def test_takes_the_other_device_and_says_so_once(self, caplog):
        missing = FakeBackend(device="STICK", load_error=DeviceError("no stick"))
        with Predictor(
            detector=None, backend=missing, fallback=FakeBackend(device="HERE")
        ) as predictor:
            faces = [predictor.predict(grey(1))[0] for _ in range(3)]
        assert {face.device for face in faces} == {predictor.device} == {"HERE"}
        warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
        assert [r.getMessage() for r in warnings] == ["no stick; using HERE instead"]

    def test_without_one_the_error_comes_out(self):
        with pytest.raises(DeviceError, match="no stick"):
            Predictor(detector=None, backend=FakeBackend(load_error=DeviceError("no stick")))

    def test_another_kind_of_error_is_no_reason_for_it(self):
        broken = FakeBackend(load_error=ParityError("wrong"))
        with pytest.raises(ParityError):
            Predictor(detector=None, backend=broken, fallback=FakeBackend())


class TestMean:
    def test_replaces_the_networks_own(self, tmp_path):
        mean = np.full((3, 227, 227), 99, np.float32)
        np.save(tmp_path / "mean.npy", mean)
        for given in (mean, tmp_path / "mean.npy", str(tmp_path / "mean.npy")):
            backend = FakeBackend()
            Predictor(detector=None, backend=backend, mean=given).close()
            assert len(backend.means) == 2
            np.testing.assert_array_equal(backend.means[0], mean)

    @pytest.mark.parametrize(
        ("mean", "reason"),
        [
            (np.zeros((227, 227, 3), np.float32), "(227, 227, 3), expected (3, 227, 227)"),
            (np.full((3, 227, 227), 300, np.float32), "0 to 255"),
            (np.full((3, 200, 200), 90, np.float32), "another size"),
        ],
        ids=["channels last", "beyond a byte", "another size"],
    )
    def test_is_refused_with_the_reason(self, mean, reason):
        with pytest.raises(MeanError) as caught:
            Predictor(detector=None, backend=FakeBackend(), mean=mean)
        assert reason in str(caught.value)

    def test_is_refused_by_a_network_without_one(self):
        spec = InputSpec(mean="none")
        manifest = dataclasses.replace(FakeBackend().models[0], input=spec)
        with pytest.raises(MeanError, match="trained without a mean"):
            Predictor(
                [manifest], detector=None, backend=FakeBackend(), mean=np.zeros((3, 227, 227))
            )


class TestModels:
    def test_a_folder_of_several_and_of_one(self, compiled_models):
        with Predictor(compiled_models, "CPU", detector=None) as both:
            assert [manifest.name for manifest in both.models] == ["agenet", "gendernet"]
            face = both.predict(grey(90))[0]
        with Predictor(str(compiled_models / "agenet"), "CPU", detector=None) as one:
            alone = one.predict(grey(90))[0]
        assert alone.age == pytest.approx(face.age, abs=1e-4)
        assert alone.gender is None
        assert face.device == "CPU"

    def test_two_for_one_task_are_refused(self):
        age = FakeBackend().models[0]
        with pytest.raises(ModelError, match="fake_age, fake_age all predict age"):
            Predictor([age, age], detector=None, backend=FakeBackend())

    @pytest.mark.parametrize("where", ["", "none", "file"])
    def test_no_model_there(self, where, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(ModelError, match="edgeage compile"):
            Predictor(tmp_path / where, detector=None, backend=FakeBackend())

    def test_none_at_all(self):
        with pytest.raises(ModelError, match="expected at least one model, got none"):
            Predictor([], detector=None, backend=FakeBackend())

    def test_a_damaged_manifest(self, tmp_path):
        (tmp_path / "model.json").write_text("{")
        with pytest.raises(ModelError, match=r"model\.json is not a readable manifest"):
            Predictor(tmp_path, detector=None, backend=FakeBackend())

    def test_a_second_network_that_fails_closes_the_first(self):
        closed = []

        class Half(FakeBackend):
            def load(self, manifest: Manifest, *, mean=None):
                if manifest.task == "gender":
                    raise DeviceError("full")
                session = super().load(manifest, mean=mean)
                session.close = lambda: closed.append(manifest.name)
                return session

        with pytest.raises(DeviceError, match="full"):
            Predictor(detector=None, backend=Half())
        assert closed == ["fake_age"]
