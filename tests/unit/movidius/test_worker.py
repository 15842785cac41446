"""The worker process and its client, with a stand-in for OpenVINO: order, faults, limits."""

from __future__ import annotations

import ast
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edgeage.errors import DeviceError, DeviceLostError, ModelError, ToolchainError
from edgeage.movidius import protocol
from edgeage.movidius.jobs import script_path
from edgeage.movidius.pool import NetworkPool
from edgeage.movidius.protocol import Layout, Limits
from edgeage.movidius.worker import Worker

QUICK = Limits(start_s=30, load_s=30, request_s=10, silence_s=1.5, beat_s=0.05, close_s=5)


def layout(offset: int, labels: int = 9) -> Layout:
    return Layout(offset, 4, (3, 8, 8), labels)


def order(manifest, **changes):
    files = {"xml": str(manifest.file("ir_xml")), "bin": str(manifest.file("ir_bin"))}
    return {**files, "doing": "load agenet", **changes}


@pytest.fixture
def start():
    """Start workers that are closed after the test."""
    workers = []

    def make(standin, limits=QUICK, name="STICK") -> Worker:
        workers.append(Worker(standin.toolchain, "MYRIAD", name, limits))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


@pytest.fixture
def pool(start, standin):
    return NetworkPool([start(standin).load(order(standin.model()), layout)])


def numbers_of(pool, batch) -> list[int]:
    return [int(row[0]) for row in pool.infer(batch)[0]]


def gone(pid: int, within_s: float = 10.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_both_sides_have_the_same_numbers():
    spec = importlib.util.spec_from_file_location("worker", script_path("worker"))
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    names = ("MAGIC", "PROTOCOL", "MAX_FRAME", "HELLO", "LOAD_IT", "LOADED", "NOT_LOADED")
    names += ("RUN_IT", "RUN_DONE", "RUN_FAILED", "BEAT")
    for name in names:
        assert getattr(script, name) == getattr(protocol, name), name
    for name in ("HEADER", "RUN", "DONE", "FAILED"):
        assert getattr(script, name).format == getattr(protocol, name).format, name


def test_the_script_is_python_3_6():
    ast.parse(script_path("worker").read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 50])
def test_every_picture_gets_its_own_answer_in_order(either_standin, start, numbered, count):
    worker = start(either_standin)
    assert worker.hello["openvino"].endswith("-standin")
    assert worker.hello["devices"] == ["1.1-ma2480"]
    pool = NetworkPool([worker.load(order(either_standin.model()), layout)])
    numbers = list(range(1000, 1000 + count))
    assert numbers_of(pool, numbered(numbers)) == numbers


def test_two_networks_of_different_sizes_do_not_mix(start, standin, numbered):
    worker = start(standin)
    pools = {
        task: NetworkPool(
            [worker.load(order(standin.model(task)), lambda at, n=labels: layout(at, n))]
        )
        for task, labels in (("age", 9), ("gender", 2))
    }
    for task, labels in (("age", 9), ("gender", 2)):
        answers, names = pools[task].infer(numbered([7, 8, 9]))
        assert answers.shape == (3, labels)
        assert answers.dtype == np.float32
        assert names == ("STICK",) * 3


def test_many_threads_get_their_own_answers(pool, numbered):
    with ThreadPoolExecutor(12) as threads:
        work = [list(range(at, at + 7)) for at in range(0, 700, 7)]
        found = list(threads.map(lambda numbers: numbers_of(pool, numbered(numbers)), work))
    assert found == work


def test_pictures_are_under_way_at_the_same_time(pool, numbered, standin):
    standin.tell(run_s=0.1)
    started = time.monotonic()
    pool.infer(numbered(range(8)))
    assert time.monotonic() - started < 0.6


def test_what_libraries_print_disturbs_nothing(pool, numbered, standin):
    """A line on stdout and a megabyte on stderr at each picture."""
    standin.tell(chatter=1_000_000)
    assert numbers_of(pool, numbered(range(8))) == list(range(8))


def test_a_warm_up_runs_before_the_first_picture(start, standin):
    standin.tell(run_s=0.05, load_s=0.2)
    network = start(standin).load(order(standin.model()), layout)
    assert network.first_ms >= 50
    assert network.load_ms >= 200
    standin.tell(run_error="no good")
    with pytest.raises(DeviceError, match="cannot load agenet: no good"):
        start(standin).load(order(standin.model()), layout)


