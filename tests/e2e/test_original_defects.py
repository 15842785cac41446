"""One regression test for each defect of the scripts this project took its task from.

Each test's docstring names the defect; the commands are run as a user would type them.
"""

from __future__ import annotations

import json
import random
import tarfile

import numpy as np
import pytest

from edgeage.caffe import read_mean
from edgeage.datasets.store import DatumReader
from edgeage.manifest import Manifest
from edgeage.runtime.core import openvino_core


def _build(cli, source, out, *more):
    words = ("dataset", "build", "utkface", source, "-o", out, "--seed", "230", "--size", "67")
    result = cli(*words, *more)
    assert result.exit_code == 0, result.stderr
    return json.loads((out / "report.json").read_text())


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """Red-ish faces: ages 0-9 eleven times, 10-19 four times, 20-29 once; one in three a man.

    The pictures are noise, so that no two are near-duplicates.
    """
    import cv2

    folder = tmp_path_factory.mktemp("uneven") / "UTKFace"
    folder.mkdir()
    for number, age in enumerate([3] * 11 + [14] * 4 + [25]):
        rng = np.random.default_rng(number)
        blotches = rng.uniform(0, 60, (6, 6, 3)).astype(np.float32)
        picture = cv2.resize(blotches, (80, 80), interpolation=cv2.INTER_CUBIC) + np.float32(
            [20, 60, 170]
        )
        name = f"{age}_{int(number % 3 != 0)}_2_{20170101000000000 + number}.jpg.chip.jpg"
        pixels = np.clip(picture, 0, 255).astype(np.uint8)
        (folder / name).write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
    return folder


def _records(lmdb):
    with DatumReader(lmdb) as reader:
        return [(reader.key(i).decode(), *reader.get(i)) for i in range(len(reader))]


def test_training_and_inference_use_bgr_alike(cli, uneven, tmp_path):
    """Trained in BGR, run in RGB with the BGR mean."""
    from edgeage.images import read_image
    from edgeage.inputspec import InputSpec

    report = _build(cli, uneven, tmp_path / "data")
    stored = _records(tmp_path / "data" / "age_test_lmdb")[0][1]
    assert stored[2].mean() > stored[1].mean() > stored[0].mean()  # red is the last channel
    mean = read_mean(tmp_path / "data" / "age_gender_mean.npy")
    assert mean[2].mean() > mean[1].mean() > mean[0].mean()
    picture = read_image(sorted(uneven.iterdir())[0])
    prepared = InputSpec.from_dict(report["input"]).prepare(picture)
    assert prepared[2].mean() > prepared[1].mean() > prepared[0].mean()


def test_the_full_mean_image_is_used_on_the_device_too(compiled_models, trained_models):
    """Mean image in training, one value a channel in inference."""

    trained = read_mean(Manifest.read(trained_models / "agenet.json").file("mean"))
    assert trained.std(axis=(1, 2)).min() > 0, "a flat mean could not tell the two apart"
    model = openvino_core().read_model(compiled_models / "agenet" / "agenet.xml")
    constants = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    np.testing.assert_array_equal(constants["mean"].data[0], trained)


def test_oversampling_uses_every_original_and_fills_every_class(cli, uneven, tmp_path):
    """The last picture never used; a class of one dividing by zero; odd classes one short."""
    report = _build(cli, uneven, tmp_path / "data", "--oversample")
    counts = report["counts"]["age"]
    before = [count for count in counts["train"] if count]
    assert 1 in before
    assert max(before) % 2 == 1
    assert [count for count in counts["train_stored"] if count] == [max(before)] * len(before)
    names = [key[9:] for key, *_ in _records(tmp_path / "data" / "age_train_lmdb")]
    originals = [name for name in names if name.endswith(".jpg")]
    small = [name for name in originals if name.startswith("14_")]
    assert len(small) >= 3
    for name in small:
        assert any(other.startswith(f"{name}_") for other in names), f"{name} was never used"


