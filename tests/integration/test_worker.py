"""The worker on a real plugin: the CPU's, in the toolchain's OpenVINO 2021.4 and in today's.

The process, the protocol and the calls are those of the stick; only the plugin is another.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edgeage import Manifest, Predictor
from edgeage.errors import DeviceLostError, DeviceNotFoundError, DeviceVersionError, ModelError
from edgeage.movidius.protocol import Limits
from edgeage.runtime.fallback import FallbackBackend
from edgeage.runtime.myriad import MyriadBackend
from edgeage.runtime.openvino import OpenVINOBackend

LIMITS = Limits(start_s=60, load_s=60, request_s=10, silence_s=1.5, beat_s=0.1)
TASKS = ("agenet", "gendernet")
PICTURES = 48


@dataclasses.dataclass(frozen=True)
class Tools:
    """A Python with an OpenVINO, and models it reads."""

    python: Path
    models: list[Manifest]

    def backend(self, **options) -> MyriadBackend:
        return MyriadBackend(python=self.python, plugin="CPU", limits=LIMITS, **options)


@pytest.fixture(scope="module")
def today_models(compiled_models) -> list[Manifest]:
    return [Manifest.read(compiled_models / name / "model.json") for name in TASKS]


@pytest.fixture(scope="module")
def old_models(today_models) -> list[Manifest]:
    """The same networks without the options that OpenVINO 2021.4 does not know."""
    return [dataclasses.replace(manifest, options={}) for manifest in today_models]


@pytest.fixture(params=["today", pytest.param("2021.4", marks=pytest.mark.toolchain)])
def tools(request, today_models) -> Tools:
    if request.param == "today":
        return Tools(Path(sys.executable), today_models)
    toolchain = request.getfixturevalue("toolchain")
    return Tools(toolchain.python, request.getfixturevalue("old_models"))


class _SingleCPU(OpenVINOBackend):
    """Computes the old models, which say no precision, in float32 where the CPU has bf16 too."""

    def load(self, manifest, *args, **kwargs):
        single = {"INFERENCE_PRECISION_HINT": "f32"}
        return super().load(dataclasses.replace(manifest, options=single), *args, **kwargs)


@pytest.fixture(scope="module")
def told_apart(today_models) -> tuple[np.ndarray, np.ndarray]:
    """Pictures whose answers are far from one another's, and those answers."""
    rng = np.random.default_rng(3)
    blocks = rng.integers(0, 256, (1000, 5, 5, 3), dtype=np.uint8)
    candidates = blocks.repeat(14, axis=1).repeat(14, axis=2)[:, :67, :67]
    session = OpenVINOBackend("CPU").load(today_models[0])
    answers = session.infer(candidates.transpose(0, 3, 1, 2)).probabilities
    session.close()
    chosen: list[int] = []
    for number, answer in enumerate(answers):
        if all(np.abs(answer - answers[other]).max() > 2e-3 for other in chosen):
            chosen.append(number)
    assert len(chosen) >= PICTURES
    return candidates[chosen[:PICTURES]], answers[chosen[:PICTURES]]


@pytest.fixture
def pictures(told_apart) -> np.ndarray:
    """Different pictures, uint8 (PICTURES, 67, 67, 3)."""
    return told_apart[0]


@pytest.fixture
def expected(told_apart) -> np.ndarray:
    """Each picture's age probabilities, from OpenVINO in this process."""
    return told_apart[1]


def test_answers_as_openvino_does_in_this_process(tools, today_models, pictures):
    backend, batch = tools.backend(workers=2), pictures.transpose(0, 3, 1, 2)
    sessions = [backend.load(manifest) for manifest in tools.models]
    for manifest, session in zip(today_models, sessions, strict=True):
        found = session.infer(batch)
        own = OpenVINOBackend("CPU").load(manifest).infer(batch).probabilities
        np.testing.assert_allclose(found.probabilities, own, atol=1e-4)
        assert set(found.devices) == {"MYRIAD.0", "MYRIAD.1"}
    for session in sessions:
        session.close()


def test_another_mean(tools, today_models, pictures):
    mean = np.load(today_models[0].file("mean")) * 0.5
    batch = pictures[:4].transpose(0, 3, 1, 2)
    session = tools.backend().load(tools.models[0], mean=mean)
    own = OpenVINOBackend("CPU").load(today_models[0], mean=mean).infer(batch).probabilities
    np.testing.assert_allclose(session.infer(batch).probabilities, own, atol=1e-4)
    session.close()


def test_a_cut_off_network_is_typed(tools, tmp_path):
    source = tools.models[0]
    for role in ("ir_xml", "ir_bin"):
        (tmp_path / source.files[role]["name"]).write_bytes(source.file(role).read_bytes())
    (tmp_path / "agenet.bin").write_bytes(source.file("ir_bin").read_bytes()[:1000])
    broken = source.with_files(tmp_path, ir_xml="agenet.xml", ir_bin="agenet.bin")
    with pytest.raises((ModelError, DeviceLostError)) as caught:
        tools.backend().load(broken)
    assert "\n" not in str(caught.value)


