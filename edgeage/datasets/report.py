"""The report of a built data set, ``report.json``, and the tables made from it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage import __version__
from edgeage.errors import DatasetError
from edgeage.inputspec import InputSpec
from edgeage.labels import AGE_GROUPS, DEFAULT_GROUP_AGES, GENDERS, TASK_LABELS
from edgeage.paths import atomic_file, data_dir
from edgeage.tomlfile import read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgeage.datasets.importers.found import Importer
    from edgeage.datasets.options import BuildOptions
    from edgeage.datasets.oversample import Copy
    from edgeage.datasets.records import SplitRecord
    from edgeage.datasets.scan import Scan

__all__ = ["REPORT_VERSION", "content_hash", "make_report", "read_report", "write_report"]

REPORT_VERSION = 1
_NAME = "report.json"
_CHOICES = ("other_ages", "not_chosen")


def make_report(
    importer: Importer,
    source: Path,
    scan: Scan,
    *,
    pairs: Sequence[tuple[int, int]],
    faces: Sequence[SplitRecord],
    plans: Mapping[str, Sequence[Copy]],
    options: BuildOptions,
    margin: float | None,
) -> dict[str, Any]:
    """Describe a data set; ``lmdb`` and ``mean`` are left for the builder to add.

    Args:
        importer: the data set's.
        source: the archive or folder.
        scan: what was found there.
        pairs: near-duplicates, as numbers of ``faces``.
        faces: the faces and their split.
        plans: the pictures of each LMDB, by its name.
        options: the build's options.
        margin: around the faces that were cut out; None when pictures were taken as they are.

    Returns:
        JSON-ready values.
    """
    card = read_toml(data_dir("datasets") / importer.card)
    return {
        "report": REPORT_VERSION,
        "dataset": {**card["dataset"], "race": _races(importer, options)},
        "source": {
            "name": source.name,
            "files": scan.files,
            "other_races": scan.unwanted["other_races"],
            **{name: scan.unwanted[name] for name in _CHOICES if scan.unwanted[name]},
            "sha256": content_hash(faces),
        },
        "options": options.described() | ({} if margin is None else {"margin": margin}),
        "faces": len(faces),
        "drops": scan.drops.to_dict(),
        "near_duplicates": _duplicates(pairs, faces),
        "counts": {
            task: _counts(task, faces, plans)
            for task in TASK_LABELS
            if f"{task}_train_lmdb" in plans
        },
        "distribution": _distribution(faces),
        "input": _input(card, options.size, margin).to_dict(),
        "group_ages": _group_ages(faces),
        "versions": _versions(),
    }


def _races(importer: Importer, options: BuildOptions) -> str:
    return "+".join(options.races) if importer.has_race else "unstated"


def _input(card: Mapping[str, Any], size: int, margin: float | None) -> InputSpec:
    """Say how a face must be cut for a network trained on these pictures."""
    crop = dict(card.get("crop", {}))
    if margin is not None:
        # What this package cuts out is the standard face square, UTKFace's, plus the margin.
        crop = read_toml(data_dir("datasets") / "utkface.toml")["crop"] | {"margin": margin}
    return InputSpec((size, size), (size, size), **crop)


def content_hash(faces: Sequence[SplitRecord]) -> str:
    """Return the SHA-256 of all faces' hashes and names, as 64 hexadecimal digits."""
    lines = (f"{face.record.sha256}  {face.record.name}\n" for face in faces)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _duplicates(pairs: Sequence[tuple[int, int]], faces: Sequence[SplitRecord]) -> dict[str, Any]:
    groups: dict[int, list[SplitRecord]] = {}
    for face in faces:
        if face.duplicate_group is not None:
            groups.setdefault(face.duplicate_group, []).append(face)

    def conflicts(field: str) -> int:
        values = ({getattr(face.record, field) for face in group} for group in groups.values())
        return sum(len(found) > 1 for found in values)

    return {
        "pairs": len(pairs),
        "groups": len(groups),
        "faces": sum(map(len, groups.values())),
        "largest_group": max(map(len, groups.values()), default=0),
        "identical_files": len(faces) - len({face.record.sha256 for face in faces}),
        "groups_with_several_ages": conflicts("age"),
        "groups_with_several_age_groups": conflicts("age_group"),
        "groups_with_several_genders": conflicts("gender"),
    }


def _counts(
    task: str, faces: Sequence[SplitRecord], plans: Mapping[str, Sequence[Copy]]
) -> dict[str, Any]:
    labels = range(len(TASK_LABELS[task]))

    def per_class(found: Counter[int]) -> list[int]:
        return [found[label] for label in labels]

    before = {
        side: per_class(
            Counter(
                face.record.label(task)
                for face in faces
                if face.split == side and face.record.has(task)
            )
        )
        for side in ("train", "test")
    }
    stored = per_class(Counter(copy.record.label(task) for copy in plans[f"{task}_train_lmdb"]))
    empty = [TASK_LABELS[task][label] for label in labels if not before["train"][label]]
    return {
        "labels": list(TASK_LABELS[task]),
        **before,
        "train_stored": stored,
        "without_training_faces": empty,
    }


def _distribution(faces: Sequence[SplitRecord]) -> dict[str, Any]:
    records = [face.record for face in faces]
    cells = Counter((record.age_group, record.gender) for record in records)
    races = Counter(record.race or "unstated" for record in records)
    return {
        "race": dict(sorted(races.items())),
        "age_by_gender": {
            group: {name: cells[age, gender] for gender, name in enumerate(GENDERS)}
            for age, group in enumerate(AGE_GROUPS)
        },
    }


def _group_ages(faces: Sequence[SplitRecord]) -> list[float]:
    """Return the mean age in years of each group's training faces; a default for an empty one."""
    ages: list[list[int]] = [[] for _ in AGE_GROUPS]
    for face in faces:
        if face.split == "train":
            ages[face.record.age_group].append(face.record.age)
    pairs = zip(ages, DEFAULT_GROUP_AGES, strict=True)
    return [round(sum(found) / len(found), 3) if found else default for found, default in pairs]


def _versions() -> dict[str, str]:
    names = ("numpy", "opencv-python", "pillow", "lmdb", "scikit-image")
    found = {"edgeage": __version__, "python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write ``report.json`` into a data set's folder, whole or not at all."""
    text = json.dumps(report, indent=2, ensure_ascii=True)
    with atomic_file(folder / _NAME) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_report(folder: str | Path) -> dict[str, Any]:
    """Read the report of a built data set.

    Args:
        folder: what ``edgeage dataset build … -o`` made.

    Returns:
        The report: among others ``input`` (an :class:`edgeage.inputspec.InputSpec` as
        dictionary), ``group_ages`` (years), ``dataset`` (name, licence, source, race), ``counts``.

    Raises:
        DatasetError: when the folder is missing or no finished data set.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(
            f"{folder} is missing; expected a data set, make one with: edgeage dataset build"
        )
    path = folder / _NAME
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DatasetError(
            f"{folder} is not a finished data set: it has no {_NAME}; make one with: "
            "edgeage dataset build"
        ) from None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is not a readable report: {error}") from None
    if not isinstance(report, dict) or report.get("report") != REPORT_VERSION:
        raise DatasetError(f"{path} is not a report of version {REPORT_VERSION}; build again")
    return report
