"""Reading a built data set again: its faces, what it is made of, and whether it is whole."""

from __future__ import annotations

import json
import pickle
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import lmdb
import numpy as np
import pytest

from edgeage.caffe import read_mean, write_mean
from edgeage.datasets import (
    BuildOptions,
    DatumReader,
    FaceReader,
    build_utkface,
    check_dataset,
    dataset_stats,
    read_records,
)
from edgeage.datasets.records import write_records
from edgeage.datasets.statistics import picture_faults
from edgeage.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def built(tiny_utkface: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "tiny"
    build_utkface(tiny_utkface.archive, folder, BuildOptions(size=32, workers=1))
    return folder


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "copy")


def test_each_face_is_read_once_with_all_its_labels(built: Path) -> None:
    names = Counter()
    for side in ("train", "test"):
        with DatumReader(built / f"age_{side}_lmdb") as stored:
            pictures = {stored.key(n).partition(b"_")[2]: stored.get(n) for n in range(len(stored))}
        with FaceReader(built, side) as reader:
            assert reader.shape == (3, 32, 32)
            for index in range(len(reader)):
                pixels, item = reader[index]
                assert item == reader.record(index)
                assert item.split == side
                wanted, label = pictures[item.record.name.encode()]
                assert np.array_equal(pixels, wanted)
                assert label == item.record.age_group
                names[item.record.name] += 1
    assert names == Counter(item.record.name for item in read_records(built / "records.csv"))


def test_torch_loads_it_in_processes_of_its_own(built: Path) -> None:
    loading = pytest.importorskip("torch.utils.data")
    reader = FaceReader(built, "test")
    reader[0]

    def genders(batch: list[Any]) -> list[tuple[int, int]]:
        return [(int(pixels.sum()), item.record.gender) for pixels, item in batch]

    loader = loading.DataLoader(reader, batch_size=4, num_workers=2, collate_fn=genders)
    loaded = [face for batch in loader for face in batch]
    assert loaded == genders([reader[index] for index in range(len(reader))])
    again = pickle.loads(pickle.dumps(reader))
    wanted = reader[1][0]
    reader.close()
    assert np.array_equal(again[1][0], wanted)
    again.close()


def test_tensorflow_takes_it_through_a_generator(built: Path) -> None:
    tf = pytest.importorskip("tensorflow")

    def labelled() -> Iterator[tuple[np.ndarray, int, int]]:
        with FaceReader(built, "test") as reader:
            for pixels, item in reader:
                yield pixels, item.record.age, item.record.gender

    number = tf.TensorSpec((), tf.int32)
    signature = (tf.TensorSpec((3, 32, 32), tf.uint8), number, number)
    loaded = tf.data.Dataset.from_generator(labelled, output_signature=signature).batch(4)
    # Every pass opens the store anew.
    for _ in range(2):
        batches = [[part.numpy() for part in batch] for batch in loaded]
        pixels, ages, genders = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        wanted = list(labelled())
        assert np.array_equal(pixels, [face[0] for face in wanted])
        assert list(zip(ages, genders, strict=True)) == [face[1:] for face in wanted]


def test_a_face_that_is_not_stored_is_noticed(copy: Path) -> None:
    items = read_records(copy / "records.csv")
    shutil.rmtree(copy / "age_test_lmdb")
    shutil.copytree(copy / "gender_train_lmdb", copy / "age_test_lmdb")
    with pytest.raises(DatasetError, match="lacks .* faces of records.csv, for example «"):
        FaceReader(copy, "test")
    with pytest.raises(UsageError, match="expected the split"):
        FaceReader(copy, "valid")
    assert items


def test_the_statistics_are_those_of_the_records(built: Path) -> None:
    stats = dataset_stats(built)
    records = [item.record for item in read_records(built / "records.csv")]
    assert stats["faces"] == len(records) == sum(stats["sides"].values())
    assert stats["age"]["mean"] == pytest.approx(np.mean([r.age for r in records]), abs=1e-3)
    assert stats["age"]["median"] == np.median([r.age for r in records])
    assert stats["age_by_gender"]["20-29"]["Female"] == sum(
        r.age_group == 2 and r.gender == 1 for r in records
    )
    assert stats["race"] == Counter(r.race for r in records)
    assert stats["picture_hw"] == [32, 32]
    assert stats["near_duplicates"]["pairs"] == 4
    assert json.loads(json.dumps(stats)) == stats


