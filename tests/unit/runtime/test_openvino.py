"""The OpenVINO adapter: batches, threads, the replaced mean, and no error that is not ours."""

from __future__ import annotations

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edgeage.errors import DeviceError, EdgeageError, ModelError, UsageError
from edgeage.manifest import Manifest
from edgeage.runtime.compiling import NetworkCompiler
from edgeage.runtime.openvino import BATCH, OpenVINOBackend, available_devices, translated
from edgeage.runtime.options import RuntimeOptions
from edgeage.runtime.requests import RequestPool


@pytest.fixture(scope="session")
def manifest(compiled_models):
    return Manifest.read(compiled_models / "agenet" / "model.json")


@pytest.fixture
def session(manifest):
    session = OpenVINOBackend("CPU").load(manifest)
    yield session
    session.close()


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, 67, 67), dtype=np.uint8)


@pytest.mark.parametrize("count", [0, 1, 2, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH + 3])
def test_a_batch_of_any_size_answers_as_each_picture_alone(count, session):
    batch = pictures(count)
    alone = [session.infer(batch[i : i + 1]).probabilities[0] for i in range(count)]
    together = session.infer(batch).probabilities
    assert together.shape == (count, 9)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, np.reshape(alone, (count, 9)), atol=1e-5)


def test_every_row_names_its_device(session):
    assert session.infer(pictures(BATCH + 2)).devices == ("CPU",) * (BATCH + 2)
    assert session.first_ms > 0


def sizes_run(session, monkeypatch, batch) -> list[int]:
    """Run a batch and return how many pictures each run had."""
    sizes = []
    run = RequestPool.run

    def spy(self, parts):
        listed = list(parts)
        sizes.extend(len(part) for part in listed)
        return run(self, listed)

    with monkeypatch.context() as patch:
        patch.setattr(RequestPool, "run", spy)
        session.infer(batch)
    return sizes


def test_few_pictures_run_one_by_one_until_a_whole_batch_comes(session, monkeypatch):
    assert sizes_run(session, monkeypatch, pictures(3)) == [1, 1, 1]
    assert sizes_run(session, monkeypatch, pictures(2 * BATCH + 2)) == [6, 6, 6]
    assert sizes_run(session, monkeypatch, pictures(3)) == [3]
    assert sizes_run(session, monkeypatch, pictures(1)) == [1]


def test_in_throughput_a_batch_is_cut_for_all_streams(manifest, monkeypatch):
    options = RuntimeOptions("throughput", streams=2, threads=2)
    session = OpenVINOBackend("CPU", options).load(manifest)
    assert sizes_run(session, monkeypatch, pictures(2 * BATCH + 2)) == [4, 5, 4, 5]
    assert sizes_run(session, monkeypatch, pictures(3)) == [1, 2]
    assert sizes_run(session, monkeypatch, pictures(0)) == []
    session.close()


@pytest.mark.parametrize("mode", ["latency", "throughput"])
def test_modes_threads_and_streams_change_no_answer(mode, manifest, session):
    options = RuntimeOptions(mode, threads=1, streams=1)
    batch = pictures(BATCH + 3)
    other = OpenVINOBackend("AUTO", options).load(manifest)
    np.testing.assert_allclose(
        other.infer(batch).probabilities, session.infer(batch).probabilities, atol=1e-5
    )
    other.close()


def test_a_device_that_takes_one_size_only(manifest, session, monkeypatch):
    monkeypatch.setattr(NetworkCompiler, "any_size", False)
    other = OpenVINOBackend("CPU", RuntimeOptions("throughput")).load(manifest)
    batch = pictures(BATCH + 2)
    assert sizes_run(other, monkeypatch, batch) == [BATCH, 1, 1]
    np.testing.assert_allclose(
        other.infer(batch).probabilities, session.infer(batch).probabilities, atol=1e-5
    )
    other.close()


@pytest.mark.parametrize("device", ["AUTO:GPU,CPU", "MULTI:CPU", "HETERO:CPU"])
def test_lists_of_devices_answer_as_the_cpu_does(device, manifest, session):
    options = RuntimeOptions("throughput", threads=1)
    other = OpenVINOBackend(device, options).load(manifest)
    batch = pictures(BATCH + 1)
    answer = other.infer(batch)
    assert answer.devices == ("CPU",) * (BATCH + 1)
    np.testing.assert_allclose(answer.probabilities, session.infer(batch).probabilities, atol=1e-5)
    other.close()


def test_pictures_that_do_not_lie_in_one_piece(session):
    batch = pictures(4)
    np.testing.assert_array_equal(
        session.infer(batch[::2]).probabilities, session.infer(batch[::2].copy()).probabilities
    )
    flipped = batch[:, :, :, ::-1]
    np.testing.assert_array_equal(
        session.infer(flipped).probabilities, session.infer(flipped.copy()).probabilities
    )


def test_answers_are_kept_when_the_next_run_comes(session):
    first = session.infer(pictures(2)[:1]).probabilities
    kept = first.copy()
    session.infer(pictures(2)[1:])
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("mode", ["latency", "throughput"])
@pytest.mark.parametrize("many", [1, 5])
def test_several_threads_get_their_own_answers(mode, many, manifest):
    session = OpenVINOBackend("CPU", RuntimeOptions(mode, streams=2)).load(manifest)
    batch = pictures(40)
    chunks = [batch[start : start + many] for start in range(0, 40, many)]
    expected = [session.infer(chunk).probabilities for chunk in chunks]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda chunk: session.infer(chunk).probabilities, chunks * 3))
    for mine, alone in zip(found, expected * 3, strict=True):
        np.testing.assert_array_equal(mine, alone)
    session.close()


