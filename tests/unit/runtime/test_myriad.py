"""The sticks' backend on a stand-in: which sticks, which files, which errors."""

from __future__ import annotations

import itertools
import logging
import os
import signal

import numpy as np
import pytest

from edgeage.errors import (
    DeviceBusyError,
    DeviceLostError,
    DeviceNotFoundError,
    ModelError,
    ToolchainError,
    UsageError,
)
from edgeage.movidius.protocol import Limits
from edgeage.runtime.myriad import MyriadBackend

LIMITS = Limits(start_s=30, load_s=30, request_s=10, silence_s=3, beat_s=0.1, close_s=5)


@pytest.fixture
def opened(standin):
    """Open backends whose sessions are closed after the test."""
    sessions = []

    def make(device="MYRIAD", manifest=None, **options):
        backend = MyriadBackend(device, standin.python, limits=LIMITS, **options)
        sessions.append(backend.load(manifest or standin.model()))
        return backend, sessions[-1]

    yield make
    for session in sessions:
        session.close()


def test_one_stick_answers_under_the_name_asked_for(opened, numbered):
    backend, session = opened()
    answer = session.infer(numbered([5, 6, 700]))
    assert answer.probabilities[:, 0].tolist() == [5, 6, 700]
    assert answer.probabilities.dtype == np.float32
    assert set(answer.devices) == {session.device} == {backend.device} == {"MYRIAD"}


def test_all_sticks_share_the_work_and_boot_one_after_the_other(opened, standin, numbered):
    standin.tell(devices="1.1-ma2480 1.2-ma2480 1.3-ma2450", load_s=0.1, run_s=0.02)
    backend, session = opened()
    answer = session.infer(numbered(range(60)))
    assert answer.probabilities[:, 0].tolist() == list(range(60))
    names = {f"MYRIAD.{name}" for name in ("1.1-ma2480", "1.2-ma2480", "1.3-ma2450")}
    assert set(answer.devices) == names
    loads = standin.loads()
    assert {device for device, *_ in loads} == names
    spans = sorted((float(start), float(end)) for *_, start, end in loads)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    assert len(backend.stats()) == 3


def test_one_of_several_by_its_id(opened, standin, numbered):
    standin.tell(devices="1.1-ma2480 1.2-ma2480")
    _, session = opened("MYRIAD.1.2-ma2480")
    assert set(session.infer(numbered(range(9))).devices) == {"MYRIAD.1.2-ma2480"}
    assert [device for device, *_ in standin.loads()] == ["MYRIAD.1.2-ma2480"]


def test_an_id_that_is_not_there(opened):
    with pytest.raises(DeviceNotFoundError, match="cannot open MYRIAD.7: .*no such stick"):
        opened("MYRIAD.7")


def test_no_stick_at_all(opened, standin):
    standin.tell(devices=" ")
    with pytest.raises(DeviceNotFoundError, match="most likely the stick is not plugged in"):
        opened()


def test_no_toolchain(no_toolchain, standin):
    with pytest.raises(ToolchainError, match="cannot open MYRIAD: .*edgeage toolchain install"):
        MyriadBackend().load(standin.model())


def test_the_tools_python_of_the_environment(standin, monkeypatch, numbered):
    monkeypatch.setenv("EDGEAGE_MOVIDIUS_PYTHON", str(standin.python))
    session = MyriadBackend(limits=LIMITS).load(standin.model())
    assert session.infer(numbered([3])).probabilities[0, 0] == 3
    session.close()


def test_a_busy_stick(opened, standin):
    standin.tell(load_error="Resource busy")
    with pytest.raises(DeviceBusyError, match="cannot load agenet on MYRIAD.*pgrep"):
        opened()


def test_one_stick_of_two_that_does_not_open_is_left_out(opened, standin, numbered, caplog):
    standin.tell(devices="1.1-ma2480 1.2-ma2480", refuses="MYRIAD.1.2-ma2480")
    _, session = opened()
    assert set(session.infer(numbered(range(9))).devices) == {"MYRIAD.1.1-ma2480"}
    (message,) = caplog.messages
    assert message.startswith("cannot load agenet on MYRIAD.1.2-ma2480: another program")
    assert message.endswith("going on without it")


