"""What a built data set is made of: ages, genders, races, duplicates, sizes, poor pictures."""

from __future__ import annotations

import statistics
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.datasets.parallel import ordered_map
from edgeage.datasets.reader import FaceReader
from edgeage.datasets.report import read_report
from edgeage.datasets.tables import format_table
from edgeage.errors import require
from edgeage.labels import AGE_GROUPS, GENDERS
from edgeage.paths import atomic_file
from edgeage.processor import usable_processors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgeage.datasets.records import SplitRecord

__all__ = ["dataset_stats", "format_stats", "picture_faults", "plot_stats"]

_SIDE = 128
# Of UTKFace's Asian training faces about one in a hundred is beyond each.
_BLURRED_BELOW, _DARK_BELOW, _BRIGHT_ABOVE, _FLAT_BELOW = 15.0, 65.0, 205.0, 24.0


def picture_faults(pixels: np.ndarray) -> list[str]:
    """Say what is poor about a picture.

    Looked at is its grey version of 128 × 128 pixels: ``"blurred"`` when the variance of its
    Laplacian is below 15 (J. Pech-Pacheco et al., ICPR 2000), ``"dark"`` or ``"bright"`` when its
    mean level is below 65 or above 205, ``"flat"`` when its levels' deviation is below 24.

    Args:
        pixels: uint8 array of shape (3, height, width), BGR.

    Returns:
        Any of the four words.

    >>> picture_faults(np.zeros((3, 20, 20), np.uint8))
    ['blurred', 'dark', 'flat']
    """
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(pixels.transpose(1, 2, 0)), cv2.COLOR_BGR2GRAY)
    grey = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    level = float(grey.mean())
    faults = {
        "blurred": float(cv2.Laplacian(grey, cv2.CV_64F).var()) < _BLURRED_BELOW,
        "dark": level < _DARK_BELOW,
        "bright": level > _BRIGHT_ABOVE,
        "flat": float(grey.std()) < _FLAT_BELOW,
    }
    return [name for name, found in faults.items() if found]


def dataset_stats(
    data: str | Path,
    *,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Describe a built data set; every picture is looked at once.

    Args:
        data: the folder ``edgeage dataset build -o`` made.
        workers: number of threads; None for one a processor.
        on_progress: called with the number of faces done and of all.

    Returns:
        JSON-ready values: ``faces``, ``sides``, ``age`` (years), ``age_by_gender``, ``race``,
        ``people``, ``near_duplicates``, ``picture_hw``, ``lmdb_bytes`` and ``faults``.

    Raises:
        DatasetError: when the data set is missing or damaged.
    """
    data = Path(data)
    report = read_report(data)
    items: list[SplitRecord] = []
    faults: Counter[str] = Counter()
    readers = [FaceReader(data, side) for side in ("train", "test")]
    total = sum(map(len, readers))
    for reader in readers:
        with reader:
            looks = ordered_map(
                lambda index, reader=reader: picture_faults(reader[index][0]),  # type: ignore[misc]
                range(len(reader)),
                workers or usable_processors(),
            )
            for index, found in enumerate(looks):
                items.append(reader.record(index))
                faults.update(found)
                if on_progress is not None:
                    on_progress(len(items), total)
    return {
        "dataset": report["dataset"],
        "faces": len(items),
        "sides": dict(Counter(item.split for item in items)),
        **_labels(items),
        "near_duplicates": report["near_duplicates"],
        "picture_hw": list(readers[0].shape[1:]),
        "lmdb_bytes": {
            path.parent.name: path.stat().st_size for path in sorted(data.glob("*_lmdb/data.mdb"))
        },
        "faults": {name: faults[name] for name in ("blurred", "dark", "bright", "flat")},
    }


def _labels(items: list[SplitRecord]) -> dict[str, Any]:
    records = [item.record for item in items]
    ages = [record.age for record in records]
    cells = Counter((record.age_group, record.gender) for record in records)
    words: tuple[tuple[str, int | None], ...] = (
        *((name, index) for index, name in enumerate(GENDERS)),
        ("unstated", None),
    )
    return {
        "age": {
            "lowest": min(ages),
            "highest": max(ages),
            "mean": round(statistics.fmean(ages), 3),
            "median": statistics.median(ages),
            "years": {str(age): count for age, count in sorted(Counter(ages).items())},
        },
        "age_by_gender": {
            group: {word: cells[index, gender] for word, gender in words}
            for index, group in enumerate(AGE_GROUPS)
        },
        "race": dict(sorted(Counter(record.race or "unstated" for record in records).items())),
        "people": len({record.person for record in records} - {""}),
    }


def format_stats(stats: Mapping[str, Any]) -> str:
    """Return the statistics as tables for people."""
    age, sides = stats["age"], stats["sides"]
    height, width = stats["picture_hw"]
    head = (
        f"{stats['dataset']['name']}: {stats['faces']} faces, {sides.get('train', 0)} to train and "
        f"{sides.get('test', 0)} to test; {age['lowest']} to {age['highest']} years, mean "
        f"{age['mean']:.1f}, median {age['median']:g}; {width} × {height} pixels"
    )
    if stats["people"]:
        head += f"; {stats['people']} people"
    words = list(next(iter(stats["age_by_gender"].values())))
    rows: list[tuple[object, ...]] = [("age", *words, "faces")]
    for group, counts in stats["age_by_gender"].items():
        rows.append((group, *counts.values(), sum(counts.values())))
    near = stats["near_duplicates"]
    duplicates = {"pairs": near["pairs"], "identical files": near["identical_files"]}
    sizes = {name: f"{size / 1e6:.1f} MB" for name, size in stats["lmdb_bytes"].items()}
    tables = [
        rows,
        [("race", "faces"), *stats["race"].items()],
        [("near-duplicates", "count"), *duplicates.items()],
        [("poor pictures", "faces"), *stats["faults"].items()],
        [("LMDB", "size"), *sizes.items()],
    ]
    return "\n\n".join([head, *map(format_table, tables)])


def plot_stats(stats: Mapping[str, Any], path: Path) -> None:
    """Draw the ages, and the age groups by gender.

    Args:
        stats: what :func:`dataset_stats` returned.
        path: ``.png``, ``.svg`` or ``.pdf``; written whole or not at all.

    Raises:
        MissingDependencyError: without matplotlib.
    """
    figures = require("matplotlib.figure", extra="plot", purpose="draw plots")
    figure = figures.Figure(figsize=(9, 7), layout="constrained")
    above, below = figure.subplots(2)
    years = {int(age): count for age, count in stats["age"]["years"].items()}
    above.bar(list(years), list(years.values()), width=1.0)
    above.set(xlabel="age, years", ylabel="faces", title=f"{stats['dataset']['name']}")
    groups = stats["age_by_gender"]
    bottom = np.zeros(len(groups))
    for word in next(iter(groups.values())):
        counts = np.array([row[word] for row in groups.values()])
        if counts.any():
            below.bar(list(groups), counts, bottom=bottom, label=word)
        bottom += counts
    below.set(xlabel="age group", ylabel="faces")
    below.legend()
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower())