@pytest.mark.toolchain
def test_an_ir_of_today_is_too_new_for_the_old_tools(toolchain, old_models, tmp_path):
    import openvino as ov

    pixels = ov.opset13.parameter([1, 3, 67, 67], np.uint8, name="data")
    # Which 2021.4 does not have.
    answer = ov.opset13.softmax(ov.opset13.convert(pixels, "f32"), 1)
    newer = ov.Model([answer], [pixels])
    ov.save_model(newer, tmp_path / "net.xml", compress_to_fp16=False)
    manifest = old_models[0].with_files(tmp_path, ir_xml="net.xml", ir_bin="net.bin")
    assert 'version="11"' in manifest.file("ir_xml").read_text()
    backend = MyriadBackend(python=toolchain.python, plugin="CPU", limits=LIMITS)
    with pytest.raises(DeviceVersionError, match="edgeage compile --target MYRIAD"):
        backend.load(manifest)


@pytest.mark.toolchain
def test_no_stick_here_is_typed(toolchain, old_models):
    """The real MYRIAD plugin; on a bench with a stick there is nothing to see."""
    backend = MyriadBackend(python=toolchain.python, limits=LIMITS)
    with contextlib.suppress(DeviceNotFoundError):
        backend.load(old_models[0]).close()
        pytest.skip("there is a stick")
    with pytest.raises(DeviceNotFoundError, match="most likely the stick is not plugged in"):
        backend.load(old_models[0])


def test_a_slow_start_is_waited_for(tools, pictures, tmp_path):
    slow = tmp_path / "python"
    slow.write_text(f'#!/bin/sh\nsleep 2\nexec "{tools.python}" "$@"\n')
    slow.chmod(0o755)
    session = dataclasses.replace(tools, python=slow).backend().load(tools.models[0])
    assert session.infer(pictures[:1].transpose(0, 3, 1, 2)).devices == ("MYRIAD",)
    session.close()


@pytest.mark.parametrize(
    ("requests", "every"),
    [(600, 100), pytest.param(10_000, 400, marks=pytest.mark.heavy)],
    ids=["short", "ten thousand"],
)
def test_every_request_is_answered_once_and_in_order(
    requests, every, tools, pictures, expected, caplog
):
    """A fault every few hundred requests, in the middle of one, in turn of every kind."""
    stick = tools.backend(workers=1)
    backend = FallbackBackend(stick, _SingleCPU("CPU"), first_retry_s=0.05, longest_retry_s=0.05)
    rng, asked, devices, faults = random.Random(5), 0, [], 0
    with (
        caplog.at_level(logging.WARNING, "edgeage"),
        Predictor(tools.models, detector=None, backend=backend) as p,
    ):
        while asked < requests:
            if asked // every > faults:
                assert _until(lambda: p.device == "MYRIAD")
                _FAULTS[faults % len(_FAULTS)](stick)
                faults += 1
            size = min(rng.randint(1, 8), requests - asked)
            numbers = [rng.randrange(PICTURES) for _ in range(size)]
            results = p.predict_batch([pictures[number] for number in numbers])
            faces = [face for result in results for face in result.faces]
            found = np.array([face.age_probabilities for face in faces])
            np.testing.assert_allclose(found, expected[numbers], atol=2e-4)
            asked, devices = asked + size, [*devices, *(face.device for face in faces)]
    assert len(devices) == requests
    # Both, where the stick went or came back between a face's age and its gender.
    assert set(devices) <= {"MYRIAD", "CPU", "MYRIAD, CPU", "CPU, MYRIAD"}
    assert devices.count("MYRIAD") > requests / 4
    assert devices.count("CPU") >= faults // 2
    # The flood of text is none; every other kind was said, once.
    outages = [message for message in caplog.messages if message.endswith("using CPU instead")]
    assert len(outages) == sum(_FAULTS[n % len(_FAULTS)] is not _flood for n in range(faults))


def _kill(stick: MyriadBackend) -> None:
    threading.Timer(0.005, os.kill, (stick._workers[0].pid, signal.SIGKILL)).start()
    time.sleep(0.003)


def _stop(stick: MyriadBackend) -> None:
    os.kill(stick._workers[0].pid, signal.SIGSTOP)


def _garbage_in(stick: MyriadBackend) -> None:
    stream = stick._workers[0]._process._process.stdin
    stream.write(os.urandom(200))
    stream.flush()


def _garbage_out(stick: MyriadBackend) -> None:
    ours = stick._workers[0]._process._process.stdout.fileno()
    pipe = Path(f"/proc/self/fd/{ours}").readlink()
    for path in Path(f"/proc/{stick._workers[0].pid}/fd").iterdir():
        if path.readlink() == pipe:
            path.write_bytes(b"printed past everything")
            return
    raise AssertionError("the worker's pipe was not found")


def _flood(stick: MyriadBackend) -> None:
    """Twenty megabytes of text on its stderr; nothing may come of it."""
    with Path(f"/proc/{stick._workers[0].pid}/fd/2").open("wb", buffering=0) as stream:
        for _ in range(320):
            stream.write(b"E: [xLink] a line of nothing\n" * 2260)


_FAULTS = (_kill, _stop, _garbage_in, _flood, _garbage_out)


def _until(condition, within_s: float = 60.0) -> bool:
    end = time.monotonic() + within_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())
