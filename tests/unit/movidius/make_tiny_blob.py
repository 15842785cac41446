"""Make ``tiny.blob``, a network of 8×8 pixels compiled for an OAK, with the Movidius tools.

Run: python tests/unit/movidius/make_tiny_blob.py [FILE]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from edgeage import caffe
from edgeage.compiler import compile_model, find_model

NET = """
name: "Tiny"
layer { name: "data" type: "Input" top: "data"
        input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "fc2" type: "InnerProduct" bottom: "conv1" top: "fc2"
        inner_product_param { num_output: 2 } }
layer { name: "prob" type: "Softmax" bottom: "fc2" top: "prob" }
"""


def write_tiny_model(folder: Path) -> Path:
    """Write the trained model's files and return its caffemodel's path."""
    rng = np.random.default_rng(0)
    weights = {
        "conv1": [rng.normal(0, 0.01, (4, 3, 3, 3)).astype(np.float32), np.zeros(4, np.float32)],
        "fc2": [rng.normal(0, 0.1, (2, 144)).astype(np.float32), np.zeros(2, np.float32)],
    }
    (folder / "tiny.prototxt").write_text(NET)
    caffe.write_weights(folder / "tiny.caffemodel", caffe.parse_net(NET), weights)
    np.save(folder / "mean.npy", np.full((3, 8, 8), 120, np.float32))
    return folder / "tiny.caffemodel"


def main() -> None:
    """Compile it and put the blob in its place."""
    default = Path(__file__).with_name("tiny.blob")
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = write_tiny_model(folder)
        trained = find_model(
            weights, prototxt=folder / "tiny.prototxt", mean=folder / "mean.npy", task="gender"
        )
        compiled = compile_model(trained, folder / "compiled", target="OAK")
        shutil.copyfile(compiled.file("blob"), target)


if __name__ == "__main__":
    main()
