"""What the worker process costs a picture, against calling the same plugin in its own Python.

Run: python benchmarks/worker_overhead.py [--json FILE] [--python PATH] [--target CPU].

AgeNet at its real size, one picture at a time and a stream with four under way, on the CPU plugin
of the toolchain's OpenVINO; medians of alternating rounds. Both sides make the same calls in the
same Python: one from a loop beside them, the other from this process, through the pipe and the
shared memory. ``--python`` with ``--target CPU`` measures another Python's OpenVINO.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from document import write_document
from peers import trained_models

from edgeage.compiler import compile_model
from edgeage.compiler.sources import RELEASED
from edgeage.movidius.jobs import script_path
from edgeage.movidius.toolchain import find_toolchain
from edgeage.runtime.myriad import MyriadBackend

if TYPE_CHECKING:
    from edgeage.manifest import Manifest
    from edgeage.movidius.toolchain import Toolchain
    from edgeage.runtime import Session

STREAM, SINGLES, IN_FLIGHT = 64, 60, 4

DIRECT = """
import importlib.util, json, statistics, sys, threading, time
import numpy as np
settings = json.loads(sys.argv[1])
spec = importlib.util.spec_from_file_location("worker", settings["script"])
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
core = worker.open_core()
network = core.read(settings["xml"], settings["bin"])
requests = core.load(network, "CPU", {}, settings["in_flight"])
pictures = np.random.RandomState(0).randint(0, 256, (settings["stream"], 3, 227, 227))
pictures = pictures.astype(np.uint8)
answers = np.zeros((len(pictures), 9), np.float32)
def run(request, places):
    for place in places:
        request.run(pictures[place], answers[place])
for request in requests:
    run(request, range(8))
singles = []
for place in range(settings["singles"]):
    started = time.time()
    run(requests[0], [place % len(pictures)])
    singles.append(1000 * (time.time() - started))
started = time.time()
count = len(requests)
threads = [
    threading.Thread(target=run, args=(request, range(number, len(pictures), count)))
    for number, request in enumerate(requests)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
took = time.time() - started
print(json.dumps([core.version, statistics.median(singles), len(pictures) / took]))
"""


def direct(toolchain: Toolchain, manifest: Manifest) -> tuple[str, float, float]:
    """Return OpenVINO's version, milliseconds of a picture alone and pictures a second of many."""
    settings = {
        "script": str(script_path("worker")),
        "xml": str(manifest.file("ir_xml")),
        "bin": str(manifest.file("ir_bin")),
        "in_flight": IN_FLIGHT,
        "stream": STREAM,
        "singles": SINGLES,
    }
    command = [str(toolchain.python), "-c", DIRECT, json.dumps(settings)]
    done = subprocess.run(
        command, env=toolchain.environment(), capture_output=True, check=True, text=True
    )
    version, alone_ms, rate = json.loads(done.stdout.splitlines()[-1])
    return version, alone_ms, rate


def through_worker(session: Session) -> tuple[float, float]:
    """Return the same figures through the worker."""
    pictures = np.random.RandomState(0).randint(0, 256, (STREAM, 3, 227, 227)).astype(np.uint8)
    session.infer(pictures[:32])
    singles = []
    for place in range(SINGLES):
        started = time.perf_counter()
        session.infer(pictures[place % STREAM][None])
        singles.append(1000 * (time.perf_counter() - started))
    started = time.perf_counter()
    session.infer(pictures)
    return statistics.median(singles), STREAM / (time.perf_counter() - started)


def measure(toolchain: Toolchain, manifest: Manifest, rounds: int) -> dict[str, Any]:
    """Measure both in turn; only one of them is loaded at a time."""
    found: dict[str, list[float]] = {name: [] for name in ("direct", "worker")}
    rates: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        version, alone_ms, rate = direct(toolchain, manifest)
        found["direct"].append(alone_ms)
        rates["direct"].append(rate)
        backend = MyriadBackend(python=toolchain.python, plugin="CPU", in_flight=IN_FLIGHT)
        session = backend.load(manifest)
        alone_ms, rate = through_worker(session)
        session.close()
        found["worker"].append(alone_ms)
        rates["worker"].append(rate)
    rows = [
        {
            "runner": name,
            "batch1_ms": round(statistics.median(found[name]), 3),
            "img_per_s": round(statistics.median(rates[name]), 1),
        }
        for name in found
    ]
    added_ms = statistics.median(
        worker - own for worker, own in zip(found["worker"], found["direct"], strict=True)
    )
    return {
        "openvino": version,
        "rows": rows,
        "overhead_ms": round(added_ms, 3),
        "overhead_share": round(added_ms / statistics.median(found["direct"]), 4),
    }


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--python", type=Path, help="the Python whose OpenVINO runs the network")
    parser.add_argument("--target", default="MYRIAD", help="what to compile the network for")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    toolchain = find_toolchain(options.python)
    with tempfile.TemporaryDirectory() as name:
        (trained, _), weights = trained_models(RELEASED, Path(name))
        manifest = compile_model(trained, Path(name) / "compiled", target=options.target)
        figures = measure(toolchain, manifest, options.rounds)
    print(f"{'':10}{'one picture':>14}{'stream':>16}")
    for row in figures["rows"]:
        print(f"{row['runner']:10}{row['batch1_ms']:11.2f} ms{row['img_per_s']:10.1f} img/s")
    print(f"the worker adds {figures['overhead_ms']:.2f} ms ({figures['overhead_share']:.1%})")
    write_document(
        options.json,
        ("openvino",),
        network="AgeNet",
        weights=weights,
        in_flight=IN_FLIGHT,
        **figures,
    )


if __name__ == "__main__":
    main()
