"""Turn a finished training into a released model: ``python -m edgeage.training.release``.

Weights are rounded to half precision and stored as ordinary float32: a stick that computes in
half precision and a CPU then run the same numbers, and git compresses them to about half.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
import numpy as np

from edgeage.caffe import read_mean, read_net, read_weights, write_mean, write_weights
from edgeage.errors import ModelError, require
from edgeage.manifest import Manifest
from edgeage.paths import atomic_file, data_dir, sha256_file

__all__ = ["release", "rounded_to_half"]


def rounded_to_half(weights: dict[str, list[np.ndarray]]) -> dict[str, list[np.ndarray]]:
    """Round weights to the nearest half-precision values, kept as float32.

    Args:
        weights: layer name to float32 blobs.

    Raises:
        ModelError: when a value does not fit half precision (above 65,504).
    """
    with np.errstate(over="ignore"):  # what overflows is reported below, with its layer
        rounded = {
            name: [blob.astype(np.float16).astype(np.float32) for blob in blobs]
            for name, blobs in weights.items()
        }
    for name, blobs in rounded.items():
        if not all(np.isfinite(blob).all() for blob in blobs):
            raise ModelError(f"layer «{name}» has weights beyond half precision's 65,504")
    return rounded


def release(trained: Path, folder: Path) -> Path:
    """Write a trained model's released form.

    Args:
        trained: the manifest ``NAME.json`` that a training wrote.
        folder: gets ``NAME.json`` and the network: ``NAME.onnx``, or ``NAME.caffemodel`` and the
            mean. A deploy prototxt is the shipped one under ``prototxt/``, which has to be the
            trained network's.

    Returns:
        The released manifest's path.

    Raises:
        ModelError: when a file is missing or changed, or the shipped prototxt is another network.
    """
    manifest = Manifest.read(trained)
    folder.mkdir(parents=True, exist_ok=True)
    released = (_with_onnx if "onnx" in manifest.files else _with_caffemodel)(manifest, folder)
    path = folder / f"{manifest.name}.json"
    released.write(path)
    return path


def _with_onnx(manifest: Manifest, folder: Path) -> Manifest:
    onnx: Any = require("onnx", extra="train", purpose="release a network")
    network = onnx.load(manifest.file("onnx"))
    weights = {t.name: [onnx.numpy_helper.to_array(t)] for t in network.graph.initializer}
    floats = {name: blobs for name, blobs in weights.items() if blobs[0].dtype == np.float32}
    for name, (blob,) in rounded_to_half(floats).items():
        place = next(t for t in network.graph.initializer if t.name == name)
        place.CopyFrom(onnx.numpy_helper.from_array(blob, name))
    name = f"{manifest.name}.onnx"
    with atomic_file(folder / name) as temporary:
        onnx.save(network, temporary)
    return manifest.with_files(folder, onnx=name)


def _with_caffemodel(manifest: Manifest, folder: Path) -> Manifest:
    prototxt = data_dir("prototxt") / f"{manifest.name}_deploy.prototxt"
    net = read_net(prototxt)
    if net != read_net(manifest.file("prototxt")):
        raise ModelError(f"{prototxt} is not the network that {manifest.name} was trained as")
    files = {"caffemodel": f"{manifest.name}.caffemodel", "mean": manifest.files["mean"]["name"]}
    weights = rounded_to_half(read_weights(manifest.file("caffemodel")))
    write_weights(folder / files["caffemodel"], net, weights)
    write_mean(folder / files["mean"], read_mean(manifest.file("mean")))
    released = manifest.with_files(folder, **files)
    shipped = {"name": prototxt.name, "sha256": sha256_file(prototxt)}
    return dataclasses.replace(released, files={**released.files, "prototxt": shipped})


@click.command()
@click.argument("trained", type=click.Path(path_type=Path))
@click.option("-o", "folder", type=click.Path(path_type=Path), required=True)
def _main(trained: Path, folder: Path) -> None:
    """Write the released form of the training whose manifest is TRAINED into a folder."""
    click.echo(release(trained, folder))


if __name__ == "__main__":
    _main()
