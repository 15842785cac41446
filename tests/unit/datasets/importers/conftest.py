"""Small faithful copies of the published layouts of data sets."""

from __future__ import annotations

import dataclasses
import io
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeage.datasets.importers import open_importer
from edgeage.datasets.importers.found import Candidate, Drop, ImportOptions
from edgeage.datasets.sources import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgeage.datasets.records import FaceRecord


def picture(seed: int, side: int = 40, suffix: str = ".jpg") -> bytes:
    """An encoded picture of its own blotches."""
    import cv2

    blotches = np.random.default_rng(seed).uniform(0, 255, (5, 5, 3)).astype(np.float32)
    pixels = cv2.resize(blotches, (side, side), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(suffix, pixels.clip(0, 255).astype(np.uint8))[1].tobytes()


def write_folder(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def write_tar(path: Path, files: Mapping[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@dataclasses.dataclass
class Found:
    """What an importer said: records and read bytes by name, reasons by path."""

    records: dict[str, FaceRecord]
    pictures: dict[str, bytes | np.ndarray]
    drops: dict[str, str]
    candidates: dict[str, Candidate]


@pytest.fixture
def importing(tmp_path: Path) -> Callable[..., Found]:
    """Run an importer over a source and read what it finds at once, as a build does."""

    def run(name: str, source: Path, **options: object) -> Found:
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        importer, told = open_importer(name), ImportOptions(**options)  # type: ignore[arg-type]
        importer.check(name, told)
        found = Found({}, {}, {}, {})
        for item in importer.find(source, told, work):
            if isinstance(item, Drop):
                assert item.path not in found.drops
                found.drops[item.path] = item.reason
                continue
            try:
                found.pictures[item.record.name] = item.read()
            except UnreadableError as reason:
                found.drops[item.path] = str(reason)
                continue
            found.records[item.record.name] = item.record
            found.candidates[item.record.name] = item
        return found

    return run


# The published layouts: what an archive holds, and what is to be read from it.


@dataclasses.dataclass(frozen=True)
class Layout:
    """A small copy of a published data set.

    ``faces`` maps a record's name to its picture's path and its labels; ``drops`` maps the paths
    that are left out to the reason; ``table`` is the path of a file with labels, if it has one.
    """

    files: dict[str, bytes]
    faces: dict[str, tuple[str, dict[str, object]]]
    drops: dict[str, str] = dataclasses.field(default_factory=dict)
    table: str = ""
    options: dict[str, object] = dataclasses.field(default_factory=dict)


def _csv(*rows: str) -> bytes:
    return "\n".join((*rows, "")).encode()


def _adience() -> Layout:
    header = (
        "user_id original_image face_id age gender x y dx dy tilt_ang fiducial_yaw_angle "
        "fiducial_score"
    )
    rows = {
        0: [
            ("30601258@N03", "a_o.jpg", "1", "(25, 32)", "f"),
            ("30601258@N03", "b_o.jpg", "2", "35", "m"),
            ("30601258@N03", "c_o.jpg", "3", "None", "m"),
        ],
        3: [
            ("7153718@N04", "d_o.jpg", "9", "(60, 100)", "u"),
            ("7153718@N04", "e_o.jpg", "9", "(0, 2)", ""),
        ],
    }
    files: dict[str, bytes] = {}
    for fold in range(5):
        lines = ["\t".join((*row, *"0000000")) for row in rows.get(fold, [])]
        files[f"fold_{fold}_data.txt"] = _csv(header.replace(" ", "\t"), *lines)
        files[f"fold_frontal_{fold}_data.txt"] = _csv(header.replace(" ", "\t"))
    kinds = {"aligned": "landmark_aligned_face", "faces": "coarse_tilt_aligned_face"}
    for user, image, face, *_ in (row for found in rows.values() for row in found):
        for number, (folder, prefix) in enumerate(kinds.items()):
            path = f"{folder}/{user}/{prefix}.{face}.{image}"
            files[path] = picture(ord(image[0]) + 100 * number)
    faces = {
        "30601258@N03/1.a_o.jpg": {"age": 28, "gender": 1, "age_range": (25, 32), "fold": 0},
        "30601258@N03/2.b_o.jpg": {"age": 28, "gender": 0, "age_range": (25, 32), "fold": 0},
        "7153718@N04/9.d_o.jpg": {"age": 70, "gender": None, "age_range": (60, 100), "fold": 3},
        "7153718@N04/9.e_o.jpg": {"age": 1, "gender": None, "age_range": (0, 2), "fold": 3},
    }
    drops = {f"fold_frontal_{fold}_data.txt": "not a picture" for fold in range(5)}
    drops["aligned/30601258@N03/landmark_aligned_face.3.c_o.jpg"] = "missing age"
    drops |= {path: "another form of a picture" for path in files if path.startswith("faces/")}
    places = {
        name: (
            "aligned/" + name.replace("/", "/landmark_aligned_face."),
            labels | {"person": name.split("/")[0]},
        )
        for name, labels in faces.items()
    }
    return Layout(files, places, drops, "fold_0_data.txt")


def _fgnet() -> Layout:
    names = {"011A14.JPG": ("011", 14), "011A02a.JPG": ("011", 2), "082a69.jpg": ("082", 69)}
    files = {f"FGNET/images/{name}": picture(n) for n, name in enumerate(names)}
    files |= {"FGNET/points/011a14.pts": b"version: 1", "FGNET/images/x.jpg": picture(9)}
    faces = {
        name: (f"FGNET/images/{name}", {"person": person, "age": age, "gender": None})
        for name, (person, age) in names.items()
    }
    return Layout(
        files,
        faces,
        {"FGNET/points/011a14.pts": "not a picture", "FGNET/images/x.jpg": "malformed name"},
    )


def _appa_real() -> Layout:
    header = "file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age"
    root = "appa-real-release"
    files = {
        f"{root}/gt_avg_train.csv": _csv(
            header, "000000.jpg,36,5.0833,1.6451,4", "000001.jpg,38,20.0,3.0,x"
        ),
        f"{root}/gt_avg_valid.csv": _csv(header, "004113.jpg,40,33.5,3.1,31"),
        f"{root}/gt_avg_test.csv": _csv(header, "005613.jpg,40,61.25,4.0,64"),
        f"{root}/gt_train.csv": _csv("file_name,age,age,worker_age,worker_gender"),
        f"{root}/README.txt": b"APPA-REAL",
    }
    pictures = ["train/000000.jpg", "train/000001.jpg", "valid/004113.jpg", "test/005613.jpg"]
    for number, path in enumerate(pictures):
        files[f"{root}/{path}"] = picture(number, 60)
        files[f"{root}/{path}_face.jpg"] = picture(number + 50)
        files[f"{root}/{path}.mat"] = b"MATLAB 5.0"
    faces = {
        "train/000000.jpg": {"age": 4, "apparent_age": 5.0833, "own_split": "train"},
        "valid/004113.jpg": {"age": 31, "apparent_age": 33.5, "own_split": "valid"},
        "test/005613.jpg": {"age": 64, "apparent_age": 61.25, "own_split": "test"},
    }
    drops = {f"{root}/{path}": "another form of a picture" for path in pictures}
    drops |= {f"{root}/{path}.mat": "not a picture" for path in pictures}
    drops[f"{root}/README.txt"] = "not a picture"
    drops[f"{root}/train/000001.jpg_face.jpg"] = "age is not a number"
    places = {
        name: (f"{root}/{name}_face.jpg", labels | {"gender": None})
        for name, labels in faces.items()
    }
    return Layout(files, places, drops, f"{root}/gt_avg_train.csv")


def _fairface() -> Layout:
    header = "file,age,gender,race,service_test"
    rows = {
        "train/1.jpg": ("50-59", "Male", "East Asian", (54, 0, "asian", (50, 59))),
        "train/2.jpg": ("more than 70", "Female", "Latino_Hispanic", (79, 1, "others", (70, 120))),
        "val/1.jpg": ("0-2", "Female", "White", (1, 1, "white", (0, 2))),
        "val/2.jpg": ("3-9", "Male", "Martian", None),
    }
    files = {path: picture(number) for number, path in enumerate(rows)}
    for side in ("train", "val"):
        lines = [f"{path},{','.join(row[:3])},True" for path, row in rows.items() if side in path]
        files[f"fairface_label_{side}.csv"] = _csv(header, *lines)
    faces = {}
    for path, row in rows.items():
        if row[3]:
            names = zip(("age", "gender", "race", "age_range"), row[3], strict=True)
            split = "valid" if path.startswith("val") else "train"
            faces[path] = (path, dict(names) | {"own_split": split})
    return Layout(files, faces, {"val/2.jpg": "unknown race"}, "fairface_label_train.csv")


def _own_csv() -> Layout:
    rows = [
        "img,years,sex,who,split",
        "a/1.png,34,1,anna,train",
        "./a/2.png,30-39,0,ben,validation",
        "a\\3.png,7.9,,,test",
        "a/4.png,200,1,,train",
    ]
    files = {f"root/a/{n}.png": picture(n, suffix=".png") for n in (1, 2, 3, 4)}
    files["root/labels.csv"] = _csv(*rows)
    faces = {
        "a/1.png": (
            "root/a/1.png",
            {"age": 34, "gender": 1, "person": "anna", "own_split": "train"},
        ),
        "./a/2.png": (
            "root/a/2.png",
            {"age": 34, "gender": 0, "person": "ben", "age_range": (30, 39), "own_split": "valid"},
        ),
        "a\\3.png": ("root/a/3.png", {"age": 7, "gender": None, "own_split": "test"}),
    }
    columns = {"file": "img", "age": "years", "gender": "sex", "person": "who"}
    options = {"columns": columns, "genders": {"1": 1, "0": 0}}
    return Layout(files, faces, {"root/a/4.png": "age out of range"}, "root/labels.csv", options)


# Born, year of the picture, gender (0 female), face score, second face score.
_NAN = float("nan")
WIKI_ROWS: dict[str, tuple[float, float, float, float, float]] = {
    "00/sound_1981-05-05_2009.jpg": (723671.7, 2009, 1, 4.3, _NAN),
    "01/october_1981-10-09_2009.jpg": (723828.0, 2009, 0, 1.0, _NAN),
    "01/unborn_1999-01-01_1990.jpg": (730121.0, 1990, 1, 4.0, _NAN),
    "02/ancient_1800-01-01_1990.jpg": (657438.0, 1990, 1, 4.0, _NAN),
    "02/noface_1981-05-05_2009.jpg": (723671.0, 2009, 1, float("-inf"), _NAN),
    "03/unsure_1981-05-05_2009.jpg": (723671.0, 2009, 1, 0.99, _NAN),
    "03/two_1981-05-05_2009.jpg": (723671.0, 2009, 1, 4.0, 1.5),
    "04/neither_1981-05-05_2009.jpg": (723671.0, 2009, _NAN, 4.0, _NAN),
    "04/undated_0000-00-00_2009.jpg": (0.0, 2009, 1, 4.0, _NAN),
}
WIKI_REASONS = dict(
    zip(
        list(WIKI_ROWS)[2:],
        (
            *("age below 0", "age above 100", "no face found", "face score below 1"),
            *("a second face", "missing gender", "no date of birth or of the picture"),
        ),
        strict=True,
    )
)
_FIELDS = ("dob", "photo_taken", "gender", "face_score", "second_face_score")


def wiki_mat5(rows: Mapping[str, tuple[float, ...]] = WIKI_ROWS, struct: str = "wiki") -> bytes:
    """The file of labels as published: MATLAB 5."""
    from scipy.io import savemat

    columns = np.array(list(rows.values()), np.float64).T
    fields: dict[str, object] = {
        name: column[None] for name, column in zip(_FIELDS, columns, strict=True)
    }
    for name, texts in {
        "full_path": list(rows),
        "name": [f"P{n}" for n in range(len(rows))],
    }.items():
        cells = np.empty((1, len(texts)), object)
        for n, text in enumerate(texts):
            cells[0, n] = np.array([text])
        fields[name] = cells
    places = np.empty((1, len(rows)), object)
    for n in range(len(rows)):
        places[0, n] = np.array([[11.0, 6.0, 30.0, 25.0]])
    file = io.BytesIO()
    savemat(file, {struct: {**fields, "face_location": places}}, do_compression=True)
    return file.getvalue()


def wiki_mat73(rows: Mapping[str, tuple[float, ...]] = WIKI_ROWS) -> bytes:
    """The same as MATLAB 7.3 keeps it: HDF5 behind 512 bytes, axes reversed, cells by reference."""
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w", userblock_size=512) as hdf5:
        group, cells = hdf5.create_group("wiki"), hdf5.create_group("#refs#")
        for name, column in zip(_FIELDS, zip(*rows.values(), strict=True), strict=True):
            group[name] = np.array(column)[:, None]
        kinds = {
            "full_path": [np.frombuffer(path.encode("utf-16-le"), "<u2")[:, None] for path in rows],
            "name": [np.array([[80], [48 + n]], np.uint16) for n in range(len(rows))],
            "face_location": [np.array([[11.0], [6.0], [30.0], [25.0]])] * len(rows),
        }
        for name, values in kinds.items():
            refs = group.create_dataset(name, (len(values), 1), h5py.ref_dtype)
            for n, value in enumerate(values):
                refs[n, 0] = cells.create_dataset(f"{name}{n}", data=value).ref
    data = bytearray(file.getvalue())
    data[:19] = b"MATLAB 7.3 MAT-file"
    return bytes(data)


def _imdb_wiki(mat: bytes) -> Layout:
    files = {f"wiki_crop/{path}": picture(n) for n, path in enumerate(WIKI_ROWS)}
    files["wiki_crop/wiki.mat"] = mat
    names = list(WIKI_ROWS)
    faces = {
        names[0]: (f"wiki_crop/{names[0]}", {"age": 28, "gender": 0, "person": "P0"}),
        names[1]: (f"wiki_crop/{names[1]}", {"age": 27, "gender": 1, "person": "P1"}),
    }
    drops = {f"wiki_crop/{path}": reason for path, reason in WIKI_REASONS.items()}
    return Layout(files, faces, drops, "wiki_crop/wiki.mat")


def _utkface() -> Layout:
    names = ("34_1_2_20170109142408075.jpg.chip.jpg", "9_0_1_20170109142408076.jpg")
    files = {f"UTKFace/{name}": picture(n) for n, name in enumerate(names)}
    files["UTKFace/61_1_20170109142408075.jpg.chip.jpg"] = picture(7)
    faces = {
        names[0]: (f"UTKFace/{names[0]}", {"age": 34, "gender": 1, "race": "asian"}),
        names[1]: (f"UTKFace/{names[1]}", {"age": 9, "gender": 0, "race": "black"}),
    }
    return Layout(files, faces, {"UTKFace/61_1_20170109142408075.jpg.chip.jpg": "missing field"})


_LAYOUTS = {
    "utkface": ("utkface", _utkface),
    "imdb-wiki": ("imdb-wiki", lambda: _imdb_wiki(wiki_mat5())),
    "imdb-wiki 7.3": ("imdb-wiki", lambda: _imdb_wiki(wiki_mat73())),
    "adience": ("adience", _adience),
    "fgnet": ("fgnet", _fgnet),
    "appa-real": ("appa-real", _appa_real),
    "fairface": ("fairface", _fairface),
    "csv": ("csv", _own_csv),
}


@pytest.fixture(params=_LAYOUTS)
def layout(request: pytest.FixtureRequest) -> tuple[str, Layout]:
    """Each published layout, with its importer's name."""
    name, make = _LAYOUTS[request.param]
    return name, make()


@pytest.fixture(params=[key for key in _LAYOUTS if key not in ("utkface", "fgnet")])
def tabled(request: pytest.FixtureRequest) -> tuple[str, Layout]:
    """Each published layout whose labels stand in a table."""
    name, make = _LAYOUTS[request.param]
    return name, make()


@pytest.fixture
def made() -> SimpleNamespace:
    """What makes pictures, sources and single layouts."""
    layouts = {key: make for key, (_, make) in _LAYOUTS.items()}
    return SimpleNamespace(
        picture=picture,
        folder=write_folder,
        tar=write_tar,
        zip=write_zip,
        layout=lambda key: layouts[key](),
        wiki_mat5=wiki_mat5,
        wiki_rows=WIKI_ROWS,
    )
