"""schemathesis makes requests of the description, good and bad, and holds the answers to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOKEN = "token-of-this-test-0123"
_PROGRAM = "from schemathesis.cli import schemathesis; schemathesis()"


@pytest.fixture
def check(tmp_path):
    """``check(url, examples, …)`` runs schemathesis on a server, in a process of its own."""

    def run(url: str, examples: int, *words: str) -> str:
        done = subprocess.run(
            [
                *(sys.executable, "-c", _PROGRAM, "run", f"{url}openapi.json", "--no-color"),
                *("--max-examples", str(examples), "--seed", "1", "--request-timeout", "20"),
                *("--suppress-health-check", "all", *words),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                "SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("schema_hooks.py")),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_description_holds(serve, check):
    """With the token all is as described, and without it everything is refused as described."""
    told = check(serve(token=TOKEN).url, 10, "--header", f"Authorization: Bearer {TOKEN}")
    assert "8 selected / 8 total" in told


def test_a_description_that_is_wrong_is_noticed(serve, check, monkeypatch):
    from edgeage.streaming.web import openapi

    monkeypatch.setitem(openapi._FACE, "age", {"type": "string"})
    with pytest.raises(AssertionError, match="Response violates schema"):
        check(serve().url, 3, "--include-path", "/v1/predict")


@pytest.mark.heavy
def test_the_description_holds_for_many_requests(serve, check):
    check(serve().url, 500)
