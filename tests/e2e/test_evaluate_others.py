"""From a published archive to figures people quote, by models whose answers are known."""

from __future__ import annotations

import io
import json
import re
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from one_layer import SIDE, write_one_layer

from edgeage.labels import AGE_GROUPS, DEFAULT_GROUP_AGES
from edgeage.scoring import page as scoring_page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def _sure(folder: Path, group: int) -> None:
    """Write a network that answers one age group whatever it sees."""
    bias = 40 * np.eye(len(AGE_GROUPS))[group]
    write_one_layer(folder, "sure", np.zeros((len(AGE_GROUPS), 3 * SIDE * SIDE)), bias, 0)


def _picture(seed: int) -> bytes:
    import cv2

    blotches = np.random.default_rng(seed).uniform(0, 255, (5, 5, 3)).astype(np.float32)
    pixels = cv2.resize(blotches, (40, 40), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes()


def _tar(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def _zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def scored(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    """Build a data set from an archive, score models on it; what both commands told."""
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))

    def run(
        name: str,
        source: Path,
        models: str,
        *,
        build: Any = (),
        evaluate: Any = (),
        drawn: bool = False,
    ) -> Any:
        if not drawn:  # which takes longer than all the rest
            monkeypatch.setattr(scoring_page, "charts_as_svg", lambda _document: {})
        data, page = tmp_path / "data", tmp_path / "report.html"
        made = cli(
            *("dataset", "build", name, source, "-o", data, "--size", SIDE, "--no-oversample"),
            *(*build, "--json"),
        )
        assert made.exit_code == 0, made.stderr
        call = ("evaluate", "--models", models, "--data", data, "--seconds", 0, "--resamples", 100)
        done = cli(*call, "--html", page, "--json", *evaluate)
        assert done.exit_code == 0, done.stderr
        document = json.loads(done.stdout)
        text = page.read_text(encoding="utf-8")
        held = re.search(rf'id="{scoring_page.DATA_ID}"[^>]*>(.*?)</script>', text, re.DOTALL)
        assert held
        assert json.loads(held[1]) == document
        return json.loads(made.stdout), document

    return run


def _values(document: dict[str, Any]) -> dict[str, float]:
    (result,) = document["results"]
    return {name: figure["value"] for name, figure in result["figures"].items()}


# By fold the group its model answers, whose age is in or nearest to the range in the middle, and
# how many of four faces have that range and the next one to it.
ADIENCE = {
    0: (0, "(4, 6)", 4, 0),
    1: (2, "(25, 32)", 2, 1),
    2: (3, "(25, 32)", 1, 1),  # 34.5 years are as near to 38 as to 32, counted in whole years
    3: (5, "(48, 53)", 0, 2),
    4: (8, "(60, 100)", 3, 1),
}
NEXT = {"(4, 6)": "(0, 2)", "(25, 32)": "38", "(48, 53)": "45", "(60, 100)": "(48, 53)"}
OTHER = {"(4, 6)": "(25, 32)", "(25, 32)": "(60, 100)", "(48, 53)": "2", "(60, 100)": "(8, 12)"}


def test_adience_is_scored_in_its_five_folds(scored: Any, tmp_path: Path) -> None:
    pictures, tables = {}, tmp_path / "folds"
    tables.mkdir()
    for fold, (group, exact, right, near) in ADIENCE.items():
        _sure(tmp_path / "runs" / str(fold), group)
        ages = [exact] * right + [NEXT[exact]] * near
        ages += [OTHER[exact]] * (4 - len(ages))
        rows = ["user_id\toriginal_image\tface_id\tage\tgender"]
        for place, age in enumerate(ages):
            rows.append(f"{fold}{place % 2}@N0\t{place}_o.jpg\t7\t{age}\tu")
            path = f"aligned/{fold}{place % 2}@N0/landmark_aligned_face.7.{place}_o.jpg"
            pictures[path] = _picture(10 * fold + place)
        (tables / f"fold_{fold}_data.txt").write_text("\n".join(rows))
    report, document = scored(
        "adience",
        _tar(tmp_path / "aligned.tar.gz", pictures),
        str(tmp_path / "runs" / "{fold}" / "sure.caffemodel"),
        build=("--labels", tables, "--test-fold", 0),
        evaluate=("--split", "all"),
        drawn=True,
    )
    assert (report["faces"], document["sets"][0]["part"]) == (20, "all faces")
    (result,) = document["results"]
    exact = [right / 4 for _, _, right, _ in ADIENCE.values()]
    one_off = [(right + near) / 4 for _, _, right, near in ADIENCE.values()]
    for name, wanted in (("adience_group", exact), ("adience_one_off", one_off)):
        folds = result["folds"][name]
        assert list(folds["folds"].values()) == wanted
        assert folds["mean"] == pytest.approx(np.mean(wanted), abs=1e-5)
        assert folds["sd"] == pytest.approx(np.std(wanted, ddof=1), abs=1e-5)
        assert result["figures"][name]["value"] == pytest.approx(np.mean(wanted), abs=1e-5)


def test_fgnet_is_scored_by_models_that_left_a_person_out(scored: Any, tmp_path: Path) -> None:
    ages = {"001": (2, 5, 14, 33), "002": (20, 24), "003": (61,)}
    groups = {"001": 1, "002": 2, "003": 6}
    files = {"FGNET/points/001a02.pts": b"version: 1"}
    for person, years in ages.items():
        _sure(tmp_path / "runs" / person, groups[person])
        for age in years:
            files[f"FGNET/images/{person}A{age:02}.JPG"] = _picture(len(files))
    report, document = scored(
        "fgnet",
        _zip(tmp_path / "FGNET.zip", files),
        str(tmp_path / "runs" / "{fold}" / "sure.caffemodel"),
        build=("--split", "0.5"),
        evaluate=("--split", "all", "--crops", 2),
    )
    assert document["options"]["crops"] == 2
    assert report["drops"]["not a picture"]["count"] == 1
    off = {
        person: [abs(DEFAULT_GROUP_AGES[groups[person]] - age) for age in years]
        for person, years in ages.items()
    }
    every = np.concatenate(list(off.values()))
    told = _values(document)
    assert told["age_mae"] == pytest.approx(every.mean(), abs=1e-3)
    assert told["person_mae"] == pytest.approx(
        np.mean([np.mean(e) for e in off.values()]), abs=1e-3
    )
    assert told["age_cs5"] == pytest.approx((every <= 5).mean(), abs=1e-5)
    cs = document["results"][0]["cs"]
    assert cs == pytest.approx([(every <= years).mean() for years in range(len(cs))], abs=1e-5)
    assert document["sets"][0]["independent"] == 3


def test_appa_real_is_scored_by_both_ages_without_the_ignored(scored: Any, tmp_path: Path) -> None:
    header = "file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age"
    ages = {"train": [(9, 8.5)] * 2, "valid": [(30, 31.25)], "test": [(40, 43.5), (50, 47), (9, 9)]}
    files = {}
    for side, told in ages.items():
        rows = [header]
        for place, (real, apparent) in enumerate(told):
            name = f"00{len(files):04}.jpg"
            rows.append(f"{name},38,{apparent},3.1,{real}")
            files[f"appa-real-release/{side}/{name}"] = _picture(100 + len(files))
            files[f"appa-real-release/{side}/{name}_face.jpg"] = _picture(len(files))
            if (side, place) == ("test", 2):
                (tmp_path / "ignore_list.csv").write_text(f"{name}\n")
        files[f"appa-real-release/gt_avg_{side}.csv"] = "\n".join(rows).encode()
    _sure(tmp_path / "runs", 4)
    report, document = scored(
        "appa-real",
        _zip(tmp_path / "appa-real-release.zip", files),
        str(tmp_path / "runs" / "sure.caffemodel"),
        build=("--own-split", "--ignore", tmp_path / "ignore_list.csv"),
    )
    assert report["drops"]["on the ignore list"]["count"] == 1
    assert document["sets"][0]["faces"] == 2
    told = _values(document)
    assert told["age_mae"] == pytest.approx((4.5 + 5.5) / 2, abs=1e-3)
    assert told["age_bias"] == pytest.approx((4.5 - 5.5) / 2, abs=1e-3)
    assert told["apparent_mae"] == pytest.approx((1 + 2.5) / 2, abs=1e-3)
    assert "gender" not in told
