"""``edgeage infer`` as a user types it."""

from __future__ import annotations

import json
import os
import re

import cv2
import numpy as np
import pytest

from edgeage.images import resize

LINE = re.compile(
    r"a\.png  age group (\d+-\d+) \(\d+\.\d %\), \d+\.\d years  "
    r"(Male|Female) \(\d+\.\d %\)  \d+\.\d ms  CPU"
)


def test_one_picture_is_one_line(infer, pictures):
    done = infer("--image", pictures / "a.png")
    assert (done.exit_code, done.stderr) == (0, "")
    assert LINE.fullmatch(done.stdout.rstrip("\n"))


def test_json_says_what_the_predictor_says(infer, pictures, compiled_models):
    from edgeage import Predictor

    done = infer("--image", pictures / "a.png", "--json")
    with Predictor(compiled_models) as predictor:
        expected = predictor.predict(pictures / "a.png")[0].to_dict()
    (result,) = json.loads(done.stdout)["results"]
    (face,) = result["faces"]
    assert result["image"] == str(pictures / "a.png")
    assert set(face) == set(expected)
    assert face["age"] == pytest.approx(expected["age"], abs=1e-3)
    assert face["age_probabilities"] == pytest.approx(expected["age_probabilities"], abs=1e-5)


def test_folders_and_pictures_in_order(infer, pictures):
    done = infer("--image", pictures / "b.png", pictures, "--json")
    images = [result["image"] for result in json.loads(done.stdout)["results"]]
    assert images == [str(pictures / name) for name in ("b.png", "a.png", "b.png", "deep/a.png")]


def test_a_bad_picture_spoils_no_other(infer, pictures, tmp_path):
    (pictures / "c.png").write_bytes((pictures / "a.png").read_bytes()[:200])
    (tmp_path / "empty").mkdir()
    done = infer(pictures, tmp_path / "none.png", tmp_path / "empty", pictures / "b.png")
    assert done.exit_code == 1
    assert [line.split("  ")[0] for line in done.stdout.splitlines()] == [
        "a.png", "b.png", "a.png", "b.png",
    ]  # fmt: skip
    errors = done.stderr.splitlines()
    assert len(errors) == 3
    for name, line in zip(("c.png", "none.png", "empty"), errors, strict=True):
        assert line.startswith("Error: ")
        assert name in line


def test_bad_pictures_in_json_stand_in_their_place(infer, pictures, tmp_path):
    done = infer(tmp_path / "none.png", pictures / "a.png", "--json")
    first, second = json.loads(done.stdout)["results"]
    assert "does not exist" in first["error"]
    assert len(second["faces"]) == 1
    assert done.exit_code == 1


def test_only_bad_pictures_need_no_model(cli, tmp_path):
    done = cli("infer", tmp_path / "none.png", "--models", tmp_path / "no-models")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        f"Error: {tmp_path / 'none.png'} does not exist; expected a picture or a folder of pictures"
    ]


class TestFaces:
    @pytest.fixture
    def photo(self, tmp_path):
        """A photograph with one face, at 168 to 278 across and 64 to 174 down."""
        from skimage.data import astronaut

        cv2.imwrite(str(tmp_path / "photo.png"), astronaut()[:, :, ::-1])
        return tmp_path / "photo.png"

    @pytest.fixture
    def blank(self, tmp_path):
        cv2.imwrite(str(tmp_path / "blank.png"), np.full((120, 90, 3), 128, np.uint8))
        return tmp_path / "blank.png"

    @pytest.mark.parametrize("detector", ["mtcnn", "haar"])
    @pytest.mark.parametrize("detect", ["auto", "always"])
    def test_are_found_in_a_photograph(self, detect, detector, infer, photo):
        done = infer(photo, "--json", "--detect", detect, "--detector", detector)
        (face,) = json.loads(done.stdout)["results"][0]["faces"]
        left, top, right, bottom = face["box"]
        assert (done.exit_code, done.stderr) == (0, "")
        assert 150 < left < 200
        assert 50 < top < 90
        assert 240 < right < 290
        assert 150 < bottom < 200
        assert face["detected"]
        assert 0 < face["score"] <= 1
        assert len(face["landmarks"]) == (5 if detector == "mtcnn" else 0)

    def test_are_not_looked_for_where_every_picture_is_one(self, infer, photo):
        done = infer(photo, "--json", "--detect", "never")
        (face,) = json.loads(done.stdout)["results"][0]["faces"]
        assert (face["box"], face["detected"], face["score"]) == ([0, 0, 512, 512], False, None)

    def test_none_is_said_once_and_marked(self, infer, blank, photo):
        done = infer(blank, photo)
        assert done.exit_code == 0
        assert done.stderr == f"{blank}: no face found, the whole picture taken as the face\n"
        first, second = done.stdout.splitlines()
        assert first.startswith("blank.png  age group")
        assert first.endswith("  whole picture")
        assert second.startswith("photo.png  age group")
        assert not second.endswith("whole picture")

    def test_none_is_an_error_where_one_must_be(self, infer, blank, photo):
        done = infer(blank, photo, "--detect", "always")
        assert done.exit_code == 1
        assert done.stderr == f"Error: {blank} shows no face that can be found\n"
        assert done.stdout.startswith("photo.png  age group")

    def test_a_gender_less_sure_than_wanted_is_unknown(self, infer, photo):
        done = infer(photo, "--min-confidence", "1")
        assert re.search(r"years  unknown \(\d+\.\d %\)", done.stdout)

    def test_a_margin_changes_what_the_networks_see(self, infer, photo):
        ages = [
            json.loads(infer(photo, "--json", *margin).stdout)["results"][0]["faces"][0]["age"]
            for margin in ([], ["--margin", "0"], ["--margin", "0.4"])
        ]
        assert ages[0] == pytest.approx(ages[1], abs=1e-3)
        assert ages[2] != pytest.approx(ages[1], abs=1e-3)

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            (["--detect", "sometimes"], "auto"),
            (["--detector", "mtcn"], "did you mean «mtcnn»"),
            (["--margin", "-0.5"], "margin"),
            (["--min-face", "0"], "min-face"),
            (["--min-confidence", "2"], "min-confidence"),
            (["--mode", "quick"], "latency"),
            (["--threads", "0"], "threads"),
            (["--streams", "0"], "streams"),
        ],
        ids=lambda value: "" if isinstance(value, str) else " ".join(value),
    )
    def test_a_wrong_option_is_a_wrong_call(self, options, reason, infer, photo):
        done = infer(photo, *options)
        assert (done.exit_code, done.stdout) == (2, "")
        assert reason in done.stderr


