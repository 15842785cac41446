"""Compare AgeNet's training speed with its peers and with the machine's arithmetic limit.

Run: python benchmarks/training.py [--json FILE] [--caffe-python PYTHON] [--iterations N].

In one run: the torch engine in bf16 and in fp32, the same network as torch users write it
(``nn.Sequential``, ``nn.LocalResponseNorm``, fp32) and, with the Movidius toolchain or another
Python that can ``import caffe``, real Caffe on the same prototxt, LMDB and batch. The limit is
what the machine reaches on a large matrix product. Rounds alternate; figures are medians.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from document import write_document
from torch import nn

from edgeage.caffe import format_message, read_net, read_solver, write_mean
from edgeage.datasets.store import DatumReader, DatumWriter
from edgeage.errors import ToolchainError
from edgeage.movidius import Toolchain, find_toolchain
from edgeage.paths import data_dir
from edgeage.training.data import BatchSource
from edgeage.training.precision import has_fast_bf16
from edgeage.training.trainer import TorchTrainer

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 50
WARM_UP = 3
CAFFE = """
import os, sys, time
os.environ["GLOG_minloglevel"] = "2"
import caffe
caffe.set_mode_cpu()
solver = caffe.SGDSolver(sys.argv[1])
solver.step({warm_up})
started = time.time()
solver.step({iterations})
print("rate", {iterations} * {batch} / (time.time() - started))
"""


def make_data(folder: Path) -> None:
    """Write LMDBs of random pictures and a mean: speed does not depend on what they show."""
    random = np.random.default_rng(0)
    for name in ("age_train_lmdb", "age_test_lmdb"):
        with DatumWriter(folder / name) as writer:
            for index in range(200):
                picture = random.integers(0, 256, (3, 227, 227), dtype=np.uint8)
                writer.put(f"{index}", picture, index % 9)
    write_mean(folder / "mean.binaryproto", np.full((3, 227, 227), 110, np.float32))


class Rates:
    """A reporter that keeps the rate of every iteration."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def step(self, report: Any) -> None:
        """Keep one iteration's rate."""
        self.values.append(report.images_per_second)

    def test(self, report: Any) -> None:
        """Nothing is tested."""

    def snapshot(self, path: Path) -> None:
        """Nothing is kept."""


def engine(folder: Path, precision: str, iterations: int) -> float:
    """Return the torch engine's pictures a second, data loading and solver included."""
    net = read_net(data_dir("prototxt") / "agenet_train_test.prototxt")
    solver = read_solver(data_dir("prototxt") / "agenet_solver.prototxt")
    solver.max_iter, solver.test_interval, solver.snapshot = iterations + WARM_UP, 0, 0
    rates = Rates()
    with (
        DatumReader(folder / "age_train_lmdb") as train,
        DatumReader(folder / "age_test_lmdb") as test,
    ):
        sources = [
            BatchSource(layer, reader, folder, training=layer is net.layer[0], seed=1)
            for layer, reader in zip(net.layer[:2], (train, test), strict=True)
        ]
        trainer = TorchTrainer("agenet", folder, solver, net, *sources, precision, [rates])
        trainer.train()
    return statistics.median(rates.values[WARM_UP:])


def plain_torch(iterations: int) -> float:
    """Return the rate of the usual fp32 module and optimizer, on data already in memory."""
    lrn = {"size": 5, "alpha": 1e-4, "beta": 0.75}
    pool = {"kernel_size": 3, "stride": 2, "ceil_mode": True}
    net = nn.Sequential(
        nn.Conv2d(3, 96, 7, 4), nn.ReLU(), nn.MaxPool2d(**pool), nn.LocalResponseNorm(**lrn),
        nn.Conv2d(96, 256, 5, padding=2), nn.ReLU(), nn.MaxPool2d(**pool),
        nn.LocalResponseNorm(**lrn),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(), nn.MaxPool2d(**pool), nn.Flatten(),
        nn.Linear(384 * 7 * 7, 512), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 9),
    )  # fmt: skip
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    pixels, labels = torch.randn(BATCH, 3, 227, 227) * 60, torch.arange(BATCH) % 9
    times = []
    for _ in range(iterations + WARM_UP):
        started = time.perf_counter()
        loss = nn.functional.cross_entropy(net(pixels), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - started)
    return BATCH / statistics.median(times[WARM_UP:])


