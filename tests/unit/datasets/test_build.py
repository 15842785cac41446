from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lmdb
import numpy as np
import pytest

from edgeage.caffe import mean_sha256, read_mean
from edgeage.datasets import (
    BuildOptions,
    DatumReader,
    build_utkface,
    compute_mean,
    read_records,
    read_report,
)
from edgeage.errors import DatasetError, EdgeageError, UsageError
from edgeage.inputspec import InputSpec
from edgeage.labels import AGE_GROUPS
from edgeage.paths import data_dir
from edgeage.tomlfile import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = BuildOptions(size=32, workers=2)
STORES = ("age_train_lmdb", "age_test_lmdb", "gender_train_lmdb", "gender_test_lmdb")


def _content(folder: Path) -> dict[str, Any]:
    """Everything a network sees of a data set: the pairs of each LMDB, the mean, the records."""
    found: dict[str, Any] = {
        name: (folder / name).read_bytes()
        for name in ("mean.binaryproto", "age_gender_mean.npy", "records.csv")
    }
    for name in STORES:
        with (
            lmdb.open(str(folder / name), readonly=True, lock=False) as environment,
            environment.begin() as transaction,
        ):
            found[name] = list(transaction.cursor())
    return found


@pytest.fixture(scope="module")
def built(tiny_utkface: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "tiny"
    build_utkface(tiny_utkface.archive, folder, OPTIONS)
    return folder


def test_the_folder_holds_what_it_should_and_no_more(built: Path) -> None:
    assert sorted(path.name for path in built.iterdir()) == sorted(
        [*STORES, "mean.binaryproto", "age_gender_mean.npy", "records.csv", "report.json"]
    )
    assert [path.name for path in built.parent.iterdir()] == ["tiny"]


def test_every_face_is_accounted_for(built: Path, tiny_utkface: Any) -> None:
    report = read_report(built)
    records = read_records(built / "records.csv")
    assert tuple(item.record.name for item in records) == tiny_utkface.valid
    dropped = {reason: entry["files"] for reason, entry in report["drops"].items()}
    assert {reason: [Path(file).name for file in files] for reason, files in dropped.items()} == {
        "missing dot": ["55_0_0_20170116232725357jpg.chip.jpg"],
        "missing field": ["61_1_20170109142408075.jpg.chip.jpg"],
        "space in the name": ["24_0_1_20170116220224657 .jpg.chip.jpg"],
        "unreadable picture": list(tiny_utkface.unreadable),
    }
    assert report["source"]["files"] == len(records) + 4


def test_near_duplicates_stay_on_one_side(built: Path, tiny_utkface: Any) -> None:
    items = {item.record.name: item for item in read_records(built / "records.csv")}
    for first, second in tiny_utkface.pairs:
        assert items[first].duplicate_group is not None
        assert items[first].duplicate_group == items[second].duplicate_group
        assert items[first].split == items[second].split
    assert read_report(built)["near_duplicates"]["pairs"] == len(tiny_utkface.pairs)


@pytest.mark.parametrize("task", ["age", "gender"])
def test_lmdbs_hold_the_split(built: Path, task: str) -> None:
    items = read_records(built / "records.csv")
    sides = {item.record.name: item.split for item in items}
    labels = {item.record.name: item.record.label(task) for item in items}
    for side in ("train", "test"):
        names = []
        with DatumReader(built / f"{task}_{side}_lmdb") as reader:
            for index in range(len(reader)):
                number, name = reader.key(index).decode().split("_", 1)
                original = name if name in sides else name.rsplit("_", 1)[0]
                assert (int(number), sides[original]) == (index, side)
                assert reader.get(index)[1] == labels[original]
                names.append(name)
        originals = [name for name in sides if sides[name] == side]
        assert set(originals) <= set(names)
        if side == "test":
            assert sorted(names) == originals


def test_training_classes_are_balanced_and_reported(built: Path) -> None:
    report = read_report(built)
    for task in ("age", "gender"):
        counts = report["counts"][task]
        with DatumReader(built / f"{task}_train_lmdb") as reader:
            stored = Counter(reader.get(index)[1] for index in range(len(reader)))
        assert [stored[label] for label in range(len(counts["labels"]))] == counts["train_stored"]
        filled = {count for count in counts["train_stored"] if count}
        assert filled == {max(counts["train"])}


def test_pixels_are_the_pictures_in_bgr(built: Path, tiny_utkface: Any) -> None:
    from edgeage.images import read_image, resize, to_chw

    with DatumReader(built / "age_test_lmdb") as reader:
        for index in range(len(reader)):
            name = reader.key(index).decode().split("_", 1)[1]
            picture = read_image(tiny_utkface.folder / name)
            assert np.array_equal(reader.get(index)[0], to_chw(resize(picture, (32, 32))))


def test_the_mean_is_that_of_the_age_training_lmdb(built: Path) -> None:
    with DatumReader(built / "age_train_lmdb") as reader:
        mean = compute_mean(reader)
    for name in ("mean.binaryproto", "age_gender_mean.npy"):
        assert np.array_equal(read_mean(built / name), mean)
    spec = InputSpec.from_dict(read_report(built)["input"])
    crop = read_toml(data_dir("datasets") / "utkface.toml")["crop"]
    assert spec == InputSpec((32, 32), (32, 32), mean_sha256=mean_sha256(mean), **crop)
    assert spec.landmarks is not None


def test_group_ages_are_means_of_the_training_faces(built: Path) -> None:
    ages = read_report(built)["group_ages"]
    faces = [item.record for item in read_records(built / "records.csv") if item.split == "train"]
    for group in range(len(AGE_GROUPS)):
        own = [face.age for face in faces if face.age_group == group]
        assert ages[group] == pytest.approx(np.mean(own), abs=1e-3)


def _as_zip(folder: Path, path: Path) -> Path:
    # Another order than the folder's: the result goes by names.
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir(), reverse=True):
            archive.write(file, f"elsewhere/{file.name}")
    return path


