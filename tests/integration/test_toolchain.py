"""The real Movidius tools: found, tried, and Caffe training with them."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from edgeage.movidius.status import check_toolchain

if TYPE_CHECKING:
    from edgeage.movidius import Toolchain

_NET = """
name: "line" force_backward: true
layer { name: "data" type: "DummyData" top: "x" top: "y" dummy_data_param {
  shape { dim: 4 dim: 2 } shape { dim: 4 dim: 1 }
  data_filler { type: "constant" value: 1 } data_filler { type: "constant" value: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "z"
  inner_product_param { num_output: 1 weight_filler { type: "constant" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "z" bottom: "y" top: "loss" }
"""
_TRAIN = """
import json, sys
import caffe
solver = caffe.SGDSolver(sys.argv[1])
losses = []
for _ in range(20):
    solver.step(1)
    losses.append(float(solver.net.blobs["loss"].data))
print(json.dumps(losses))
"""


def test_the_tools_work(toolchain: Toolchain) -> None:
    status = check_toolchain(toolchain)
    assert status.works, status.to_dict()
    assert "CPU" in status.devices
    details = {check.name: check.detail for check in status.checks}
    assert details["openvino"].startswith("2021.4.2")
    assert details["myriad_plugin"].startswith("2021.4.2")
    assert details["caffe"] == "1.0.0"
    assert details["cpu"] == "a small net runs"


def test_caffe_trains(toolchain: Toolchain, tmp_path) -> None:
    (tmp_path / "net.prototxt").write_text(_NET)
    (tmp_path / "solver.prototxt").write_text(
        f'net: "{tmp_path / "net.prototxt"}" base_lr: 0.1 lr_policy: "fixed" max_iter: 20\n'
        "snapshot_after_train: false solver_mode: CPU\n"
    )
    done = subprocess.run(
        [toolchain.python, "-c", _TRAIN, tmp_path / "solver.prototxt"],
        env=toolchain.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    losses = json.loads(done.stdout)
    # y = 3 from x = (1, 1) with zero weights: (3 - 0)² / 2 at first, then ever less.
    assert losses[0] == 4.5
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.01