def test_the_split_does_not_depend_on_the_order_of_the_files(cli, uneven, tmp_path):
    """The split taken from an unsorted directory listing."""
    reports = []
    for turn in range(2):
        paths = sorted(uneven.iterdir())
        random.Random(turn).shuffle(paths)
        archive = tmp_path / f"faces{turn}.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for path in paths:
                tar.add(path, arcname=f"UTKFace/{path.name}")
        reports.append(_build(cli, archive, tmp_path / f"data{turn}"))
    assert reports[0]["lmdb"] == reports[1]["lmdb"]
    records = [(tmp_path / f"data{turn}" / "records.csv").read_text() for turn in range(2)]
    assert records[0] == records[1]


def test_a_second_build_keeps_nothing_of_the_first(cli, uneven, tiny_utkface, tmp_path):
    """The folder of oversampled pictures was never emptied."""
    _build(cli, tiny_utkface.archive, tmp_path / "data", "--oversample")
    again = cli("dataset", "build", "utkface", uneven, "-o", tmp_path / "data")
    assert again.exit_code == 1
    assert "not empty" in again.stderr
    report = _build(cli, uneven, tmp_path / "data", "--oversample", "--overwrite")
    names = [key for key, *_ in _records(tmp_path / "data" / "age_train_lmdb")]
    assert len(names) == sum(report["counts"]["age"]["train_stored"])
    assert not any(sound in key for sound in tiny_utkface.valid for key in names)


def test_every_test_picture_is_scored(cli, uneven, trained_models, tmp_path):
    """13 batches of 50 out of 687 test pictures."""
    report = _build(cli, uneven, tmp_path / "data", "--split", "0.5")
    expected = sum(report["counts"]["age"]["test"])
    assert expected % 50
    result = cli(
        "test", "agenet", "--data", tmp_path / "data",
        "--model", trained_models / "agenet.caffemodel", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["images"] == expected


def test_gender_is_trained_on_its_own_balance_of_the_originals(cli, uneven, tmp_path):
    """Gender trained on the list that was balanced for age, and so skewed in gender."""
    report = _build(cli, uneven, tmp_path / "data", "--oversample")
    counts = report["counts"]["gender"]
    assert counts["train"][0] != counts["train"][1]
    assert counts["train_stored"] == [max(counts["train"])] * 2
    keys = [key[9:] for key, *_ in _records(tmp_path / "data" / "gender_train_lmdb")]
    originals = sorted(name for name in keys if name.endswith(".jpg"))
    assert len(originals) == len(set(originals)) == sum(counts["train"])


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("dataset", "build", "utkface", "{empty}", "-o", "{out}"), id="dataset"),
        pytest.param(("train", "agenet", "--data", "{empty}", "-o", "{out}"), id="train"),
        pytest.param(("test", "agenet", "--data", "{empty}"), id="test"),
        pytest.param(("compile", "{empty}/a.caffemodel", "-o", "{out}"), id="compile"),
        pytest.param(("infer", "--image", "{empty}"), id="infer"),
    ],
)
def test_a_step_that_fails_says_so_to_the_next(cli, tmp_path, words):
    """Scripts that ignored failures and went on with what an earlier run had left."""
    empty = tmp_path / "empty"
    empty.mkdir()
    result = cli(*(word.format(empty=empty, out=tmp_path / "out") for word in words))
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_toolchain")
def test_no_stick_is_an_error_or_a_fallback_never_the_end_of_the_program(
    cli, repo_root, compiled_models
):
    """``quit()`` when no stick was attached."""
    words = ("infer", "--image", repo_root / "examples" / "test_0.png", "--device", "MYRIAD")
    words += ("--models", compiled_models)
    alone = cli(*words)
    assert alone.exit_code == 1
    assert "MYRIAD" in alone.stderr
    rescued = cli(*words, "--fallback", "CPU", "--json")
    assert rescued.exit_code == 0, rescued.stderr
    assert json.loads(rescued.stdout)["results"][0]["faces"][0]["device"] == "CPU"
