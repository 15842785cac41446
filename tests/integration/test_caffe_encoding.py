"""Real Caffe's Data layer reads pictures stored as PNG: the same bytes as those stored raw."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edgeage.caffe import encode_datum
from edgeage.datasets.store import DatumWriter

if TYPE_CHECKING:
    from pathlib import Path

_CODE = """
import hashlib, json, os, sys
os.environ["GLOG_minloglevel"] = "2"
import caffe
caffe.set_mode_cpu()
found = {}
for name in ("raw", "png"):
    net = caffe.Net(os.path.join(sys.argv[1], name + ".prototxt"), caffe.TEST)
    digest = hashlib.sha256()
    labels = []
    for _ in range(3):
        net.forward()
        digest.update(net.blobs["data"].data.tobytes())
        labels += [int(label) for label in net.blobs["label"].data]
    found[name] = [list(net.blobs["data"].data.shape), labels, digest.hexdigest()]
print(json.dumps(found))
"""


@pytest.mark.parametrize("transform", ["", "crop_size: 20 mean_value: 100", "scale: 0.5"])
def test_caffe_sees_the_same_pixels(toolchain: Any, transform: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (12, 3, 24, 26), np.uint8)
    for encoding in ("raw", "png"):
        with DatumWriter(tmp_path / encoding) as writer:
            for number, picture in enumerate(pictures):
                writer.put_bytes(f"{number}.png", encode_datum(picture, number % 9, encoding))
        (tmp_path / f"{encoding}.prototxt").write_text(
            'layer { name: "d" type: "Data" top: "data" top: "label" '
            f"transform_param {{ {transform} }} data_param {{ "
            f'source: "{tmp_path / encoding}" batch_size: 4 backend: LMDB }} }}'
        )
    done = subprocess.run(
        [str(toolchain.python), "-c", _CODE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["png"] == found["raw"]
    assert found["raw"][1] == [number % 9 for number in range(12)]
