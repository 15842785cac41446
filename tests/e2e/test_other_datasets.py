"""``edgeage dataset build`` of data sets other than UTKFace, as a user types it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edgeage.datasets import DatumReader, read_records
from edgeage.inputspec import InputSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL = ("--size", 32, "--no-oversample")


def _picture(seed: int) -> bytes:
    import cv2

    blotches = np.random.default_rng(seed).uniform(0, 255, (5, 5, 3)).astype(np.float32)
    pixels = cv2.resize(blotches, (40, 40), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes()


@pytest.fixture
def fgnet(tmp_path: Path) -> Path:
    """Twelve people with four pictures each."""
    folder = tmp_path / "FGNET"
    folder.mkdir()
    for person in range(12):
        for turn in range(4):
            name = f"{person + 1:03}A{person + 17 * turn:02}.JPG"
            (folder / name).write_bytes(_picture(100 * person + turn))
    return folder


def _built(result: Any, folder: Path) -> tuple[dict[str, Any], list[Any]]:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout), read_records(folder / "records.csv")


def test_a_data_set_without_genders_has_no_gender_lmdbs(
    cli: Callable[..., Any], fgnet: Path, tmp_path: Path
) -> None:
    result = cli("dataset", "build", "fgnet", fgnet, "-o", tmp_path / "x", *SMALL, "--json")
    report, items = _built(result, tmp_path / "x")
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == [
        "age_gender_mean.npy", "age_test_lmdb", "age_train_lmdb", "mean.binaryproto",
        "records.csv", "report.json",
    ]  # fmt: skip
    assert set(report["counts"]) == {"age"}
    assert report["dataset"]["race"] == "unstated"
    assert len(items) == 48
    people = {
        side: {item.record.person for item in items if item.split == side}
        for side in ("train", "test")
    }
    assert people["train"] | people["test"] == {f"{n + 1:03}" for n in range(12)}
    assert not people["train"] & people["test"]


def test_a_data_set_without_races_refuses_race_in_one_line(
    cli: Callable[..., Any], fgnet: Path, tmp_path: Path
) -> None:
    result = cli("dataset", "build", "fgnet", fgnet, "-o", tmp_path / "x", "--race", "asian")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: fgnet does not say which race a face is of; leave --race out\n"
    )


def test_the_tables_say_what_was_taken(
    cli: Callable[..., Any], fgnet: Path, tmp_path: Path
) -> None:
    result = cli(
        "dataset", "build", "fgnet", fgnet, "-o", tmp_path / "x", *SMALL,
        "--ages", "0-39", "--limit", 20, "--balance",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    first = result.stdout.splitlines()[0]
    items = read_records(tmp_path / "x" / "records.csv")
    older = sum(int(path.name[4:6]) > 39 for path in fgnet.iterdir())
    assert first == (
        f"FG-NET: 48 files, {len(items)} faces taken, {older} of other ages, "
        f"{48 - older - len(items)} not chosen, 0 left out"
    )
    counts = Counter(item.record.age_group for item in items)
    assert len(items) <= 20
    assert max(counts.values()) - min(counts.values()) <= 1
    assert max(item.record.age for item in items) <= 39


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Sixty pictures of one's own with folds, splits and apparent ages."""
    folder = tmp_path / "own"
    folder.mkdir()
    lines = ["path,age,sex,fold,split,apparent_age"]
    for number in range(60):
        (folder / f"{number}.png").write_bytes(_picture(number))
        split = ("train", "val", "test")[number % 3]
        sex = ("male", "female", "")[number % 3]
        lines.append(f"{number}.png,{number},{sex},{number % 5},{split},{number + 0.5}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


def test_the_data_set_s_own_split_and_labels_are_kept(
    cli: Callable[..., Any], own: Path, tmp_path: Path
) -> None:
    result = cli(
        "dataset", "build", "csv", own, "-o", tmp_path / "x", *SMALL, "--own-split", "--json"
    )
    report, items = _built(result, tmp_path / "x")
    assert report["options"]["own_split"] is True
    for item in items:
        number = int(item.record.name.removesuffix(".png"))
        assert item.split == ("test" if number % 3 == 2 else "train")
        assert item.record.own_split == ("train", "valid", "test")[number % 3]
        assert (item.record.fold, item.record.apparent_age) == (number % 5, number + 0.5)
    # Faces whose gender is not known are in the age LMDBs alone; here all of the test faces.
    with DatumReader(tmp_path / "x" / "gender_train_lmdb") as reader:
        assert len(reader) == 40
    assert report["counts"]["gender"]["test"] == [0, 0]


def test_a_fold_is_the_test_set(cli: Callable[..., Any], own: Path, tmp_path: Path) -> None:
    call = ("dataset", "build", "csv", own, "-o", tmp_path / "x", *SMALL, "--json")
    _, items = _built(cli(*call, "--test-fold", 3), tmp_path / "x")
    assert {item.record.fold for item in items if item.split == "test"} == {3}
    assert sum(item.split == "test" for item in items) == 12
    result = cli(*call, "--overwrite", "--test-fold", 7)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "Error: no face is of fold 7; the data set's folds: 0, 1, 2, 3, 4"
    )


