"""``edgeage bench`` as a user types it."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def bench(cli, compiled_models):
    """Run it quickly on small networks."""

    def run(*words, models=compiled_models):
        quick = ("--seconds", 0.1, "--rounds", 2)
        return cli("bench", "--models", models, *quick, *words)

    return run


def test_json_of_everything(bench):
    done = bench("--batch", "1,4", "--device", "cpu,gpu.7", "--json")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    rows = document["rows"]
    assert [(row["model"], row["device"], row["batch"]) for row in rows] == [
        (model, device, batch)
        for device in ("CPU", "GPU.7")
        for model in ("agenet", "gendernet")
        for batch in (1, 4)
    ]
    for row in rows[:4]:
        assert row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
        assert row["img_per_s"] > 0
        assert row["runs"] >= 2
    assert all("GPU.7" in row["reason"] for row in rows[4:])
    assert document["options"]["seconds"] == 0.1
    assert document["stages"]["size_hw"] == [200, 200]
    # The released networks share all layers but the last, and run as one.
    assert {"decode", "detect", "age+gender"} <= set(document["stages"]["stages_ms"])
    assert "Preparing agenet in FP32 on CPU." in done.stderr
    assert "bench: 12/12 turn" in done.stderr


def test_trained_networks_are_compiled_in_each_precision(bench, trained_models):
    model = trained_models / "gendernet.caffemodel"
    done = bench("--batch", "2", "--precision", "fp32,fp16", "--no-steps", models=model)
    assert done.exit_code == 0, done.stderr
    assert [line.split()[:4] for line in done.stdout.splitlines()[3:]] == [
        ["gendernet", "CPU", precision, "2"] for precision in ("FP32", "FP16")
    ]


def test_another_peoples_network_of_both_tasks(bench, channel_network):
    network = channel_network()
    genders = {"task": "gender", "labels": ["Female", "Male"], "logits": True}
    fields = {
        "manifest": 1,
        "files": {"ir_xml": "net.xml"},
        "input": {"size": [12, 12], "channel_order": "BGR"},
        "outputs": [
            {"name": "years", "task": "age", "kind": "years"},
            {"name": "genders", **genders},
        ],
    }
    (network.parent / "model.json").write_text(json.dumps(fields), encoding="utf-8")
    done = bench("--batch", 1, models=network)
    assert done.exit_code == 0, done.stderr
    row, *steps = [line.split() for line in done.stdout.splitlines()[3:]]
    assert row[:4] == ["net", "CPU", "–", "1"]
    assert "age+gender" in [words[0] for words in steps if words]


def test_nothing_ran(bench):
    done = bench("--device", "GPU.7", "--no-steps")
    assert done.exit_code == 1
    assert "Not measured:" in done.stdout
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Error: nothing could be measured: ")
    assert "GPU.7" in last


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--batch", "0"), "expected a batch of 1 to 4096 pictures, got «0»"),
        (("--precision", "FP17"), "did you mean «FP16»?"),
        (("--device", "CPUU"), "unknown device «CPUU»"),
        (("--plot", "bars.gif"), "end in .png, .svg, .pdf"),
    ],
    ids=["batch", "precision", "device", "plot"],
)
def test_a_wrong_call(bench, words, said):
    done = bench(*words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_files_are_written_and_kept(bench, tmp_path):
    words = ("--no-steps", "--batch", 1, "--output", tmp_path / "rows.txt")
    done = bench(*words, "--plot", tmp_path / "bars.svg")
    assert (done.exit_code, done.stdout) == (0, "")
    kept = (tmp_path / "rows.txt").read_text(encoding="utf-8")
    assert "gendernet" in kept
    assert "<svg" in (tmp_path / "bars.svg").read_text(encoding="utf-8")
    again = bench(*words)
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
    assert (tmp_path / "rows.txt").read_text(encoding="utf-8") == kept
