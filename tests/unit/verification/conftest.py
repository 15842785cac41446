"""A subject that every engine runs, and pictures for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeage.verification import Subject, find_subject
from edgeage.verification.pictures import LabelledPictures

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def subject(trained_models: Path) -> Subject:
    """The random AgeNet."""
    return find_subject(trained_models / "agenet.caffemodel")


@pytest.fixture(scope="session")
def pictures() -> LabelledPictures:
    """Five pictures of blotches, with labels."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (5, 3, 10, 10), dtype=np.uint8)
    batch = coarse.repeat(7, axis=2).repeat(7, axis=3)[:, :, :67, :67]
    return LabelledPictures(np.ascontiguousarray(batch), np.arange(5) % 3, "5 pictures of tests")