def test_one_stick_of_two_that_was_lost_is_left_out(opened, standin, numbered):
    standin.tell(devices="1.1-ma2480 1.2-ma2480")
    backend, session = opened()
    # The second network finds the first stick gone.
    os.kill(session.pool.networks[0].worker.pid, signal.SIGKILL)
    while len(session.pool.alive) == 2:
        pass
    other = backend.load(standin.model("gender"))
    assert other.infer(numbered([4])).devices == ("MYRIAD.1.2-ma2480",)
    other.close()


def test_both_networks_of_a_predictor_live_in_one_process(opened, standin, numbered):
    backend, session = opened()
    other = backend.load(standin.model("gender"))
    pids = {network.worker.pid for s in (session, other) for network in s.pool.networks}
    assert len(pids) == 1
    session.close()
    assert other.infer(numbered([9])).probabilities[0, 0] == 9
    other.close()
    with pytest.raises(UsageError, match="this session is closed"):
        other.infer(numbered([9]))


class TestFiles:
    def test_the_blob_is_taken_where_there_is_one(self, opened, standin, numbered):
        _, session = opened(manifest=standin.model(blob=True))
        assert [name for _, name, *_ in standin.loads()] == ["age.blob"]
        assert session.infer(numbered([8])).probabilities[0, 0] == 8

    @pytest.mark.parametrize(
        "text",
        [
            "BlobReader error: The version of imported blob doesn't match graph_transformer",
            "something only this version says",
        ],
    )
    def test_the_ir_when_the_blob_is_refused(self, text, opened, standin, numbered, caplog):
        standin.tell(blob_error=text)
        with caplog.at_level(logging.WARNING, "edgeage"):
            _, session = opened(manifest=standin.model(blob=True))
        assert [name for _, name, *_ in standin.loads()] == ["age.xml"]
        assert caplog.messages[0].endswith("loading the IR instead")
        assert session.infer(numbered([8])).probabilities[0, 0] == 8

    def test_a_stick_that_is_not_there_is_not_asked_twice(self, opened, standin):
        standin.tell(blob_error="Can not init Myriad device: NC_ERROR")
        with pytest.raises(DeviceNotFoundError):
            opened(manifest=standin.model(blob=True))
        assert standin.loads() == []

    def test_a_blob_that_changed_is_refused(self, opened, standin):
        manifest = standin.model(blob=True)
        (standin.folder / "age.blob").write_text("damaged")
        with pytest.raises(ModelError, match=r"age\.blob does not match its manifest"):
            opened(manifest=manifest)


class TestTimes:
    def test_load_first_and_steady_are_told_apart(self, opened, standin, numbered):
        standin.tell(load_s=0.3, run_s=0.1)
        backend, session = opened()
        standin.tell(run_s=0.02)
        session.infer(numbered(range(12)))
        (stats,) = backend.stats()
        assert stats["load_ms"] >= 300
        assert stats["first_ms"] == session.first_ms >= 100
        assert 20 <= stats["steady_ms"] < stats["first_ms"]
        assert (stats["network"], stats["requests"]) == ("agenet", 12)

    def test_before_the_first_picture_there_is_no_steady_one(self, opened):
        backend, _ = opened()
        assert backend.stats()[0]["steady_ms"] is None


def test_a_lost_stick_stays_lost_until_loaded_again(opened, standin, numbered):
    backend, session = opened()
    os.kill(session.pool.networks[0].worker.pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(DeviceLostError):
            session.infer(numbered([1, 2]))
    again = backend.load(standin.model())
    assert again.infer(numbered([3])).probabilities[0, 0] == 3
    again.close()


@pytest.mark.parametrize("device", ["MYRIADX", "MYRIAD.", "CPU"])
def test_a_name_that_is_none_of_ours(device):
    with pytest.raises(UsageError, match="expected «MYRIAD» or «MYRIAD.<id>»"):
        MyriadBackend(device)


@pytest.mark.parametrize("options", [{"in_flight": 0}, {"workers": 0}])
def test_impossible_options(options):
    with pytest.raises(UsageError, match="expected 1 or more"):
        MyriadBackend(**options)


@pytest.mark.parametrize(
    "batch",
    [np.zeros((1, 3, 8, 8), np.float32), np.zeros((1, 3, 9, 8), np.uint8)],
    ids=["floats", "another size"],
)
def test_refuses_a_wrong_batch(batch, opened):
    _, session = opened()
    with pytest.raises(UsageError, match=r"expected a uint8 batch of shape \(n, 3, 8, 8\)"):
        session.infer(batch)
