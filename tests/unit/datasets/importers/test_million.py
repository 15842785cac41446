"""Memory does not grow with the number of labels, nor with that of names in an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from own_memory import run_program

if TYPE_CHECKING:
    from pathlib import Path

_CODE = """
import sys, tarfile
from pathlib import Path
from edgeage.datasets.importers import open_importer
from edgeage.datasets.importers.found import Candidate, ImportOptions
from own_memory import forget_peak, peak_mib

POINTS = " ".join(f"{n} {n * n % 91}" for n in range(68))
TABLES = {  # the table's name, its header, a row, a picture's path
    "csv": ("labels.csv", "file,age,gender", "{n}.jpg,{age},female", "{n}.jpg"),
    "fairface": ("fairface_label_train.csv", "file,age,gender,race,service_test",
                 "train/{n}.jpg,20-29,Female,White,True", "train/{n}.jpg"),
    "appa-real": ("gt_avg_train.csv",
                  "file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age",
                  "{n}.jpg,38,20.5,3.0,{age}", "train/{n}.jpg_face.jpg"),
    "adience": ("fold_0_data.txt", "user_id\\toriginal_image\\tface_id\\tage\\tgender",
                "u\\t{n}_o.jpg\\t7\\t(25, 32)\\tf",
                "aligned/u/landmark_aligned_face.7.{n}_o.jpg"),
    "utkface": ("landmark_list_part1.txt", "", "{age}_1_2_2017{n:013}.jpg " + POINTS,
                "{age}_1_2_2017{n:013}.jpg"),
}
NAMES = {
    "fgnet": "{person:03}A{age:02}{letter}.JPG",
    "names": "{age}_1_2_2017{n:013}.jpg.chip.jpg",
}

def filled(text, n):
    # FG-NET numbers a person with three digits: a million pictures are ten of each at every age.
    letter = "abcdefghij"[n // 100_000]
    return text.format(n=n, age=n % 100, person=n // 100 % 1000, letter=letter)

def table_source(name, count, folder):
    table, header, row, path = TABLES[name]
    for n in (0, count // 2, count - 1):
        picture = folder / "pictures" / filled(path, n)
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.touch()
    with (folder / table).open("w") as file:
        file.write(header + "\\n")
        file.writelines(filled(row, n) + "\\n" for n in range(count))
    return folder / "pictures", ImportOptions(labels=(folder / table,))

def tar_source(name, count, folder):
    # Written as tarfile's stream is read, or writing alone would hold every name.
    with (folder / "x.tar").open("wb") as file:
        for n in range(count):
            file.write(tarfile.TarInfo(filled(NAMES[name], n)).tobuf())
        file.write(bytes(1024))
    return folder / "x.tar", ImportOptions()

name, root = sys.argv[1], Path(sys.argv[2])
importer = open_importer("utkface" if name == "names" else name)
for count in map(int, sys.argv[3:]):
    folder = root / str(count)
    (folder / "work").mkdir(parents=True)
    source = (table_source if name in TABLES else tar_source)(name, count, folder)
    faces = drops = 0
    forget_peak()
    for item in importer.find(*source, folder / "work"):
        faces += isinstance(item, Candidate)
        drops += not isinstance(item, Candidate)
    print(faces, drops, peak_mib())
"""
_TABLED = ("csv", "fairface", "appa-real", "adience")


# IMDB-WIKI's and packed .mat files are not here: neither scipy nor h5py gives their columns row by
# row; docs/datasets.md tells what they take.
@pytest.mark.parametrize("name", [*_TABLED, "utkface", "fgnet", "names"])
@pytest.mark.parametrize(
    "counts",
    [(1_000, 15_000), pytest.param((100_000, 1_000_000), marks=pytest.mark.heavy)],
    ids=["thousands", "a million"],
)
def test_memory_does_not_grow_with_the_index(
    name: str, counts: tuple[int, int], tmp_path: Path
) -> None:
    lines = [line.split() for line in run_program(_CODE, name, tmp_path, *counts)]
    for count, (faces, drops, _) in zip(counts, lines, strict=True):
        tabled = name in (*_TABLED, "utkface")
        assert int(faces) == (3 if tabled else count)
        assert int(drops) == (count - 3 if name in _TABLED else 0)
    fewer, more = (float(peak) for _, _, peak in lines)
    # The index may keep 16 MB of its file in memory, of which 14,000 labels more take 4 MB.
    assert more - fewer < (6 if counts[1] < 100_000 else 25), lines
