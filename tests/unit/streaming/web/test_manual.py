"""``docs/web.md`` tells what there is."""

from __future__ import annotations

import dataclasses
import re

import pytest

from edgeage.streaming.web import WebSettings
from edgeage.streaming.web.openapi import describe


@pytest.fixture(scope="module")
def manual(repo_root) -> str:
    return (repo_root / "docs" / "web.md").read_text(encoding="utf-8")


def test_the_limits_are_the_settings(manual):
    rows = re.findall(r"\| `(\w+)` \| ([\d,]+) \|", manual)
    fields = {f.name: f.default for f in dataclasses.fields(WebSettings)}
    assert [name for name, _ in rows] == [name for name in fields if name not in ("token", "save")]
    assert all(float(told.replace(",", "")) == fields[name] for name, told in rows)


def test_every_status_and_address_is_told(manual):
    described = describe(WebSettings(token="x" * 16))["paths"]
    codes = {
        code
        for operations in described.values()
        for operation in operations.values()
        for code in operation["responses"]
    }
    rows = re.findall(r"^\| (\d{3})(?:, (\d{3}))? \|", manual, re.M)
    told = {code for row in rows for code in row if code}
    assert told - {"405"} == {code for code in codes if code >= "400"}
    addresses = set(re.findall(r"`(GET|POST|DELETE) (/\S*?)`", manual))
    assert addresses >= {(m.upper(), path) for path, ops in described.items() for m in ops}


def test_the_options_are_there(manual):
    import click

    from edgeage.cli.serve import command

    options = {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
    lines = [line for line in manual.splitlines() if "edgeage serve" in line or "| `--" in line]
    named = {word for line in lines for word in re.findall(r"(?<![\w-])--[a-z-]+", line)}
    assert named - {"--help"} <= options
    assert len(named) > 6


def test_the_service_runs_what_there_is(manual):
    (unit,) = re.findall(r"```ini\n(.*?)```", manual, re.S)
    (words,) = re.findall(r"^ExecStart=\S+ serve (.*)$", unit, re.M)

    from edgeage.cli.serve import command

    context = command.make_context("serve", words.split(), resilient_parsing=False)
    assert context.params["host"] == "0.0.0.0"
    assert context.params["queue"] == 4


def test_the_pictures_are_small(repo_root, manual):
    for name in re.findall(r"images/(\w+\.png)", manual):
        path = repo_root / "docs" / "images" / name
        assert path.read_bytes()[:4] == b"\x89PNG"
        assert path.stat().st_size < 150_000