class TestCrops:
    def test_two_are_the_mean_with_the_mirror_image(self, infer, pictures, tmp_path):
        picture = cv2.imread(str(pictures / "a.png"))
        cv2.imwrite(str(tmp_path / "mirrored.png"), picture[:, ::-1])
        told = []
        for path, crops in [
            (pictures / "a.png", "1"),
            (tmp_path / "mirrored.png", "1"),
            (pictures / "a.png", "2"),
        ]:
            done = infer(path, "--json", "--crops", crops)
            assert (done.exit_code, done.stderr) == (0, "")
            told.append(json.loads(done.stdout)["results"][0]["faces"][0]["age_probabilities"])
        one, other, both = np.array(told)
        assert np.abs(one - other).max() > 2e-3
        np.testing.assert_allclose(both, (one + other) / 2, atol=1e-3)

    def test_ten_are_views_of_the_picture_enlarged(self, infer, pictures, tmp_path):
        (views := tmp_path / "views").mkdir()
        picture = cv2.resize(cv2.imread(str(pictures / "a.png")), (67, 67))
        larger = resize(picture, (76, 76))
        for place, (top, left) in enumerate([(0, 0), (0, 9), (9, 0), (9, 9), (4, 4)]):
            view = larger[top : top + 67, left : left + 67]
            cv2.imwrite(str(views / f"{place}.png"), view)
            cv2.imwrite(str(views / f"{place}_mirrored.png"), view[:, ::-1])
        cv2.imwrite(str(tmp_path / "whole.png"), picture)
        told = []
        for path, crops in ((views, "1"), (tmp_path / "whole.png", "10")):
            done = infer(path, "--json", "--crops", crops)
            assert (done.exit_code, done.stderr) == (0, "")
            results = json.loads(done.stdout)["results"]
            told.append([result["faces"][0]["age_probabilities"] for result in results])
        assert np.shape(told[0]) == (10, 9)
        np.testing.assert_allclose(told[1][0], np.mean(told[0], axis=0), atol=1e-3)

    def test_another_number_is_a_wrong_call(self, infer, pictures):
        done = infer(pictures / "a.png", "--crops", "3")
        assert (done.exit_code, done.stdout) == (2, "")
        assert "'1', '2', '10'" in done.stderr


class TestMean:
    def test_replaces_the_models_own(self, infer, pictures, compiled_models, tmp_path):
        own = np.load(compiled_models / "agenet" / "mean.npy")
        np.save(tmp_path / "own.npy", own)
        np.save(tmp_path / "other.npy", own / 2)
        ages = {}
        for name, options in {
            "none": [],
            "own": ["--mean", tmp_path / "own.npy"],
            "other": ["--mean", tmp_path / "other.npy"],
        }.items():
            done = infer("--image", pictures / "a.png", "--json", *options)
            assert done.exit_code == 0, done.stderr
            ages[name] = json.loads(done.stdout)["results"][0]["faces"][0]["age"]
        assert ages["own"] == pytest.approx(ages["none"], abs=1e-3)
        assert ages["other"] != pytest.approx(ages["none"], abs=1e-3)

    @pytest.mark.parametrize(
        ("mean", "reason"),
        [
            (np.zeros((67, 67, 3), np.float32), "expected (3, 67, 67) in BGR order"),
            (np.zeros((3, 227, 227), np.float32), "pictures of another size"),
            (np.zeros((3, 67, 67), "U4"), "expected real numbers"),
        ],
        ids=["channels last", "another size", "text"],
    )
    def test_is_refused_with_the_reason(self, mean, reason, infer, pictures, tmp_path):
        np.save(tmp_path / "mean.npy", mean)
        done = infer("--image", pictures / "a.png", "--mean", tmp_path / "mean.npy")
        assert (done.exit_code, done.stdout) == (1, "")
        assert reason in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.usefixtures("no_toolchain")
