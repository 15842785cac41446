"""What is measured, from the words that name it."""

from __future__ import annotations

import contextlib

import pytest

from edgeage.errors import ModelError, UsageError
from edgeage.runtime.devices import open_backend
from edgeage.speed.grid import Grid, load_entries, split_words


def test_commas_separate_but_for_a_path_that_is_there(tmp_path):
    folder = tmp_path / "a,b"
    folder.mkdir()
    assert split_words(["CPU, GPU,", str(folder), "CPU"]) == ("CPU", "GPU", str(folder))


@pytest.fixture
def load(tmp_path):
    def run(grid):
        with contextlib.ExitStack() as stack:
            return load_entries(grid, open_backend, tmp_path, stack, lambda _: None)

    return run


def test_a_trained_network_in_each_precision_compiled_once_a_target(load, trained_models):
    model = str(trained_models / "agenet.caffemodel")
    entries = load(Grid((model,), ("CPU", "AUTO"), ("FP32", "INT8")))
    shown = [(entry.model, entry.device, entry.precision) for entry in entries]
    assert shown == [("agenet", d, p) for d in ("CPU", "AUTO") for p in ("FP32", "INT8")]
    assert entries[0].manifest is entries[2].manifest
    assert entries[0].session is not entries[2].session
    for entry in (entries[1], entries[3]):
        assert entry.session is None
        assert "edgeage compile --precision INT8" in entry.reason


def test_a_compiled_model_stays_in_its_precision(load, compiled_models):
    entries = load(Grid((str(compiled_models),), ("CPU",), ("FP16",)))
    assert [(entry.model, entry.precision) for entry in entries] == [
        ("agenet", "FP32"),
        ("gendernet", "FP32"),
    ]


@pytest.mark.parametrize(
    ("grid", "error"),
    [
        (Grid(models=("agnet",)), UsageError),
        (Grid(devices=("CPUU",)), UsageError),
        (Grid(models=("nowhere/x.caffemodel",)), ModelError),
    ],
    ids=["no such network", "no such kind of device", "no such file"],
)
def test_a_wrong_name_ends_it(load, grid, error):
    with pytest.raises(error):
        load(grid)
