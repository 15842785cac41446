"""Pictures and labels packed into one MATLAB file, of version 5 and of 7.3."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edgeage.datasets.importers import matfiles
from edgeage.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _packed(**changes: Any) -> bytes:
    from scipy.io import savemat

    pixels = np.arange(3 * 12 * 10 * 3, dtype=np.uint8).reshape(3, 12, 10, 3)
    fields = {"image": pixels, "age": [20, 30, 140], "gender": [0, 1, 1], "db": "wiki"}
    file = io.BytesIO()
    savemat(file, {**fields, "img_size": 12, "min_score": 1.0, **changes})
    return file.getvalue()


def _packed_7_3() -> bytes:
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w") as hdf5:
        pixels = np.arange(3 * 12 * 10 * 3, dtype=np.uint8).reshape(3, 12, 10, 3)
        hdf5["image"] = pixels.T
        hdf5["age"], hdf5["gender"] = np.array([[20], [30], [140]]), np.array([[0], [1], [1]])
        hdf5["db"] = np.frombuffer("wiki".encode("utf-16-le"), "<u2")[:, None]
    return file.getvalue()


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_packed_pictures_are_read_pixel_by_pixel(
    version: str, importing: Any, tmp_path: Path
) -> None:
    (tmp_path / "x.mat").write_bytes(_packed() if version == "5" else _packed_7_3())
    found = importing("mat", tmp_path / "x.mat")
    assert {name: (r.age, r.gender) for name, r in found.records.items()} == {
        "wiki_0000000": (20, 1),
        "wiki_0000001": (30, 0),
    }
    assert found.drops == {"wiki_0000002": "age out of range"}
    pixels = np.arange(3 * 12 * 10 * 3, dtype=np.uint8).reshape(3, 12, 10, 3)
    assert np.array_equal(found.pictures["wiki_0000001"], pixels[1])


def test_the_gender_codes_are_those_of_the_packed_data_set(importing: Any, tmp_path: Path) -> None:
    (tmp_path / "x.mat").write_bytes(_packed(db="utk"))
    assert [r.gender for r in importing("mat", tmp_path / "x.mat").records.values()] == [0, 1]
    (tmp_path / "x.mat").write_bytes(_packed(db="mine"))
    with pytest.raises(DatasetError, match="means one thing here and another there"):
        importing("mat", tmp_path / "x.mat")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"age": [1, 2]}, "3 pictures, 2 ages and 3 genders"),
        ({"image": np.zeros((3, 4, 4), np.uint8)}, r"expected uint8 of shape \(pictures"),
        ({"image": np.zeros((3, 4, 4, 3))}, "image is float64"),
    ],
    ids=["counts", "axes", "floats"],
)
def test_a_package_that_does_not_fit_is_refused(
    changes: dict[str, Any], message: str, importing: Any, tmp_path: Path
) -> None:
    (tmp_path / "x.mat").write_bytes(_packed(**changes))
    with pytest.raises(DatasetError, match=message):
        importing("mat", tmp_path / "x.mat")
    with pytest.raises(DatasetError, match="is not a file; expected one .mat"):
        importing("mat", tmp_path)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _data: b"", "not a readable MATLAB file"),
    "a web page": (lambda _data: b"<html>" * 300, "not a readable MATLAB file"),
    "cut in the header": (lambda data: data[:100], "not a readable MATLAB file"),
    "cut": (lambda data: data[: len(data) // 2], "not a readable MATLAB file|has no variable"),
    "misnamed": (lambda data: data.replace(b"image", b"imago"), "has no variable «image»"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("version", ["5", "7.3"])
def test_a_damaged_package_is_one_clear_line(
    version: str, damage: str, importing: Any, tmp_path: Path
) -> None:
    change, message = DAMAGES[damage]
    data = change(_packed() if version == "5" else _packed_7_3())
    (tmp_path / "x.mat").write_bytes(data)
    with pytest.raises(DatasetError, match=message) as said:
        importing("mat", tmp_path / "x.mat")
    assert "\n" not in str(said.value)


def _replace(file: Any, name: str, write: Callable[..., Any], *values: Any, **options: Any) -> None:
    del file[name]
    write(name, *values, **options)


def test_a_package_that_points_at_other_files_or_bursts_is_refused(
    importing: Any, tmp_path: Path
) -> None:
    import h5py

    path, secret = tmp_path / "x.mat", tmp_path / "secret"
    secret.write_bytes(bytes(800))
    wide = (3, 1 << 20, 1 << 20, 3)
    kinds: dict[str, tuple[Callable[[Any], None], str]] = {
        "linked": (
            lambda file: _replace(
                file, "age", file.__setitem__, h5py.ExternalLink("other.h5", "/age")
            ),
            "is a link out of its place",
        ),
        "stored elsewhere": (
            lambda file: _replace(
                file, "age", file.create_dataset, (3, 1), "f8", external=[(str(secret), 0, 24)]
            ),
            "keeps its values in another file",
        ),
        "endless labels": (
            lambda file: _replace(
                file, "age", file.create_dataset, (1 << 40, 1), "f8", chunks=(1024, 1)
            ),
            "no table of labels has",
        ),
        "endless pictures": (
            lambda file: _replace(
                file, "image", file.create_dataset, wide[::-1], "u1", chunks=(3, 64, 64, 1)
            ),
            "no picture of a face has so many",
        ),
    }
    for change, message in kinds.values():
        path.write_bytes(_packed_7_3())
        with h5py.File(path, "r+") as file:
            change(file)
        with pytest.raises(DatasetError, match=message):
            importing("mat", path)


@pytest.mark.parametrize("name", ["mat", "imdb-wiki"])
def test_a_packed_file_that_bursts_is_refused_before_it_is_read(
    name: str, importing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scipy.io import loadmat, savemat

    source = tmp_path / "x" / "wiki.mat"
    source.parent.mkdir()
    savemat(source, {"wiki": {"dob": np.zeros((1, 1 << 19))}}, do_compression=True)
    assert source.stat().st_size < 10_000
    monkeypatch.setattr(matfiles, "_MOST_UNPACKED_BYTES", 3 << 20)
    monkeypatch.setattr("scipy.io.loadmat", lambda *_arguments, **_options: pytest.fail("read"))
    with pytest.raises(DatasetError, match=r"wiki.mat unpacks to more than 3 MB"):
        importing(name, source if name == "mat" else source.parent)
    monkeypatch.setattr("scipy.io.loadmat", loadmat)
    monkeypatch.setattr(matfiles, "_MOST_UNPACKED_BYTES", 5 << 20)
    with pytest.raises(DatasetError, match="no variable «image»|no field photo_taken"):
        importing(name, source if name == "mat" else source.parent)