class TestDevice:
    def test_an_unknown_one_is_a_wrong_call(self, infer, pictures):
        done = infer("--image", pictures / "a.png", "--device", "TPU")
        assert (done.exit_code, done.stdout) == (2, "")
        assert "unknown device «TPU»; expected AUTO, " in done.stderr

    def test_a_missing_one_says_which_are_here(self, infer, pictures):
        done = infer("--image", pictures / "a.png", "--device", "multi:gpu.7,cpu")
        assert (done.exit_code, done.stdout) == (1, "")
        assert "«MULTI:GPU.7,CPU»" in done.stderr
        assert "devices here: CPU" in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_a_stick_without_its_tools_says_how_to_get_them(self, infer, pictures):
        done = infer("--image", pictures / "a.png", "--device", "MYRIAD")
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == (
            "Error: cannot open MYRIAD: the Movidius tools are not installed; install them with: "
            "edgeage toolchain install\n"
        )

    def test_the_tools_python_can_be_named(self, infer, pictures, tmp_path):
        named = ("--movidius-python", tmp_path / "python")
        done = infer("--image", pictures / "a.png", "--device", "MYRIAD", *named)
        assert done.exit_code == 1
        assert str(tmp_path / "python") in done.stderr
        assert "EDGEAGE_MOVIDIUS_PYTHON" not in os.environ

    def test_a_fallback_takes_its_place(self, infer, pictures):
        done = infer("--image", pictures / "a.png", "--device", "MYRIAD", "--fallback", "CPU")
        assert done.exit_code == 0
        assert done.stdout.rstrip("\n").endswith("CPU")
        assert done.stderr.rstrip("\n").endswith("edgeage toolchain install; using CPU instead")
        assert len(done.stderr.splitlines()) == 1

    def test_json_tells_the_times_apart(self, infer, pictures):
        timing = json.loads(infer(pictures / "a.png", "--json").stdout)["timing"]
        assert timing["load_ms"] > timing["first_ms"] > 0
        assert (timing["steady_ms"] > 0, timing["faces"]) == (True, 1)


def test_no_picture_is_a_wrong_call(cli):
    done = cli("infer")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no picture given; name one with --image PATH" in done.stderr


def test_a_damaged_model_is_one_line(cli, compiled_models, pictures, tmp_path):
    import shutil

    shutil.copytree(compiled_models, tmp_path / "models")
    (tmp_path / "models" / "agenet" / "agenet.bin").write_bytes(b"cut off")
    done = cli("infer", pictures / "a.png", "--models", tmp_path / "models")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "agenet.bin does not match its manifest" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_released_models_are_the_default(cli, trained_models, pictures, tmp_path, monkeypatch):
    from edgeage.compiler import sources
    from edgeage.paths import data_dir

    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        sources,
        "data_dir",
        lambda name: trained_models if name == "caffe_models" else data_dir(name),
    )
    mean = ["--mean", next(trained_models.glob("*.npy"))]
    for words, names in (([], ["edgeage-s"]), (mean, ["agenet", "gendernet"])):
        first = cli("infer", "--image", pictures / "a.png", *words)
        assert first.exit_code == 0, first.stderr
        assert LINE.fullmatch(first.stdout.rstrip("\n"))
        # A CPU whose half precision is too coarse is told to compute in single precision.
        told = [line for line in first.stderr.splitlines() if " computes in single " not in line]
        assert [line.split(" for ")[0] for line in told] == [f"Compiling {name}" for name in names]
        again = cli("infer", "--image", pictures / "a.png", *words)
        assert (again.exit_code, again.stderr) == (0, "")


def test_somebody_elses_network(cli, channel_network, tmp_path):
    """One output for the age in years, one for the gender; no group has a probability."""
    model = {
        "manifest": 1,
        "files": {"ir_xml": "net.xml"},
        "input": {"size": [12, 12], "channel_order": "RGB", "pixel_range": [0, 1]},
        "outputs": [
            {"name": "years", "task": "age", "kind": "years", "factor": 100},
            {"name": "genders", "task": "gender", "labels": ["Female", "Male"], "logits": True},
        ],
    }
    network = channel_network()
    missing = cli("infer", "--model", network, tmp_path / "red.png")
    (tmp_path / "model.json").write_text(json.dumps(model))
    cv2.imwrite(str(tmp_path / "red.png"), np.full((20, 20, 3), (0, 0, 102), np.uint8))
    for place in (network, tmp_path, tmp_path / "model.json"):
        words = ("--detect", "never", "--save", tmp_path / "drawn")
        done = cli("infer", "--model", place, tmp_path / "red.png", *words)
        assert (done.exit_code, done.stderr) == (0, "")
        assert re.fullmatch(
            r"red\.png  age group 40-49, 4\d\.\d years  Female \(59\.\d %\)  .* CPU\n", done.stdout
        )
        (tmp_path / "drawn" / "red.png").unlink()
    assert missing.exit_code == 1