def test_poor_pictures_are_told_apart(astronaut_face: np.ndarray) -> None:
    import cv2

    def faults(picture: np.ndarray) -> list[str]:
        return picture_faults(picture.transpose(2, 0, 1))

    assert faults(astronaut_face) == []
    assert faults(cv2.GaussianBlur(astronaut_face, (0, 0), 8)) == ["blurred"]
    assert "dark" in faults(astronaut_face // 4)
    assert "bright" in faults(255 - astronaut_face // 8)
    assert "flat" in faults(128 + astronaut_face // 16)


def test_a_whole_data_set_has_no_findings(built: Path) -> None:
    assert check_dataset(built, workers=1) == []


def _change_record(folder: Path, change: Callable[[bytes], bytes], number: int = 3) -> None:
    with (
        lmdb.open(str(folder), map_size=64 << 20) as environment,
        environment.begin(write=True) as transaction,
    ):
        key = [key for key, _ in transaction.cursor()][number]
        transaction.put(key, change(transaction.get(key)))


def _cut(copy: Path) -> None:
    _change_record(copy / "age_test_lmdb", lambda value: value[: len(value) // 2])


def _relabel(copy: Path) -> None:
    # The label is the last field: its number and kind, then one byte.
    _change_record(copy / "gender_test_lmdb", lambda value: value[:-1] + bytes([1 - value[-1]]))


def _out_of_range(copy: Path) -> None:
    _change_record(copy / "age_train_lmdb", lambda value: value[:-1] + bytes([77]))


def _one_pixel(copy: Path) -> None:
    _change_record(
        copy / "age_train_lmdb", lambda value: value[:100] + bytes([value[100] ^ 1]) + value[101:]
    )


def _truncate(copy: Path) -> None:
    data = copy / "age_train_lmdb" / "data.mdb"
    data.write_bytes(data.read_bytes()[:50_000])


def _remove(copy: Path) -> None:
    shutil.rmtree(copy / "gender_train_lmdb")


def _other_mean(copy: Path) -> None:
    mean = read_mean(copy / "age_gender_mean.npy")
    write_mean(copy / "age_gender_mean.npy", mean + 1)


def _edit_age(copy: Path) -> None:
    path = copy / "records.csv"
    first = path.read_text().splitlines()[1]
    assert ",80-120," in first or "," in first
    path.write_text(path.read_text().replace(first, first.rpartition(",")[0] + "," + "0" * 64))


@pytest.mark.parametrize(
    ("damage", "kind", "text"),
    [
        (_cut, "unreadable", "age_test_lmdb: record 3 is damaged"),
        (_relabel, "label", "gender_test_lmdb: «"),
        (_out_of_range, "label", "has label 77, age has none like it"),
        (_one_pixel, "hash", "age_train_lmdb is not what report.json says was written"),
        (_truncate, "unreadable", "age_train_lmdb is a damaged LMDB"),
        (_remove, "unreadable", "gender_train_lmdb is not an LMDB"),
        (_other_mean, "hash", "age_gender_mean.npy is not the mean report.json says"),
        (_edit_age, "hash", "records.csv lists other faces than report.json was made of"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_is_found(
    damage: Callable[[Path], None], kind: str, text: str, copy: Path
) -> None:
    damage(copy)
    findings = check_dataset(copy, workers=1)
    assert [f for f in findings if f.kind == kind and text in f.text], findings


def test_a_photograph_on_both_sides_is_found_by_looking(
    tiny_utkface: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeage.datasets import build

    monkeypatch.setattr(build, "find_pairs", lambda *_arguments: [])
    options = BuildOptions(size=32, workers=1, split=0.5, oversample=False, seed=3)
    build_utkface(tiny_utkface.folder, tmp_path / "x", options)
    sides = {i.record.name: i.split for i in read_records(tmp_path / "x" / "records.csv")}
    apart = [pair for pair in tiny_utkface.pairs if sides[pair[0]] != sides[pair[1]]]
    assert apart
    findings = check_dataset(tmp_path / "x", workers=1)
    assert {finding.kind for finding in findings} == {"both sides"}
    assert len(findings) == len(apart)
    for first, second in apart:
        assert any(first in finding.text and second in finding.text for finding in findings)


def test_a_list_with_a_group_on_both_sides_is_found(copy: Path) -> None:
    import dataclasses

    items = read_records(copy / "records.csv")
    at = next(n for n, item in enumerate(items) if item.duplicate_group is not None)
    other = {"train": "test", "test": "train"}[items[at].split]
    items[at] = dataclasses.replace(items[at], split=other)
    write_records(copy / "records.csv", items)
    texts = [finding.text for finding in check_dataset(copy, workers=1)]
    assert any(text.startswith("records.csv: near-duplicates, group") for text in texts)
    assert any("is no" in text and "face of records.csv" in text for text in texts)
    assert any("lacks «" in text for text in texts)


def test_the_commands_say_so(cli: Callable[..., Any], built: Path, copy: Path) -> None:
    sound = cli("dataset", "check", built)
    assert (sound.exit_code, sound.stdout) == (0, f"{built} is sound\n")
    _other_mean(copy)
    found = cli("dataset", "check", copy, "--json")
    assert found.exit_code == 1
    text = "age_gender_mean.npy is not the mean report.json says"
    assert json.loads(found.stdout) == {
        "sound": False,
        "findings": [{"kind": "hash", "text": text}],
    }
    assert cli("dataset", "check", copy).stdout == f"hash: {text}\n"
    cli("dataset", "check", built.parent).assert_one_line("is not a finished data set")


def test_stats_are_printed_drawn_and_json(
    cli: Callable[..., Any], built: Path, tmp_path: Path
) -> None:
    result = cli("dataset", "stats", built, "--plot", tmp_path / "x.png")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("UTKFace: 64 faces, ")
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads(cli("dataset", "stats", built, "--json").stdout) == dataset_stats(built)
    assert cli("dataset", "stats", built, "--plot", "x.txt").exit_code == 2
