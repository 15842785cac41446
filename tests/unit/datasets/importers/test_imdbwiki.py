from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edgeage.datasets.importers.imdbwiki import age_on_photo
from edgeage.datasets.importers.words import BadLabelError
from edgeage.errors import DatasetError, MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path
    from types import SimpleNamespace

# datenum(year, month, day) as MATLAB gives it.
DAYS = {
    (1981, 5, 5): 723671,
    (1980, 7, 1): 723363,
    (1980, 7, 2): 723364,
    (2000, 2, 29): 730545,
    (1, 1, 1): 367,
}


@pytest.mark.parametrize(
    ("born", "year", "age"),
    [
        ((1981, 5, 5), 2009, 28),
        ((1980, 7, 1), 2000, 20),  # a birthday on the first of July is over
        ((1980, 7, 2), 2000, 19),
        ((2000, 2, 29), 2001, 1),
        ((1, 1, 1), 50, 49),
        ((1981, 5, 5), 1980, -1),
    ],
    ids=str,
)
def test_the_age_is_counted_in_birthdays(born: tuple[int, int, int], year: int, age: int) -> None:
    assert age_on_photo(float(DAYS[born]), float(year)) == age
    # The hour of the birth changes nothing.
    assert age_on_photo(DAYS[born] + 0.99, float(year)) == age


@pytest.mark.parametrize("days", [0, -5, 366.9, 1e9, float("nan"), float("inf")])
def test_what_is_no_day_of_birth_is_no_age(days: float) -> None:
    with pytest.raises(BadLabelError):
        age_on_photo(days, 2000)


def test_the_least_score_is_a_choice(importing: Any, made: SimpleNamespace, tmp_path: Path) -> None:
    layout = made.layout("imdb-wiki")
    source = made.folder(tmp_path / "x", layout.files)
    assert len(importing("imdb-wiki", source, min_score=0.5).records) == 3
    strict = importing("imdb-wiki", source, min_score=4.3)
    assert list(strict.records) == ["00/sound_1981-05-05_2009.jpg"]
    assert list(strict.drops.values()).count("face score below 4.3") == 4


@pytest.mark.parametrize("key", ["imdb-wiki", "imdb-wiki 7.3"])
def test_full_pictures_are_cut_where_the_face_is(
    key: str, importing: Any, made: SimpleNamespace, tmp_path: Path
) -> None:
    source = made.folder(tmp_path / "x", made.layout(key).files)
    found = importing("imdb-wiki", source, form="full")
    hints = {item.hint.box for item in found.candidates.values()}
    # MATLAB counts from 1 and means the last pixel: columns 11 to 30 are pixels 10 to 29.
    assert hints == {(10.0, 5.0, 30.0, 25.0)}
    assert all(item.hint is None for item in importing("imdb-wiki", source).candidates.values())


def _savemat(variables: dict[str, Any]) -> bytes:
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, variables)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"faces": {"dob": np.zeros((1, 2))}}, "holds no struct «imdb» or «wiki»"),
        ({"wiki": np.zeros((3, 3))}, "«wiki» is not a 1 × 1 struct"),
        ({"wiki": {"dob": np.zeros((1, 2))}}, "has no field photo_taken, gender"),
        (
            {
                "wiki": {
                    **{name: np.zeros((1, 2)) for name in ("dob", "photo_taken", "gender")},
                    **{name: np.zeros((1, 3)) for name in ("face_score", "second_face_score")},
                    "full_path": np.array([["a", "b"]], object),
                }
            },
            "its fields are of different lengths",
        ),
    ],
    ids=["another struct", "an array", "fields missing", "lengths"],
)
def test_another_mat_file_is_refused(
    content: dict[str, Any], message: str, importing: Any, made: SimpleNamespace, tmp_path: Path
) -> None:
    files = {"wiki.mat": _savemat(content), "00/a.jpg": made.picture(0)}
    with pytest.raises(DatasetError, match=message):
        importing("imdb-wiki", made.folder(tmp_path / "x", files))


def test_odd_values_are_reasons_and_no_errors(
    importing: Any, made: SimpleNamespace, tmp_path: Path
) -> None:
    nan, rows = float("nan"), {}
    rows["00/a.jpg"] = (723671.0, nan, 1, 4.0, nan)
    rows["00/b.jpg"] = (723671.0, 2009, 0.5, 4.0, nan)
    rows["00/c.jpg"] = (723671.0, 2009, 1, nan, nan)
    files = {"imdb_crop/imdb.mat": made.wiki_mat5(rows, "imdb")}
    found = importing("imdb-wiki", made.folder(tmp_path / "x", files))
    assert found.drops == {
        "00/a.jpg": "no date of birth or of the picture",
        "00/b.jpg": "missing gender",
        "00/c.jpg": "no face found",
    }


@pytest.mark.parametrize(("key", "package"), [("imdb-wiki", "scipy.io"), ("imdb-wiki 7.3", "h5py")])
def test_a_missing_package_is_named(
    key: str,
    package: str,
    importing: Any,
    made: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = made.folder(tmp_path / "x", made.layout(key).files)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'edgeage\[mat\]'"):
        importing("imdb-wiki", source)


def test_a_file_that_points_at_others_is_refused(
    importing: Any, made: SimpleNamespace, tmp_path: Path
) -> None:
    import h5py

    (tmp_path / "secret").write_bytes(bytes(800))
    source = tmp_path / "x"
    source.mkdir()
    kinds: dict[str, tuple[Any, str]] = {
        "linked": (
            lambda file: file.__setitem__("wiki", h5py.ExternalLink("other.h5", "/wiki")),
            "is a link out of its place",
        ),
        "stored elsewhere": (
            lambda file: file.create_group("wiki").create_dataset(
                "dob", (9, 1), "f8", external=[(str(tmp_path / "secret"), 0, 72)]
            ),
            "keeps its values in another file",
        ),
        "a bomb": (
            lambda file: file.create_group("wiki").create_dataset(
                "dob", (1 << 40, 1), "f8", chunks=(1024, 1)
            ),
            "no table of labels has",
        ),
    }
    for write, message in kinds.values():
        (source / "wiki.mat").unlink(missing_ok=True)
        with h5py.File(source / "wiki.mat", "w") as file:
            write(file)
        with pytest.raises(DatasetError, match=message):
            importing("imdb-wiki", source)
