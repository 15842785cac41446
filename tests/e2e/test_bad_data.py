"""Bad data sets and archives: one clear line on stderr, exit status 1, nothing half written."""

from __future__ import annotations

import gzip
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def dataset(tiny_utkface: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgeage.cli.main import main

    folder = tmp_path_factory.mktemp("data") / "tiny"
    words = ["dataset", "build", "utkface", str(tiny_utkface.archive), "-o", str(folder)]
    assert main([*words, "--size", "227", "--no-oversample"]) == 0
    return folder


_DATASET_DAMAGE = {
    "no folder": (shutil.rmtree, "edgeage dataset build"),
    "no report": (lambda folder: (folder / "report.json").unlink(), "report.json"),
    "a cut report": (lambda folder: (folder / "report.json").write_bytes(b"{"), "report.json"),
    "no LMDB": (lambda folder: shutil.rmtree(folder / "age_test_lmdb"), "age_test_lmdb"),
    "a cut LMDB": (
        lambda folder: (folder / "age_test_lmdb" / "data.mdb").write_bytes(bytes(999)),
        "age_test_lmdb",
    ),
    "an empty LMDB": (
        lambda folder: (folder / "age_test_lmdb" / "data.mdb").write_bytes(b""),
        "age_test_lmdb",
    ),
    "no mean": (lambda folder: (folder / "mean.binaryproto").unlink(), "mean.binaryproto"),
    "a cut mean": (
        lambda folder: (folder / "mean.binaryproto").write_bytes(b"\x08\x01"),
        "mean.binaryproto",
    ),
}


@pytest.mark.parametrize(("damage", "word"), _DATASET_DAMAGE.values(), ids=_DATASET_DAMAGE)
def test_training_on_a_corrupt_data_set(
    damage: Callable[[Path], Any],
    word: str,
    dataset: Path,
    cli: Callable[..., Any],
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(dataset, tmp_path / "data")
    damage(folder)
    result = cli("train", "agenet", "--data", folder, "-o", tmp_path / "run", "--max-iter", 1)
    result.assert_one_line(word)


@pytest.mark.parametrize("name", [name for name in _DATASET_DAMAGE if "LMDB" in name])
def test_scoring_on_a_corrupt_data_set(
    name: str,
    dataset: Path,
    trained_models: Path,
    cli: Callable[..., Any],
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(dataset, tmp_path / "data")
    damage, word = _DATASET_DAMAGE[name]
    damage(folder)
    result = cli(
        "test", "agenet", "--data", folder, "--model", trained_models / "agenet.caffemodel"
    )
    result.assert_one_line(word)


def _cut_archive(path: Path, whole: Path, past: int) -> Path:
    """Write the first part of a tar.gz, up to some bytes past the start of its 40th member."""
    content = gzip.decompress(whole.read_bytes())
    with tarfile.open(whole) as tar:
        start = tar.getmembers()[40].offset
    # Without the eight bytes that close a gzip stream: a download that broke off.
    return _write(path, gzip.compress(content[: start + past])[:-8])


def _empty_archive(path: Path) -> Path:
    with tarfile.open(path, "w:gz"):
        pass
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda folder, tiny: folder / "nowhere.tar.gz", "nowhere", id="missing"),
        pytest.param(lambda folder, tiny: folder, "no ", id="empty folder"),
        pytest.param(
            lambda folder, tiny: _empty_archive(folder / "a.tar.gz"), "no ", id="empty archive"
        ),
        pytest.param(
            lambda folder, tiny: _write(folder / "a.tar.gz", b"no archive" * 99),
            "a.tar.gz",
            id="no archive",
        ),
        pytest.param(
            lambda folder, tiny: _cut_archive(folder / "a.tar.gz", tiny.archive, 512 + 100),
            "a.tar.gz",
            id="archive cut in a picture",
        ),
        pytest.param(
            lambda folder, tiny: _cut_archive(folder / "a.tar.gz", tiny.archive, 100),
            "a.tar.gz",
            id="archive cut in a header",
        ),
        pytest.param(
            lambda folder, tiny: _cut_archive(folder / "a.tar.gz", tiny.archive, 0),
            "a.tar.gz",
            id="archive cut between two pictures",
        ),
    ],
)
def test_building_from_a_bad_source(
    make: Callable[[Path, Any], Path],
    reason: str,
    tiny_utkface: Any,
    cli: Callable[..., Any],
    tmp_path: Path,
) -> None:
    (tmp_path / "in").mkdir()
    source = make(tmp_path / "in", tiny_utkface)
    result = cli("dataset", "build", "utkface", source, "-o", tmp_path / "out")
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert reason in last
    assert "a defect of edgeage" not in last
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