class TestLost:
    def test_killed_says_so_and_ends_what_is_under_way(self, pool, numbered, standin):
        standin.tell(run_s=0.2)
        killer = threading.Timer(0.3, os.kill, (pool.networks[0].worker.pid, signal.SIGKILL))
        killer.start()
        with pytest.raises(DeviceLostError, match="STICK is lost: .* was killed by signal 9"):
            pool.infer(numbered(range(40)))
        killer.join()

    def test_and_stays_lost(self, pool, numbered):
        os.kill(pool.networks[0].worker.pid, signal.SIGKILL)
        for _ in range(3):
            with pytest.raises(DeviceLostError, match="STICK is lost"):
                pool.infer(numbered(range(5)))

    def test_its_last_words_are_told(self, pool, numbered, standin):
        standin.tell(chatter=300)
        pool.infer(numbered(range(4)))
        os.kill(pool.networks[0].worker.pid, signal.SIGKILL)
        with pytest.raises(DeviceLostError, match="was killed by signal 9: yyyy"):
            pool.infer(numbered([1]))

    def test_stopped_is_found_by_its_silence(self, pool, numbered):
        pid = pool.networks[0].worker.pid
        os.kill(pid, signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(DeviceLostError, match=r"gave no sign of life for 1\.5 s"):
            pool.infer(numbered(range(5)))
        assert time.monotonic() - started < 8
        assert gone(pid)

    def test_stopped_is_found_while_nothing_is_asked(self, pool):
        os.kill(pool.networks[0].worker.pid, signal.SIGSTOP)
        until = time.monotonic() + 10
        while pool.alive and time.monotonic() < until:
            time.sleep(0.05)
        assert not pool.alive

    def test_a_stalled_stick_is_found_by_the_picture_it_sits_on(self, start, standin, numbered):
        limits = Limits(request_s=0.5, silence_s=1.5, beat_s=0.05)
        pool = NetworkPool([start(standin, limits).load(order(standin.model()), layout)])
        standin.tell(run_s=60)
        with pytest.raises(DeviceLostError, match=r"did not answer within 0\.5 s"):
            pool.infer(numbered([1]))

    def test_garbage_for_the_worker(self, pool, numbered):
        process = pool.networks[0].worker._process
        process._process.stdin.write(b"this is no frame at all")
        process._process.stdin.flush()
        with pytest.raises(DeviceLostError, match="STICK is lost"):
            for _ in range(1000):
                pool.infer(numbered(range(3)))

    def test_garbage_from_the_worker(self, pool, numbered, standin):
        # Any process of this user can write into its pipe.
        worker = pool.networks[0].worker
        fds = Path(f"/proc/{worker.pid}/fd")
        ours = Path(f"/proc/self/fd/{worker._process._process.stdout.fileno()}").readlink()
        (pipe,) = [path for path in fds.iterdir() if path.readlink() == ours]
        with pipe.open("wb", buffering=0) as stream:
            stream.write(b"printed by a library past everything")
        with pytest.raises(DeviceLostError, match="carries something else"):
            for _ in range(1000):
                pool.infer(numbered(range(3)))

    def test_a_failed_run_is_typed_and_ends_it(self, pool, numbered, standin):
        standin.tell(run_error="Failed to read output from FIFO: NC_ERROR")
        with pytest.raises(DeviceLostError, match="the stick stopped answering") as caught:
            pool.infer(numbered(range(9)))
        assert "\n" not in str(caught.value)
        assert not pool.alive


class TestStart:
    def test_a_slow_one_is_waited_for(self, start, standin):
        standin.tell(start_s=1.5)
        assert start(standin).hello["python"]

    def test_too_slow_is_an_error(self, start, standin):
        standin.tell(start_s=60)
        with pytest.raises(DeviceLostError, match="cannot start STICK: no answer within 1 s"):
            start(standin, Limits(start_s=1))

    def test_a_load_that_takes_too_long(self, start, standin):
        worker = start(standin, Limits(load_s=0.5))
        standin.tell(load_s=60)
        with pytest.raises(DeviceLostError, match=r"cannot load agenet: no answer within 0\.5 s"):
            worker.load(order(standin.model()), layout)
        assert gone(worker.pid)

    def test_no_python(self, start, standin):
        standin.python.unlink()
        with pytest.raises(ToolchainError, match="cannot be started: No such file"):
            start(standin)

    def test_a_python_without_numpy(self, start, standin):
        standin.python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
        with pytest.raises(ToolchainError, match="No module named 'numpy'"):
            start(standin)

    def test_a_python_without_openvino(self, start, standin, tmp_path):
        (tmp_path / "openvino.py").write_text("")
        text = standin.python.read_text().replace("PYTHONPATH=", f'PYTHONPATH="{tmp_path}":')
        standin.python.write_text(text)
        with pytest.raises(ToolchainError, match="cannot import OpenVINO") as caught:
            start(standin)
        assert caught.value.kind == "import"

    def test_another_protocol(self, start, standin, monkeypatch):
        monkeypatch.setattr(protocol, "PROTOCOL", 7)
        with pytest.raises(ToolchainError, match="speaks protocol 7, got 1"):
            start(standin)

    def test_another_network_than_the_manifests(self, start, standin):
        with pytest.raises(ModelError, match=r"expected input .* 4 answers, found"):
            start(standin).load(order(standin.model()), lambda at: layout(at, 4))

    def test_killed_while_it_loads(self, start, standin):
        worker = start(standin)
        standin.tell(load_s=60)
        threading.Timer(0.3, os.kill, (worker.pid, signal.SIGKILL)).start()
        with pytest.raises(DeviceLostError, match="cannot load agenet: .*signal 9"):
            worker.load(order(standin.model()), layout)


class TestEnd:
    def test_closed_twice_and_gone(self, start, standin):
        worker = start(standin)
        worker.close()
        worker.close()
        assert gone(worker.pid, 0.5)

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
    def test_it_ends_with_its_parent_and_leaves_nothing(self, how, standin, tmp_path):
        standin.model()
        program = (
            "import sys, time\n"
            "from pathlib import Path\n"
            "from edgeage.movidius.toolchain import Toolchain\n"
            "from edgeage.movidius.worker import Worker\n"
            "from edgeage.movidius.protocol import Layout, Limits\n"
            f"tool = Toolchain(Path({str(standin.python)!r}), managed=False)\n"
            "worker = Worker(tool, 'MYRIAD', 'STICK', Limits())\n"
            f"order = dict(xml={str(standin.folder / 'age.xml')!r}, bin='b', doing='load')\n"
            "worker.load(order, lambda at: Layout(at, 4, (3, 8, 8), 9))\n"
            "print(worker.pid, flush=True)\n"
            "time.sleep(60)\n"
        )
        before = set(Path("/dev/shm").glob("edgeage-*"))
        command = [sys.executable, "-c", program]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
            pid = int(parent.stdout.readline())
            os.kill(parent.pid, how)
        assert gone(pid)
        assert set(Path("/dev/shm").glob("edgeage-*")) <= before


class TestTwo:
    @pytest.fixture
    def pair(self, start, standin):
        workers = [start(standin, name=f"STICK.{number}") for number in range(2)]
        return NetworkPool([worker.load(order(standin.model()), layout) for worker in workers])

    def test_they_share_the_work(self, pair, numbered, standin):
        standin.tell(run_s=0.01)
        answers, names = pair.infer(numbered(range(60)))
        assert [int(row[0]) for row in answers] == list(range(60))
        assert min(names.count(name) for name in ("STICK.0", "STICK.1")) > 15

    def test_the_other_one_takes_over(self, pair, numbered, standin):
        standin.tell(run_s=0.02)
        victim = pair.networks[1].worker.pid
        threading.Timer(0.1, os.kill, (victim, signal.SIGKILL)).start()
        for start in range(0, 300, 60):
            numbers = list(range(start, start + 60))
            assert numbers_of(pair, numbered(numbers)) == numbers
        assert pair.infer(numbered([1]))[1] == ("STICK.0",)

    def test_until_both_are_lost(self, pair, numbered, standin):
        standin.tell(run_s=0.02)
        for wait_s, network in zip((0.1, 0.3), pair.networks, strict=True):
            threading.Timer(wait_s, os.kill, (network.worker.pid, signal.SIGKILL)).start()
        with pytest.raises(DeviceLostError), ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: pair.infer(numbered(range(100))), range(4)))