def test_png_holds_the_same_pixels_in_less(
    cli: Callable[..., Any], own: Path, tmp_path: Path
) -> None:
    for encoding in ("raw", "png"):
        result = cli(
            "dataset", "build", "csv", own, "-o", tmp_path / encoding, "--size", 227,
            "--no-oversample", "--encoding", encoding,
        )  # fmt: skip
        assert result.exit_code == 0, result.stderr
    for name in ("age_train_lmdb", "gender_train_lmdb"):
        with (
            DatumReader(tmp_path / "raw" / name) as raw,
            DatumReader(tmp_path / "png" / name) as png,
        ):
            assert [png.key(n) for n in range(len(png))] == [raw.key(n) for n in range(len(raw))]
            for number in range(len(raw)):
                (pixels, label), (same, also) = raw.get(number), png.get(number)
                assert np.array_equal(pixels, same)
                assert label == also
        sizes = [(tmp_path / kind / name / "data.mdb").stat().st_size for kind in ("raw", "png")]
        assert sizes[1] < 0.6 * sizes[0]
    mean = "mean.binaryproto"
    assert (tmp_path / "raw" / mean).read_bytes() == (tmp_path / "png" / mean).read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ages", "old"], "expected --ages as in 18-60, got «old»"),
        (["--ages", "60-18"], "expected ages within 0 to 120, got (60, 18)"),
        (["--column", "age"], "expected «age» as in: --column age=years"),
        (["--genders", "1=man"], "expected male or female in --genders, got «man»"),
        (["--own-split", "--test-fold", "1"], "expected one of test_from, own_split and test_fold"),
        (["--min-score", "2"], "csv has no use for --min-score; it takes columns, genders, labels"),
        (["--min-face", "40"], "--min-face needs --detect, which looks for faces"),
        (["--labels", "nowhere.csv"], "'nowhere.csv' does not exist"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_wrong_option_is_one_clear_line(
    options: list[str], message: str, cli: Callable[..., Any], own: Path, tmp_path: Path
) -> None:
    result = cli("dataset", "build", "csv", own, "-o", tmp_path / "x", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert not (tmp_path / "x").exists()


def _photo(seed: int, face: np.ndarray) -> np.ndarray:
    import cv2

    picture = cv2.imdecode(np.frombuffer(_picture(seed), np.uint8), cv2.IMREAD_COLOR)
    picture = cv2.resize(picture, (400, 400), interpolation=cv2.INTER_CUBIC)
    picture[145:255, 145:255] = face
    return picture


def test_faces_are_found_cut_out_and_remembered(
    cli: Callable[..., Any],
    astronaut_face: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import cv2

    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "in"
    folder.mkdir()
    plain = [np.full((400, 400, 3), level, np.uint8) for level in (90, 140)]
    # Two backgrounds, or both would be taken for one photograph and stay on one side.
    first, second = (_photo(seed, astronaut_face) for seed in (0, 1))
    several = np.hstack([first, second])
    for number, picture in enumerate([first, second, several, *plain]):
        cv2.imwrite(str(folder / f"00{number}A3{number}.jpg"), picture)
    call = ("dataset", "build", "fgnet", folder, *SMALL, "--split", "0.5", "--detect", "--json")
    report, _ = _built(cli(*call, "--margin", "1.5", "-o", tmp_path / "x"), tmp_path / "x")
    assert {reason: entry["files"] for reason, entry in report["drops"].items()} == {
        "no face found": ["003A33.jpg", "004A34.jpg"], "several faces": ["002A32.jpg"],
    }  # fmt: skip
    assert report["options"]["margin"] == 1.5
    spec = InputSpec.from_dict(report["input"])
    assert (spec.margin, spec.landmarks is not None) == (1.5, True)

    # A second run asks the detector for nothing, and another margin is free.
    from edgeage.faces import cutter

    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("the detector was opened")

    monkeypatch.setattr(cutter, "open_detector", refuse)
    again, _ = _built(cli(*call, "--margin", "1.5", "-o", tmp_path / "y"), tmp_path / "y")
    assert again["lmdb"] == report["lmdb"]
    wide, _ = _built(cli(*call, "--margin", "1.2", "-o", tmp_path / "z"), tmp_path / "z")
    assert wide["lmdb"] != report["lmdb"]
    assert wide["input"]["margin"] == 1.2


def test_full_pictures_are_cut_where_the_data_set_says(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    import cv2
    from scipy.io import savemat

    folder = tmp_path / "wiki"
    paths = [f"{n:02}/{n}_1980-01-01_{2000 + n}.png" for n in range(8)]
    for number, path in enumerate(paths):
        picture = np.full((120, 160, 3), 255, np.uint8)
        face = cv2.imdecode(np.frombuffer(_picture(number), np.uint8), cv2.IMREAD_COLOR)
        picture[30:70, 60:100] = face
        (folder / path).parent.mkdir(parents=True)
        cv2.imwrite(str(folder / path), picture)

    def cells(values: list[Any]) -> np.ndarray:
        found = np.empty((1, len(values)), object)
        for index, value in enumerate(values):
            found[0, index] = np.array([value])
        return found

    years = np.arange(2000.0, 2008.0)[None]
    wiki = {
        "dob": np.full((1, 8), 723181.0), "photo_taken": years, "gender": years % 2,
        "face_score": np.full((1, 8), 3.0), "second_face_score": np.full((1, 8), np.nan),
        "full_path": cells(paths), "face_location": cells([[61.0, 31.0, 100.0, 70.0]] * 8),
    }  # fmt: skip
    savemat(folder / "wiki.mat", {"wiki": wiki})
    options = ("--form", "full", "--split", "0.5", "--json")
    call = ("dataset", "build", "imdb-wiki", folder, *SMALL, *options)
    report, items = _built(cli(*call, "-o", tmp_path / "x", "--margin", "0"), tmp_path / "x")
    assert sorted(item.record.age for item in items) == list(range(20, 28))
    assert {item.record.name: item.record.gender for item in items} == {
        path: 1 - n % 2 for n, path in enumerate(paths)
    }
    assert report["input"]["margin"] == 0
    wide, _ = _built(cli(*call, "-o", tmp_path / "y", "--margin", "1"), tmp_path / "y")
    assert wide["input"]["margin"] == 1
    # The face alone is coloured; with its surroundings, which are white, the mean is brighter.
    assert min(wide["mean"]["channels_bgr"]) > max(report["mean"]["channels_bgr"]) + 40
