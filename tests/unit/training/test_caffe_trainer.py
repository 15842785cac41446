"""The Caffe engine's own side, against a stand-in for the module «caffe»."""

import os
import signal
import sys
import time

import numpy as np
import pytest

from edgeage.caffe import parse_net, parse_solver, read_solverstate, write_weights
from edgeage.datasets.store import DatumReader
from edgeage.errors import TrainingError
from edgeage.training.caffe_errors import explain
from edgeage.training.caffe_files import PhaseData
from edgeage.training.caffe_trainer import CaffeTrainer

# Two layers, one with weights; the loss of iteration n is 1/n. $FAKE says what goes wrong at the
# third iteration.
FAKE = """
import os, signal, sys, time, types
import numpy as np
__version__ = "1.0.0-fake"
class Blob:
    def __init__(self, shape): self.data = np.zeros(shape, np.float32)
    @property
    def count(self): return self.data.size
    @property
    def shape(self): return self.data.shape
    def reshape(self, *shape): self.data = np.resize(self.data, shape)
class Net:
    def __init__(self):
        self.layers = [types.SimpleNamespace(type=t) for t in ("Data", "InnerProduct", "Accuracy")]
        self._layer_names = ["data", "fc", "accuracy"]
        self.top_names = {"data": ["data", "label"], "fc": ["fc"], "accuracy": ["accuracy"]}
        self.blobs = {"data": Blob((7, 3)), "label": Blob((7,)), "loss": Blob((1,)),
                      "accuracy": Blob((1,))}
        self.blob_loss_weights = {"data": 0.0, "loss": 1.0}
        self.params = {"fc": [Blob((2, 3)), Blob((2,))]}
        self.batches = 0
    def share_with(self, other): pass
    def _forward(self, first, last):
        if first == 0:
            self.batches += 1
            self.blobs["data"], self.blobs["label"] = Blob((7, 3)), Blob((7,))
            return 0.0
        self.blobs["accuracy"].data[:] = self.blobs["data"].shape[0] / 7
        return float(self.blobs["data"].shape[0])
class Solver:
    def __init__(self):
        self.iter, self.net, self.test_nets = 0, Net(), [Net()]
    def step(self, count):
        self.iter += count
        self.net.blobs["loss"].data[:] = 1 / self.iter
        print("chatter on standard output")
        if self.iter == 3: fail(self)
        if os.environ.get("FAKE") == "slow": time.sleep(0.05)
    def restore(self, path):
        from edgeage.caffe import read_solverstate
        self.iter = read_solverstate(path).iter
    def snapshot(self):
        from edgeage.caffe import SolverState, parse_net, write_solverstate, write_weights
        stem = "tiny_iter_%d" % self.iter
        net = parse_net('layer { name: "fc" type: "InnerProduct" }')
        blobs = [blob.data for blob in self.net.params["fc"]]
        write_weights(stem + ".caffemodel", net, {"fc": blobs})
        state = SolverState(self.iter, stem + ".caffemodel", blobs)
        write_solverstate(stem + ".solverstate", state)
        if os.environ.get("FAKE") == "truncated":
            os.truncate(stem + ".caffemodel", 20)
def fail(solver):
    kind = os.environ.get("FAKE")
    if kind == "abort":
        sys.stderr.write("F20261124 06:40:07.201589 106 x.cpp:15] Check failed: a == b (1 vs. 2) "
                         "Odd news\\n*** Check failure stack trace: ***\\n")
        sys.stderr.flush()
        os.abort()
    if kind in ("SIGSEGV", "SIGKILL"): os.kill(os.getpid(), getattr(signal, kind))
    if kind == "garbage": os.write(int(sys.argv[1]), b"Segmentation fault\\n")
    if kind == "flood": os.write(int(sys.argv[1]), b"x" * (2 << 20))
    if kind == "nan": solver.net.blobs["loss"].data[:] = np.nan
    if kind == "exit": os._exit(0)
def get_solver(path): return Solver()
def set_mode_cpu(): pass
"""


class Memory:
    """Keeps what it is told."""

    def __init__(self):
        self.steps, self.tests, self.snapshots = [], [], []

    def step(self, report):
        self.steps.append(report)

    def test(self, report):
        self.tests.append(report)

    def snapshot(self, path):
        self.snapshots.append(path.name)


