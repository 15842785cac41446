"""The whole measurement on made-up devices."""

from __future__ import annotations

import pytest

from edgeage.errors import DeviceLostError, ImageError
from edgeage.faces import Detection
from edgeage.sources import as_source
from edgeage.speed import BenchOptions, run_bench
from edgeage.speed.grid import Grid
from edgeage.testing import FakeBackend, FakeDetector

QUICK = BenchOptions(seconds=0.002, rounds=2)


def test_a_row_for_every_combination_and_a_reason_for_what_is_not_there(made_up):
    grid = Grid(devices=("FAST", "GONE"), batches=(1, 3))
    found = run_bench(grid, QUICK, opener=made_up.open)
    keys = [(row.device, row.model, row.batch) for row in found.rows]
    assert keys == [
        (device, model, batch)
        for device in ("FAST", "GONE")
        for model in ("fake_age", "fake_gender")
        for batch in (1, 3)
    ]
    assert found.ran == list(found.rows[:4])
    assert {row.reason for row in found.rows[4:]} == {"device «GONE» is not here"}
    assert {row.ran_on for row in found.ran} == {"FAST"}
    assert set(made_up.backends["FAST"].batches) == {1, 3}


def test_throughput_counts_every_picture_of_a_batch(made_up):
    found = run_bench(Grid(devices=("FAST",), batches=(16,)), QUICK, opener=made_up.open)
    for row in found.ran:
        figures = row.figures
        assert figures.p50_ms <= figures.p90_ms <= figures.p99_ms
        assert figures.runs >= QUICK.rounds
        assert 16_000 / figures.p99_ms * 0.3 < figures.img_per_s


def test_a_device_lost_on_the_way_is_a_row_with_its_reason():
    faults = [None] * 9 + [DeviceLostError("the stick was pulled out")] * 50
    backend = FakeBackend(infer_faults=faults)
    options = BenchOptions(seconds=1e-9, rounds=20)
    found = run_bench(Grid(devices=("X",), batches=(1,)), options, opener=lambda _: backend)
    assert found.ran == []
    assert {row.reason for row in found.rows} == {"the stick was pulled out"}


def test_progress_says_what_is_prepared_and_counts_turns(made_up):
    prepared, turns = [], []
    run_bench(
        Grid(devices=("GONE", "FAST"), batches=(1,)),
        QUICK,
        opener=made_up.open,
        on_entry=prepared.append,
        on_turn=lambda done, total: turns.append((done, total)),
    )
    assert prepared[0] == "fake_age in FP32 on GONE"
    # Two rows that run, a warm-up and two rounds each.
    assert turns == [(done, 6) for done in range(1, 7)]


def test_a_picture_that_cannot_be_read_ends_it_before_any_work(made_up, tmp_path):
    with pytest.raises(ImageError):
        run_bench(
            Grid(devices=("FAST",)), picture=as_source(tmp_path / "no.png"), opener=made_up.open
        )
    assert made_up.backends["FAST"].batches == []


def test_steps_of_a_picture_are_of_the_last_precision(compiled_models, astronaut_face, monkeypatch):
    from edgeage import predictor

    opened = []

    class Watched(predictor.Predictor):
        def __init__(self, models, device, **settings):
            opened.append(([model.name for model in models], device, settings["mode"]))
            detector = FakeDetector([Detection((10, 10, 60, 60), 0.9)])
            super().__init__(models, device, detector=detector, **settings)

    monkeypatch.setattr(predictor, "Predictor", Watched)
    grid = Grid(models=(str(compiled_models),), batches=(1,))
    found = run_bench(grid, QUICK, picture=as_source(astronaut_face))
    assert opened == [(["agenet", "gendernet"], "CPU", "latency")]
    costs = found.stages
    # Both begin with the same layers, so they run as one.
    assert list(costs.stages_ms) == ["decode", "detect", "align", "age+gender"]
    assert (costs.size_hw, costs.faces, costs.precision) == ((110, 110), 1, "FP32")
    assert found.to_dict()["stages"]["device"] == "CPU"


def test_without_any_network_the_steps_have_a_reason(made_up, astronaut_face):
    grid = Grid(devices=("GONE",))
    found = run_bench(grid, QUICK, picture=as_source(astronaut_face), opener=made_up.open)
    assert found.stages.to_dict() == {"picture": "<array>", "reason": "no network ran"}


def test_steps_take_the_first_network_of_a_task(compiled_models, astronaut_face, monkeypatch):
    from edgeage import predictor

    opened = []

    class Watched(predictor.Predictor):
        def __init__(self, models, device, **settings):
            opened.extend(models)
            super().__init__(models, device, detector=None, **settings)

    monkeypatch.setattr(predictor, "Predictor", Watched)
    twice = tuple(str(compiled_models / name) for name in ("gendernet", "agenet"))
    grid = Grid(models=(*twice, str(compiled_models)), batches=(1,))
    found = run_bench(grid, QUICK, picture=as_source(astronaut_face))
    assert len(found.ran) == 4
    assert [manifest.name for manifest in opened] == ["gendernet", "agenet"]
    assert found.stages.faces == 1
