"""The evaluation of whole models on a whole data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgeage import Predictor
from edgeage.compiler import compile_model, find_model
from edgeage.datasets.records import read_records
from edgeage.errors import DatasetError, ModelError, UsageError
from edgeage.evaluation import raw
from edgeage.evaluation.faces import open_faces
from edgeage.modelfiles import read_models
from edgeage.scoring import EvaluateOptions, evaluate
from edgeage.scoring.text import remarks

QUICK = {"resamples": 100, "seconds": 0.0, "cache": False}


def test_there_is_a_result_for_every_model_and_crop(document) -> None:
    told = [(result["model"], result["crop"]) for result in document["results"]]
    both, age = "agenet+gendernet FP32", "agenet FP32"
    assert told == [(both, "tight"), (age, "tight"), (both, "loose"), (age, "loose")]
    assert json.loads(json.dumps(document, allow_nan=False)) is not None
    assert "gender" not in document["results"][1]["figures"]
    assert document["models"][0]["time"]["p50_ms"] > 0
    assert document["models"][0]["bytes"] > document["models"][1]["bytes"] > 1000
    assert "apparent ages" in document["not_scored"][0]


def test_the_figures_are_those_of_a_predictor(document, small_data, trained_models, tmp_path):
    for name in ("agenet", "gendernet"):
        trained = find_model(trained_models / f"{name}.caffemodel")
        compile_model(trained, tmp_path, precision="FP32")
    records = [item.record for item in read_records(small_data / "records.csv")]
    with (
        open_faces(small_data) as faces,
        Predictor(tmp_path, "CPU", detector=None) as predictor,
    ):
        told = {record.name: record for record in records}
        said = [predictor.predict(faces.picture(place))[0] for place in range(len(faces))]
        true = [told[name] for name in faces.names]
    figures = document["results"][0]["figures"]
    errors = [abs(face.age - record.age) for face, record in zip(said, true, strict=True)]
    rights = [
        ("Male", "Female")[record.gender] == face.gender
        for face, record in zip(said, true, strict=True)
    ]
    assert figures["age_mae"]["value"] == pytest.approx(np.mean(errors), abs=1e-3)
    assert figures["gender"]["value"] == pytest.approx(np.mean(rights), abs=1e-5)
    assert figures["age_mae"]["faces"] == len(said) == document["sets"][0]["faces"]


def test_the_same_network_is_no_different_from_itself(document) -> None:
    lines = [line for line in document["comparisons"] if line["crop"] == "tight"]
    assert {line["figure"] for line in lines} >= {"age_mae", "age_group"}
    assert all(line["difference"] == line["low"] == line["high"] == 0 for line in lines)
    assert all(line["p"] == 1 for line in lines)


def test_a_list_of_faces_is_scored_whatever_their_side(small_data, words, tmp_path) -> None:
    items = read_records(small_data / "records.csv")
    chosen = [items[place].record for place in range(0, len(items), 3)]
    assert {items[place].split for place in range(0, len(items), 3)} == {"train", "test"}
    path = tmp_path / "some.sha256"
    path.write_text("".join(f"{face.sha256}  {face.name}\n" for face in chosen))
    options = EvaluateOptions(lists=(str(path), str(path)), **QUICK)
    found = evaluate([words], [small_data], options)
    assert [entry["faces"] for entry in found["sets"]] == [len(chosen)] * 2
    assert found["sets"][0]["part"] == "some"


def test_answers_are_kept_and_asked_for_again_when_damaged(
    small_data, words, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path))
    options = EvaluateOptions(resamples=100, seconds=0.0)
    asked: list[int] = []
    run = raw.answer_faces

    def counted(networks, faces, **settings):
        asked.append(len(faces))
        return run(networks, faces, **settings)

    monkeypatch.setattr(raw, "answer_faces", counted)
    first = evaluate([words], [small_data], options)
    again = evaluate([words], [small_data], options)
    assert first["results"] == again["results"]
    assert len(asked) == 1
    (kept,) = (tmp_path / "answers").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    assert evaluate([words], [small_data], options)["results"] == first["results"]
    assert len(asked) == 2


def test_the_answers_of_one_and_of_two_views_are_kept_apart(
    small_data, compiled_models, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path))
    manifests = read_models(compiled_models)
    with open_faces(small_data, limit=5) as faces:
        found = [raw.kept_answers(manifests, faces, crops=crops)["age"] for crops in (1, 2, 1, 2)]
    assert len(list((tmp_path / "answers").iterdir())) == 2
    assert np.abs(found[0] - found[1]).max() > 1e-3
    for once, again in zip(found[:2], found[2:], strict=True):
        np.testing.assert_array_equal(once, again)


def test_more_than_one_view_is_said(document) -> None:
    several = {**document, "options": {**document["options"], "crops": 10}}
    assert "Every answer is the mean of 10 views of the face." in remarks(several)
    assert not any("views" in line for line in remarks(document))


def test_a_model_a_fold_answers_only_its_own(small_data, trained_models, tmp_path) -> None:
    from edgeage.scoring.candidates import Candidate, Finder

    candidate = Finder(tmp_path).find(str(trained_models / "agenet.caffemodel"))
    one, other = candidate.manifests, (*candidate.manifests,)
    with open_faces(small_data) as faces:
        folds = tuple(str(place % 2) for place in range(len(faces)))
        object.__setattr__(faces.truth, "folds", folds)
        by_fold = Candidate("x", one, "x", {"0": one, "1": other})
        asked = []

        def answer(manifests, part):
            asked.append((manifests is other, part.names))
            return {"age": np.full((len(part), 9), float(manifests is other), np.float32)}

        found = by_fold.answers(faces, answer)["age"][:, 0]
    assert found.tolist() == [place % 2 for place in range(len(faces))]
    assert [names for is_other, names in asked if is_other] == [faces.names[1::2]]


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ({"models": ["agnet"]}, ModelError, "agnet is not there"),
        ({"models": []}, UsageError, "at least one model"),
        ({"models": ["runs/{fold}/a.caffemodel"]}, UsageError, "tells no folds"),
        ({"split": "tset"}, DatasetError, "no split «tset», only .*did you mean «test»"),
        ({"lists": ("utkface_all",)}, DatasetError, "has 0 of the 1012 faces"),
        ({"lists": ("nothing",)}, DatasetError, "is no list of faces"),
        ({"crop": ("losse",)}, UsageError, "did you mean «loose»"),
        ({"crops": 3}, UsageError, "crops of 1, 2 or 10, got 3"),
        ({"resamples": 10}, UsageError, "at least 100 resamples"),
    ],
)
def test_what_cannot_be_scored_is_said(small_data, words, change, error, reason) -> None:
    models = change.pop("models", [words])
    with pytest.raises(error, match=reason):
        evaluate(models, [small_data], EvaluateOptions(**{**QUICK, **change}))


def test_of_an_oversampled_data_set_the_unchanged_pictures_are_scored(
    small_data, tiny_utkface, tmp_path
) -> None:
    from edgeage.datasets import BuildOptions, build_utkface

    build_utkface(tiny_utkface.folder, tmp_path / "over", BuildOptions(size=67, split=0.3))
    with (
        open_faces(tmp_path / "over", split="train") as over,
        open_faces(small_data, split="train") as plain,
    ):
        assert over.names == plain.names
        for place in range(len(plain)):
            assert np.array_equal(over.picture(place), plain.picture(place))


def test_a_picture_that_is_not_stored_is_missed(small_data, tmp_path) -> None:
    import shutil

    folder = tmp_path / "part"
    shutil.copytree(small_data, folder, ignore=shutil.ignore_patterns("age_test_lmdb"))
    with pytest.raises(DatasetError, match="stores 0 pictures of"), open_faces(folder):
        pass


def test_faces_that_are_not_the_listed_ones_are_refused(small_data, tmp_path) -> None:
    record = read_records(small_data / "records.csv")[0].record
    path = Path(tmp_path / "other.sha256")
    path.write_text(f"{'0' * 64}  {record.name}\n")
    with (
        pytest.raises(DatasetError, match="is not the face of other.sha256"),
        open_faces(small_data, faces=path),
    ):
        pass
