"""What the checks of this room start from: nothing installed besides edgeage."""

from __future__ import annotations

import pytest

from edgeage.doctor import tools
from edgeage.movidius.toolchain import PYTHON_VARIABLE


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """Neither the Movidius tools nor depthai are installed, and the cache is empty."""
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    missing = "depthai is not installed; install it with: pip install 'edgeage[oak]'"
    monkeypatch.setattr(tools, "depthai_problem", lambda: missing)
    monkeypatch.setattr(tools, "list_oak_cameras", lambda: ([], ""))
