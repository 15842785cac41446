"""``edgeage inspect`` as a user types it."""

from __future__ import annotations

import json
import shutil

import pytest


def test_explains_released_weights_as_a_table(cli, trained_models):
    done = cli("inspect", trained_models / "agenet.caffemodel")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].endswith("agenet.caffemodel: weights of a Caffe network, 20 layers")
    assert "syntax         V2 (layer)" in lines
    (row,) = [line for line in lines if line.startswith("conv1 ")]
    assert row.split()[1:4] == ["Convolution", "96×3×7×7", "96"]


def test_json_is_one_document(cli, compiled_models):
    done = cli("inspect", compiled_models / "gendernet" / "gendernet.xml", "--json")
    document = json.loads(done.stdout)
    assert document["kind"] == "ir"
    assert document["ir_version"] == 10
    assert document["ends"][0] == {
        "end": "input", "name": "data", "shape": [1, 3, 67, 67], "element_type": "u8",
    }  # fmt: skip


def test_a_weights_file_cut_short_is_one_line(cli, trained_models, tmp_path):
    whole = (trained_models / "agenet.caffemodel").read_bytes()
    (tmp_path / "cut.caffemodel").write_bytes(whole[: len(whole) // 2])
    done = cli("inspect", tmp_path / "cut.caffemodel")
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"a .caffemodel cut short: it has {len(whole) // 2:,} bytes" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("missing", ["agenet.bin", "mean.npy"])
def test_a_compiled_folder_with_a_missing_file(missing, cli, compiled_models, tmp_path):
    folder = shutil.copytree(compiled_models / "agenet", tmp_path / "agenet")
    (folder / missing).unlink()
    done = cli("inspect", folder)
    assert done.exit_code == 0
    assert f"{missing} is missing" in done.stdout


def test_a_prototxt_with_a_mean_is_a_wrong_call(cli, trained_models):
    prototxt = trained_models / "agenet_deploy.prototxt"
    done = cli("inspect", trained_models / "mean.npy", "--prototxt", prototxt)
    assert done.exit_code == 2
