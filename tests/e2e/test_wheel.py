"""A wheel, installed with its core dependencies alone, predicts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_IGNORED = shutil.ignore_patterns(
    *(".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "data", "shared"),
)


def _run(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, **options
    )


@pytest.fixture(scope="module")
def wheel(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that ``python -m build`` makes by way of the source distribution.

    With this environment's setuptools: that pyproject.toml asks for all that building takes is
    shown where edgeage itself is installed.
    """
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, so that nothing is written into the work tree.
    shutil.copytree(repo_root, folder / "source", ignore=_IGNORED)
    done = _run(
        *(sys.executable, "-m", "build", "--no-isolation"),
        *("-o", folder / "dist", folder / "source"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (folder / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a new environment that holds the wheel and its core dependencies."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    constraints = repo_root / "constraints.txt"
    done = _run(
        commands / "python", "-m", "pip", "install", "--quiet", "--constraint", constraints, wheel
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return commands


def test_the_wheel_carries_the_data(wheel: Path, repo_root: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"edgeage/_data/{path.relative_to(repo_root).as_posix()}"
        for pattern in ("prototxt/*.prototxt", "compile/*.toml", "datasets/*", "models/*.json")
        for path in repo_root.glob(pattern)
    }
    expected |= {
        f"edgeage/_data/caffe_models/{path.name}"
        for path in (repo_root / "caffe_models").glob("*")
        if path.suffix in (".caffemodel", ".json", ".npy", ".md")
    }
    expected |= {"edgeage/_data/examples/test_0.png", "edgeage/py.typed"}
    expected |= {
        path.relative_to(repo_root).as_posix()
        for path in (repo_root / "edgeage/streaming/web/static").iterdir()
    }
    assert len(expected) > 9
    assert expected <= names
    assert not [name for name in names if name.startswith(("tests/", "setup"))]


def test_only_the_core_is_installed(installed: Path) -> None:
    code = (
        "import importlib.util as u;"
        "print([m for m in ('torch', 'lmdb', 'skimage', 'matplotlib', 'tqdm') if u.find_spec(m)])"
    )
    assert _run(installed / "python", "-c", code).stdout.strip() == "[]"


def test_commands_that_need_an_extra_say_so(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    done = _run(
        *(installed / "edgeage", "dataset", "build", "utkface", "pictures", "-o", "out"),
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "pip install 'edgeage[data]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    done = _run(installed / "edgeage", "serve")
    assert done.returncode == 1
    assert "pip install 'edgeage[web]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_infer_predicts_from_the_wheel(installed: Path, repo_root: Path, tmp_path: Path) -> None:
    picture = shutil.copy(repo_root / "examples" / "test_0.png", tmp_path)
    environment = {**os.environ, "EDGEAGE_CACHE": str(tmp_path / "cache")}
    environment.pop("PYTHONPATH", None)
    done = _run(
        *(installed / "edgeage", "infer", "--image", picture, "--json"),
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    (face,) = result["faces"]
    assert face["gender"] == "Female"
    assert 0 <= face["age"] <= 120
    assert sum(face["age_probabilities"]) == pytest.approx(1, abs=0.01)