@pytest.fixture
def fake_caffe(tmp_path, monkeypatch):
    """A ``caffe`` for children of this Python; returns a function that says what goes wrong."""
    (tmp_path / "path" / "caffe").mkdir(parents=True)
    (tmp_path / "path" / "caffe" / "__init__.py").write_text(FAKE)
    paths = [str(tmp_path / "path"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    return lambda kind: monkeypatch.setenv("FAKE", kind)


@pytest.fixture
def make(tiny_data, tiny_net, tmp_path, fake_caffe):
    """A function that makes a trainer; keywords change solver fields."""
    readers = [DatumReader(tiny_data / f"{name}_lmdb") for name in ("train", "test")]

    def trainer(**fields):
        net = parse_net(tiny_net)
        text = 'base_lr: 0.01 lr_policy: "fixed" max_iter: 6 snapshot: 2 test_interval: 3 '
        solver = parse_solver(text + "test_initialization: false")
        for field, value in fields.items():
            setattr(solver, field, value)
        phases = [
            PhaseData.of(layer, reader, number == 0, tiny_data)
            for number, (layer, reader) in enumerate(zip(net.layer[:2], readers, strict=True))
        ]
        memory = Memory()
        python = fields.get("python", sys.executable)
        made = CaffeTrainer("tiny", tmp_path / "out", solver, net, *phases, python, [memory])
        return made, memory

    yield trainer
    for reader in readers:
        reader.close()


def _clean(out):
    return not out.exists() or not list(out.glob(".*"))


def test_it_reports_as_the_other_engine_does(make, tmp_path):
    trainer, memory = make()
    with trainer:
        trainer.start()
        assert trainer.tools == {"caffe": "1.0.0-fake"}
        assert trainer.train()
    assert [report.iteration for report in memory.steps] == [1, 2, 3, 4, 5, 6]
    assert [report.loss for report in memory.steps] == pytest.approx([1 / n for n in range(1, 7)])
    assert memory.steps[0].learning_rate == pytest.approx(0.01)
    assert [report.iteration for report in memory.tests] == [3, 6]
    # Ten pictures in batches of seven and three: (7·7 + 3·3) / 10, as the stand-in's loss is its
    # batch and its accuracy the batch's seventh.
    assert (memory.tests[0].images, memory.tests[0].loss) == (10, pytest.approx(5.8))
    assert memory.tests[0].accuracy == pytest.approx(5.8 / 7)
    assert memory.snapshots == [f"tiny_iter_{number}.solverstate" for number in (2, 4, 6)]
    state = read_solverstate(tmp_path / "out" / "tiny_iter_4.solverstate")
    assert (state.iter, state.learned_net) == (4, "tiny_iter_4.caffemodel")
    assert (tmp_path / "out" / "tiny_iter_4.caffemodel").is_file()
    assert _clean(tmp_path / "out")


def test_stopping_takes_a_snapshot_and_resuming_goes_on_from_it(make, fake_caffe, tmp_path):
    fake_caffe("slow")
    trainer, memory = make(max_iter=10_000, snapshot=0, test_interval=0)
    with trainer:
        trainer.start()
        assert not trainer.train(lambda: len(memory.steps) >= 2)
    last = memory.steps[-1].iteration
    assert memory.snapshots == [f"tiny_iter_{last}.solverstate"]
    resumed, later = make(max_iter=last + 2)
    with resumed:
        resumed.start(tmp_path / "out" / memory.snapshots[0])
        assert resumed.iteration == last
        assert resumed.train()
    assert [report.iteration for report in later.steps] == [last + 1, last + 2]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        pytest.param("abort", r"Caffe gave up: Odd news \(x.cpp:15\) at iteration 2", id="glog"),
        pytest.param("SIGSEGV", "crashed at iteration 2 .SIGSEGV.*--resume", id="segfault"),
        pytest.param("SIGKILL", "killed at iteration 2.*memory is full", id="memory"),
        pytest.param("garbage", "something else than progress: b'Segmentation", id="garbage"),
        pytest.param("flood", "something else than progress: b'xxx", id="flood"),
        pytest.param("nan", "became nan at iteration 3; lower base_lr", id="nan"),
        pytest.param("exit", "ended at iteration 2 with status 0", id="silent-end"),
        pytest.param("truncated", "snapshot is damaged", id="half-a-snapshot"),
    ],
)
def test_each_death_is_one_line_and_leaves_nothing_behind(make, fake_caffe, tmp_path, kind, reason):
    fake_caffe(kind)
    trainer, _ = make()
    with pytest.raises(TrainingError, match=reason) as caught, trainer:
        trainer.start()
        trainer.train()
    assert "\n" not in str(caught.value)
    assert _clean(tmp_path / "out")
    states = [path.name for path in (tmp_path / "out").glob("*.solverstate")]
    assert states == ([] if kind == "truncated" else ["tiny_iter_2.solverstate"])


def test_weights_of_no_layer_and_snapshots_of_another_network_are_refused(make, tmp_path):
    net = parse_net('layer { name: "fc9" type: "InnerProduct" }')
    write_weights(tmp_path / "w.caffemodel", net, {"fc9": [np.zeros((2, 3)), np.zeros(2)]})
    trainer, _ = make()
    with pytest.raises(TrainingError, match="no layer of this network"), trainer:
        trainer.start(weights=tmp_path / "w.caffemodel")


def test_a_python_without_caffe_says_how_to_get_one(make, tmp_path):
    (tmp_path / "path" / "caffe" / "__init__.py").write_text("raise ImportError('no libcaffe')")
    trainer, _ = make()
    with pytest.raises(TrainingError, match=r"no libcaffe.*edgeage toolchain install"), trainer:
        trainer.start()
    assert not (tmp_path / "out").exists()


def test_no_process_outlives_its_asker(make, fake_caffe):
    fake_caffe("slow")
    trainer, _ = make(max_iter=10_000, test_interval=0)
    with trainer:
        trainer.start()
        number = trainer._process._process.pid
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return
    pytest.fail("it is still there")


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("db_lmdb.hpp:15] Check failed: mdb_status == 0 (2 vs. 0) No such file", "dataset build"),
        ("f.hpp:81] Check failed: r == 1 (0 vs. 1) Unknown layer type: Relu (known types: A, ReLU)",
         "knows no layer type «Relu»; did you mean «ReLU»"),
        ("net.cpp:759] Cannot copy param 0 weights from layer 'fc2'; sh", "layer «fc2» has other"),
        ("common.cpp:66] Cannot use GPU in CPU-only Caffe: check mode.", "solver_mode=CPU"),
        ("insert_splits.cpp:29] Unknown bottom blob 'nix' (layer 'x', bottom index 0)", "«nix»"),
    ],
)  # fmt: skip
def test_what_glog_says_becomes_advice(what, expected):
    talk = f"WARNING: Logging\nF20261124 06:40:07.201589 10619 {what}\n*** Check failure ***\n"
    assert expected in explain(-signal.SIGABRT, talk, 0)