def find_caffe(python: Path | None) -> Toolchain | None:
    """Return the Python named, or the Movidius toolchain if it is installed."""
    try:
        return find_toolchain(python)
    except ToolchainError:
        if python:
            raise
        return None


def real_caffe(folder: Path, toolchain: Toolchain, iterations: int) -> float:
    """Return real Caffe's rate on the same files."""
    net = read_net(data_dir("prototxt") / "agenet_train_test.prototxt")
    for layer in net.layer[:2]:
        layer.data_param.source = str(folder / layer.data_param.source)
        layer.transform_param.mean_file = str(folder / layer.transform_param.mean_file)
    solver = read_solver(data_dir("prototxt") / "agenet_solver.prototxt")
    (folder / "caffe_net.prototxt").write_text(format_message(net))
    solver.net, solver.test_initialization = str(folder / "caffe_net.prototxt"), False
    solver.display = solver.snapshot = 0
    (folder / "caffe_solver.prototxt").write_text(format_message(solver))
    program = CAFFE.format(warm_up=WARM_UP, iterations=iterations, batch=BATCH)
    command = [str(toolchain.python), "-c", program, str(folder / "caffe_solver.prototxt")]
    # A conda environment's protobuf may have no C++ part.
    variables = toolchain.environment() if toolchain.managed else None
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
    return float(done.stdout.rsplit("rate", 1)[1])


def matrix_gflops(dtype: torch.dtype) -> float:
    """Return what the machine reaches on a product of conv2's proportions."""
    left, right = torch.ones(19600, 2400, dtype=dtype), torch.ones(2400, 256, dtype=dtype)
    times = []
    for _ in range(12):
        started = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - started)
    return 2 * 19600 * 2400 * 256 / statistics.median(times[2:]) / 1e9


def training_gflop() -> float:
    """Return the arithmetic of one picture, forward and backward.

    Each layer's backward pass costs twice its forward pass, but the first needs no gradient of
    its input.
    """
    conv1 = 56 * 56 * 96 * 3 * 7 * 7
    others = (
        28 * 28 * 256 * 96 * 25 + 14 * 14 * 384 * 256 * 9 + 384 * 49 * 512 + 512 * 512 + 512 * 9
    )
    return 2 * (2 * conv1 + 3 * others) / 1e9


def measure(
    folder: Path, iterations: int, rounds: int, caffe: Toolchain | None
) -> dict[str, float]:
    """Return the median rate of each contender over alternating rounds."""
    contenders: dict[str, Callable[[], float]] = {
        "edgeage torch engine, bf16": lambda: engine(folder, "bf16", iterations),
        "edgeage torch engine, fp32": lambda: engine(folder, "fp32", iterations),
        "plain torch modules, fp32": lambda: plain_torch(iterations),
    }
    if not has_fast_bf16():
        del contenders["edgeage torch engine, bf16"]
    if caffe:
        contenders["real Caffe, fp32"] = lambda: real_caffe(folder, caffe, iterations)
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            rates[name].append(run())
    return {name: statistics.median(values) for name, values in rates.items()}


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--caffe-python",
        type=Path,
        help="a Python that can import caffe, as a peer  [default: the toolchain's, if installed]",
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    caffe = find_caffe(options.caffe_python)
    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder))
        rates = measure(Path(folder), options.iterations, options.rounds, caffe)
    work = training_gflop()
    limits = {"fp32": matrix_gflops(torch.float32) / work}
    if has_fast_bf16():
        limits["bf16"] = matrix_gflops(torch.bfloat16) / work
    print(f"AgeNet, batch {BATCH}, {torch.get_num_threads()} threads, {work:.2f} GFLOP an image")
    peer = "real Caffe, fp32" if caffe else "plain torch modules, fp32"
    for name, rate in rates.items():
        share = rate / limits[name.rsplit(" ", 1)[1]]
        ratio = f"{rate / rates[peer]:.2f} × {peer.split(',', maxsplit=1)[0]}"
        print(f"{name:30}{rate:7.1f} img/s  {ratio}  {share:.0%} of the limit")
    write_document(
        options.json,
        ("torch",),
        batch=BATCH,
        images_per_second={name: round(rate, 1) for name, rate in rates.items()},
        limit_images_per_second={name: round(rate, 1) for name, rate in limits.items()},
    )


if __name__ == "__main__":
    main()
