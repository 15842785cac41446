"""A small data set, two small models, and their evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edgeage.datasets import BuildOptions, build_utkface
from edgeage.scoring import EvaluateOptions, evaluate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def small_data(tiny_utkface: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up UTKFace as a data set; do not change it."""
    folder = tmp_path_factory.mktemp("small") / "data"
    build_utkface(tiny_utkface.folder, folder, BuildOptions(size=67, oversample=False, split=0.3))
    return folder


@pytest.fixture(scope="session")
def words(trained_models: Path) -> str:
    """AgeNet and GenderNet of random weights, as one candidate."""
    return f"{trained_models / 'agenet.caffemodel'},{trained_models / 'gendernet.caffemodel'}"


@pytest.fixture(scope="session")
def document(small_data: Path, words: str, trained_models: Path) -> dict[str, Any]:
    """Both models together, and the age's alone, scored in both crops; do not change it."""
    options = EvaluateOptions(crop=("tight", "loose"), resamples=100, seconds=0.05, cache=False)
    return evaluate([words, str(trained_models / "agenet.caffemodel")], [small_data], options)
