"""Fixtures of the commands' tests."""

from __future__ import annotations

import cv2
import pytest


@pytest.fixture
def pictures(tmp_path, astronaut_face):
    """A folder with a.png, b.png and, a folder deeper, another a.png."""
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    cv2.imwrite(str(folder / "a.png"), astronaut_face)
    cv2.imwrite(str(folder / "b.png"), astronaut_face[:, ::-1])
    cv2.imwrite(str(folder / "deep" / "a.png"), astronaut_face // 2)
    return folder


@pytest.fixture
def infer(cli, compiled_models):
    def run(*arguments):
        return cli("infer", "--models", compiled_models, *arguments)

    return run