def test_closing_under_the_hands_of_threads_is_told_and_hangs_nobody(manifest):
    session = OpenVINOBackend("CPU", RuntimeOptions("throughput", streams=2)).load(manifest)
    told = []

    def work() -> None:
        try:
            while True:
                session.infer(pictures(3))
        except UsageError as error:
            told.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    session.close()
    for thread in threads:
        thread.join(10)
    assert told == ["this session is closed; load the model again"] * 4


def test_another_mean_takes_the_place_of_the_models_own(manifest, session):
    own = np.load(manifest.file("mean"))
    backend = OpenVINOBackend("CPU")
    batch = pictures(3)
    np.testing.assert_array_equal(
        backend.load(manifest, mean=own).infer(batch).probabilities,
        session.infer(batch).probabilities,
    )
    # (pixel + 5) − (mean + 5) is what it was; pixels up to 250 so that no byte runs over.
    low = (batch // 2).astype(np.uint8)
    shifted = backend.load(manifest, mean=own + 5).infer((low + 5).astype(np.uint8)).probabilities
    np.testing.assert_allclose(shifted, session.infer(low).probabilities, atol=1e-5)
    assert (
        np.abs(
            backend.load(manifest, mean=own + 5).infer(low).probabilities
            - session.infer(low).probabilities
        ).max()
        > 1e-4
    )


def test_names_the_device_that_does_the_work(manifest):
    session = OpenVINOBackend("AUTO").load(manifest)
    assert session.device in available_devices()


@pytest.mark.parametrize("device", ["MYRIAD", "", "CPU.7,", "no such thing"])
def test_a_device_that_is_not_there_says_which_are(device, manifest):
    with pytest.raises(DeviceError, match="devices here: CPU") as caught:
        OpenVINOBackend(device).load(manifest)
    assert f"«{device}»" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 3, 67, 67), np.float32),
        np.zeros((3, 67, 67), np.uint8),
        np.zeros((1, 67, 67, 3), np.uint8),
        np.zeros((1, 3, 227, 227), np.uint8),
    ],
    ids=["floats", "no batch", "channels last", "another size"],
)
def test_refuses_a_wrong_batch(batch, session):
    with pytest.raises(UsageError, match=r"expected a uint8 batch of shape \(n, 3, 67, 67\), got"):
        session.infer(batch)


def test_closed_is_closed(session):
    session.close()
    session.close()
    with pytest.raises(UsageError, match="closed"):
        session.infer(pictures(1))


@pytest.mark.parametrize("content", [b"", b"<net", b"\x00" * 100, b"<net></net>"])
def test_a_file_that_is_no_network(content, manifest, tmp_path):
    (tmp_path / "agenet.xml").write_bytes(content)
    (tmp_path / "agenet.bin").write_bytes(manifest.file("ir_bin").read_bytes())
    broken = manifest.with_files(tmp_path, ir_xml="agenet.xml", ir_bin="agenet.bin")
    with pytest.raises(ModelError, match=r"cannot read .*agenet\.xml") as caught:
        OpenVINOBackend("CPU").load(broken)
    assert "\n" not in str(caught.value)


def test_weights_cut_off(manifest, tmp_path):
    (tmp_path / "agenet.xml").write_bytes(manifest.file("ir_xml").read_bytes())
    (tmp_path / "agenet.bin").write_bytes(manifest.file("ir_bin").read_bytes()[:1000])
    broken = manifest.with_files(tmp_path, ir_xml="agenet.xml", ir_bin="agenet.bin")
    with pytest.raises(ModelError, match="cannot read"):
        OpenVINOBackend("CPU").load(broken)


def test_a_changed_file_is_refused(manifest, tmp_path):
    for role in ("ir_xml", "ir_bin"):
        (tmp_path / manifest.files[role]["name"]).write_bytes(manifest.file(role).read_bytes())
    moved = dataclasses.replace(manifest, folder=tmp_path)
    (tmp_path / "agenet.bin").write_bytes(b"another")
    with pytest.raises(ModelError, match="does not match its manifest"):
        OpenVINOBackend("CPU").load(moved)


def test_an_option_the_device_does_not_know(manifest):
    with pytest.raises(DeviceError, match="cannot open device «CPU» for agenet"):
        OpenVINOBackend("CPU").load(dataclasses.replace(manifest, options={"NO_SUCH_THING": "1"}))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Exception from a.cpp:1:\nCheck 'x' failed at b.cpp:2:\nit broke\n"),
        ValueError("it broke"),
        TypeError("it broke"),
        OSError("it broke"),
    ],
)
def test_every_error_becomes_one_line_of_ours(error):
    with pytest.raises(DeviceError, match="^cannot do it: it broke$"), translated("do it"):
        raise error


def test_no_memory_is_said_plainly():
    with pytest.raises(DeviceError, match="there is not enough memory"), translated("do it"):
        raise MemoryError


def test_our_own_errors_pass_as_they_are():
    ours = EdgeageError("ours")
    with pytest.raises(EdgeageError) as caught, translated("do it"):
        raise ours
    assert caught.value is ours