@pytest.mark.parametrize("workers", [1, 5])
@pytest.mark.parametrize("kind", ["tar", "folder", "zip"])
def test_source_and_workers_do_not_change_the_data(
    built: Path, tiny_utkface: Any, kind: str, workers: int, tmp_path: Path
) -> None:
    source = tiny_utkface.archive if kind == "tar" else tiny_utkface.folder
    if kind == "zip":
        source = _as_zip(source, tmp_path / "x.zip")
    report = build_utkface(source, tmp_path / "x", BuildOptions(size=32, workers=workers))
    assert _content(tmp_path / "x") == _content(built)
    assert report["lmdb"] == read_report(built)["lmdb"]
    assert report["source"]["sha256"] == read_report(built)["source"]["sha256"]


def test_the_seed_changes_the_data(built: Path, tiny_utkface: Any, tmp_path: Path) -> None:
    build_utkface(tiny_utkface.folder, tmp_path / "x", BuildOptions(size=32, seed=1))
    assert _content(tmp_path / "x")["records.csv"] != _content(built)["records.csv"]


def test_races_are_chosen(tiny_utkface: Any, tmp_path: Path) -> None:
    options = BuildOptions(races=("asian", "black"), size=32, oversample=False)
    report = build_utkface(tiny_utkface.folder, tmp_path / "x", options)
    wanted = [name for name in tiny_utkface.valid if name.split("_")[2] in "12"]
    items = read_records(tmp_path / "x" / "records.csv")
    assert [item.record.name for item in items] == wanted
    assert report["source"]["other_races"] == len(tiny_utkface.valid) - len(wanted)
    assert report["dataset"]["race"] == "asian+black"
    assert report["counts"]["age"]["train"] == report["counts"]["age"]["train_stored"]


def test_the_test_faces_of_another_data_set_stay_test_faces(
    tiny_utkface: Any, tmp_path: Path
) -> None:
    small = BuildOptions(races=("asian",), size=32, oversample=False)
    build_utkface(tiny_utkface.folder, tmp_path / "asian", small)
    listed = tmp_path / "asian" / "records.csv"
    wanted = {item.record.name for item in read_records(listed) if item.split == "test"}
    report = build_utkface(
        tiny_utkface.folder,
        tmp_path / "all",
        BuildOptions(size=32, oversample=False, test_from=listed),
    )
    items = read_records(tmp_path / "all" / "records.csv")
    tests = [item for item in items if item.split == "test"]
    others = [item for item in tests if item.record.name not in wanted]
    assert wanted <= {item.record.name for item in tests} < {item.record.name for item in items}
    assert all(item.duplicate_group is not None for item in others)
    assert report["options"]["test_from"]["name"] == "records.csv"
    assert len(report["options"]["test_from"]["sha256"]) == 64


def test_identical_files_are_one_photograph_even_without_structure(tmp_path: Path) -> None:
    import cv2

    flat = cv2.imencode(".png", np.zeros((32, 32, 3), np.uint8))[1].tobytes()
    rng = np.random.default_rng(0)
    for number in range(12):
        noise = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        data = flat if number % 2 else cv2.imencode(".png", noise)[1].tobytes()
        (tmp_path / "in" / f"{number}").mkdir(parents=True)
        (tmp_path / "in" / f"{number}" / f"{20 + number}_0_2_2017{number}.png").write_bytes(data)
    report = build_utkface(tmp_path / "in", tmp_path / "x", BuildOptions(size=32, split=0.5))
    assert report["near_duplicates"]["identical_files"] == 5
    assert report["near_duplicates"]["groups"] == 1
    assert report["near_duplicates"]["groups_with_several_ages"] == 1


def test_a_name_that_stands_twice_is_taken_once(tiny_utkface: Any, tmp_path: Path) -> None:
    shutil.copytree(tiny_utkface.folder, tmp_path / "in" / "a")
    again = tiny_utkface.valid[3]
    (tmp_path / "in" / "b").mkdir()
    (tmp_path / "in" / "b" / again).write_bytes(b"another picture of that name")
    report = build_utkface(tmp_path / "in", tmp_path / "x", OPTIONS)
    assert report["drops"]["duplicate name"] == {"count": 1, "files": [f"b/{again}"]}
    assert report["faces"] == len(tiny_utkface.valid)


