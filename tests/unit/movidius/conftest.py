"""A home, a PATH and a cache with nothing in them, and interpreters that are shell scripts."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeage.movidius.pythons import BUILD_VARIABLE
from edgeage.movidius.toolchain import PYTHON_VARIABLE

_OURS = (
    "CONDA_EXE", "CONDA_PREFIX", "INTEL_OPENVINO_DIR", "LD_LIBRARY_PATH", "MAMBA_ROOT_PREFIX",
    "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME", BUILD_VARIABLE, PYTHON_VARIABLE,
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, an empty PATH, a cache that is not there yet."""
    for name in _OURS:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return folder


def description(**changes: Any) -> dict[str, Any]:
    """What a sound Python 3.9 says of itself."""
    sound = {
        "executable": "",
        "version": [3, 9, 18],
        "implementation": "CPython",
        "bits": 64,
        "platform": "linux-x86_64",
        "glibc": "2.31",
        "missing": [],
    }
    return {**sound, **changes}


@pytest.fixture
def fake_python() -> Callable[..., Path]:
    """Make ``path`` a program that says it is such a Python, and is this one in all else.

    Its environments are made without pip, which they have from this Python's own packages.
    """

    def make(path: Path, **changes: Any) -> Path:
        said = shlex.quote(json.dumps(description(executable=str(path), **changes)))
        real = shlex.quote(getattr(sys, "_base_executable", sys.executable))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "#!/bin/sh\n"
            f'case "$*" in *describe_python*) echo {said}; exit;;\n'
            f'*" venv "*) exec {real} "$@" --without-pip --system-site-packages;; esac\n'
            f'exec {real} "$@"\n'
        )
        path.chmod(0o755)
        return path

    return make
