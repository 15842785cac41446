from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lmdb
import numpy as np
import pytest

from edgeage.datasets import DatumReader, DatumWriter, store
from edgeage.datasets.store import datum_key
from edgeage.errors import DatasetError


def _pictures(count: int, side: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, side, side), dtype=np.uint8)


def _write(path: Path, pictures: np.ndarray) -> str:
    with DatumWriter(path) as writer:
        for number, pixels in enumerate(pictures):
            writer.put(f"{number}.jpg", pixels, number % 9)
    return writer.sha256()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    pictures = _pictures(25)
    _write(tmp_path / "x", pictures)
    with DatumReader(tmp_path / "x") as reader:
        assert len(reader) == 25
        assert reader.shape == (3, 20, 20)
        for number, expected in enumerate(pictures):
            pixels, label = reader.get(number)
            assert np.array_equal(pixels, expected)
            assert (label, reader.key(number)) == (number % 9, b"%08d_%d.jpg" % (number, number))


def test_a_plain_lmdb_reader_sees_caffes_layout(tmp_path: Path) -> None:
    _write(tmp_path / "x", np.arange(12, dtype=np.uint8).reshape(1, 3, 2, 2))
    with (
        lmdb.open(str(tmp_path / "x"), readonly=True, lock=False) as environment,
        environment.begin() as transaction,
    ):
        records = list(transaction.cursor())
    # Datum: channels = 1, height = 2, width = 3, data = 4, label = 5.
    value = bytes([8, 3, 16, 2, 24, 2, 34, 12, *range(12), 40, 0])
    assert records == [(b"00000000_0.jpg", value)]


def test_the_map_grows_and_the_file_is_no_larger_than_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_FIRST_MAP_BYTES", 64 << 10)
    monkeypatch.setattr(store, "_BATCH_BYTES", 40 << 10)
    pictures = _pictures(60, side=64)
    _write(tmp_path / "x", pictures)
    with DatumReader(tmp_path / "x") as reader:
        assert all(np.array_equal(reader.get(n)[0], pictures[n]) for n in range(60))
    size = (tmp_path / "x" / "data.mdb").stat().st_size
    assert 60 * 3 * 64 * 64 < size < 1.5 * 60 * 4 * 4096


def test_the_hash_is_of_the_records(tmp_path: Path) -> None:
    pictures = _pictures(3)
    first = _write(tmp_path / "x", pictures)
    assert first == _write(tmp_path / "y", pictures)
    pictures[2, 0, 0, 0] ^= 1
    assert first != _write(tmp_path / "z", pictures)


def test_a_key_is_cut_to_what_lmdb_takes(tmp_path: Path) -> None:
    assert len(datum_key(1, "x" * 600)) == 511
    with DatumWriter(tmp_path / "x") as writer:
        writer.put("x" * 600, _pictures(1)[0], 0)
    assert writer.count == 1


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    pictures = _pictures(40)
    _write(tmp_path / "x", pictures)
    with DatumReader(tmp_path / "x") as reader, ThreadPoolExecutor(8) as pool:
        order = list(range(40)) * 10
        for number, (pixels, _) in zip(order, pool.map(reader.get, order), strict=True):
            assert np.array_equal(pixels, pictures[number])


def test_pixels_can_be_changed_by_their_reader(tmp_path: Path) -> None:
    _write(tmp_path / "x", _pictures(1))
    with DatumReader(tmp_path / "x") as reader:
        reader.get(0)[0][:] = 0
        assert reader.get(0)[0].any()


def test_a_missing_lmdb_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no data.mdb; make one with: edgeage dataset"):
        DatumReader(tmp_path / "x")


def test_an_empty_lmdb_is_refused(tmp_path: Path) -> None:
    with DatumWriter(tmp_path / "x"):
        pass
    with pytest.raises(DatasetError, match="is an empty LMDB"):
        DatumReader(tmp_path / "x")


# A file cut behind its first pages is still an LMDB; reading beyond its end kills the process.
@pytest.mark.parametrize("size", [0, 100, 8192, 40960], ids=lambda size: f"{size} bytes")
def test_a_truncated_lmdb_is_refused(size: int, tmp_path: Path) -> None:
    _write(tmp_path / "x", _pictures(40, side=64))
    data = tmp_path / "x" / "data.mdb"
    data.write_bytes(data.read_bytes()[:size])
    with pytest.raises(DatasetError, match="damaged LMDB|is an empty LMDB"):
        DatumReader(tmp_path / "x")


def test_garbage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"not an lmdb " * 5000)
    with pytest.raises(DatasetError, match="is a damaged LMDB"):
        DatumReader(tmp_path)


def test_a_record_that_is_no_datum_is_refused(tmp_path: Path) -> None:
    with DatumWriter(tmp_path / "x") as writer:
        writer.put_bytes("a", b"\xff\xff\xff")
    with pytest.raises(DatasetError, match="record 0 is damaged"):
        DatumReader(tmp_path / "x")


def test_a_record_of_another_size_is_refused(tmp_path: Path) -> None:
    with DatumWriter(tmp_path / "x") as writer:
        writer.put("a", _pictures(1, 20)[0], 0)
        writer.put("b", _pictures(1, 21)[0], 0)
    with (
        DatumReader(tmp_path / "x") as reader,
        pytest.raises(DatasetError, match=r"record 1 has shape \(3, 21, 21\), expected \(3, 20"),
    ):
        reader.get(1)


def test_a_folder_with_something_in_it_is_not_written_to(tmp_path: Path) -> None:
    _write(tmp_path / "x", _pictures(1))
    with pytest.raises(DatasetError, match="is not empty"):
        DatumWriter(tmp_path / "x")