# What goes wrong.


def test_a_source_without_a_face_says_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1_0_0_2017.jpg").write_bytes(b"")
    (tmp_path / "in" / "README.txt").write_bytes(b"")
    with pytest.raises(DatasetError, match="of race asian: of 2 files, not a picture 1, of other"):
        build_utkface(tmp_path / "in", tmp_path / "x", BuildOptions(races=("asian",)))
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    "fields",
    [{"races": ("martian",)}, {"races": ()}, {"split": 1.0}, {"size": 8}, {"workers": 0}],
    ids=lambda fields: next(iter(fields)),
)
def test_impossible_options_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        BuildOptions(**fields)


def test_output_is_replaced_only_when_asked(tiny_utkface: Any, tmp_path: Path) -> None:
    build_utkface(tiny_utkface.folder, tmp_path / "x", OPTIONS)
    with pytest.raises(EdgeageError, match="is not empty; choose another folder or pass --over"):
        build_utkface(tiny_utkface.folder, tmp_path / "x", OPTIONS)
    report = build_utkface(
        tiny_utkface.folder, tmp_path / "x", BuildOptions(size=24), overwrite=True
    )
    assert read_report(tmp_path / "x") == report
    assert report["input"]["input_hw"] == [24, 24]


def test_a_folder_that_is_no_data_set_is_never_replaced(tiny_utkface: Any, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "thesis.tex").write_text("years of work")
    with pytest.raises(DatasetError, match="is not a data set, only those are overwritten"):
        build_utkface(tiny_utkface.folder, tmp_path / "x", OPTIONS, overwrite=True)
    assert (tmp_path / "x" / "thesis.tex").exists()


@pytest.mark.parametrize("output", [".", "..", "new"], ids=["source", "parent", "inside"])
def test_source_and_output_do_not_mix(output: str, tiny_utkface: Any, tmp_path: Path) -> None:
    source = tmp_path / "a" / "in"
    shutil.copytree(tiny_utkface.folder, source)
    before = sorted(source.iterdir())
    with pytest.raises(UsageError, match="lie in one another"):
        build_utkface(source, source / output, OPTIONS, overwrite=True)
    assert sorted(source.iterdir()) == before


def _start(source: Path, output: Path, before: str = "") -> subprocess.Popen[str]:
    # A runner in the background hands SIGINT down as ignored.
    code = f"""
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
{before}
from edgeage.datasets import BuildOptions, build_utkface
def on_progress(stage, done, total):
    print(stage, flush=True)
    if stage == "writing" and done > 20: time.sleep(SLEEP)
build_utkface(sys.argv[1], sys.argv[2], BuildOptions(size=32), on_progress=on_progress)
""".replace("SLEEP", "30" if not before else "0")
    return subprocess.Popen(
        [sys.executable, "-c", code, str(source), str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def building(tiny_utkface: Any, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A build in another process that has begun to write and stays there."""
    process = _start(tiny_utkface.folder, tmp_path / "x")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("writing"):
            break
    time.sleep(0.3)
    assert process.poll() is None
    with process:
        yield process, tmp_path / "x"
        process.kill()


def test_a_killed_build_leaves_nothing_that_looks_finished(
    building: tuple[subprocess.Popen[str], Path], built: Path, tiny_utkface: Any
) -> None:
    process, output = building
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with pytest.raises(DatasetError, match="is missing"):
        read_report(output)
    remains = list(output.parent.iterdir())
    assert remains
    for folder in remains:
        with pytest.raises(DatasetError):
            read_report(folder)
    build_utkface(tiny_utkface.folder, output, OPTIONS)
    assert list(output.parent.iterdir()) == [output]
    assert _content(output) == _content(built)


def test_an_interrupted_build_removes_what_it_made(
    building: tuple[subprocess.Popen[str], Path],
) -> None:
    process, output = building
    process.send_signal(signal.SIGINT)
    process.wait(20)
    assert list(output.parent.iterdir()) == []


def test_two_builds_do_not_share_an_output(
    building: tuple[subprocess.Popen[str], Path], tiny_utkface: Any
) -> None:
    _, output = building
    with pytest.raises(DatasetError, match="another process is building"):
        build_utkface(tiny_utkface.folder, output, OPTIONS)


# A limit on the size of a file fails as a full disk does, in the working file or in an LMDB.
@pytest.mark.parametrize("limit", [100_000, 300_000], ids=["working file", "lmdb"])
def test_a_full_disk_is_one_clear_line(limit: int, tiny_utkface: Any, tmp_path: Path) -> None:
    before = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    process = _start(tiny_utkface.folder, tmp_path / "x", before)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    last = stderr.strip().splitlines()[-1]
    assert last.startswith("edgeage.errors.DatasetError: ")
    assert str(tmp_path / "x") in last or "x." in last
    assert list(tmp_path.iterdir()) == []


def test_report_is_json_without_surprises(built: Path) -> None:
    text = (built / "report.json").read_text()
    assert str(built.parent) not in text
    assert json.loads(text) == read_report(built)
