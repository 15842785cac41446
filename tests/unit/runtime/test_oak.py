"""The OAK adapter against a stand-in for depthai: order, flight, loss, sharing, and its errors."""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edgeage.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
    DeviceVersionError,
    MissingDependencyError,
    ModelError,
    UsageError,
)
from edgeage.inputspec import InputSpec
from edgeage.labels import TASK_LABELS
from edgeage.manifest import Manifest
from edgeage.runtime.oak import OakBackend
from edgeage.runtime.oakpipeline import IN_FLIGHT

SIDE = 8


@pytest.fixture
def model(tmp_path):
    """Make a compiled model whose blob says what the stand-in is to believe."""

    def make(task="age", content=None, **changes):
        labels = TASK_LABELS[task]
        blob = {
            "major": 6, "shaves": 6, "input": [SIDE, SIDE, 3, 1], "input_type": "U8F",
            "output": [len(labels), 1], "output_type": "FP16", **changes,
        }  # fmt: skip
        folder = tmp_path / task
        folder.mkdir(exist_ok=True)
        (folder / "net.blob").write_text(json.dumps(blob) if content is None else content)
        spec = InputSpec((SIDE, SIDE), (SIDE, SIDE))
        name = {"age": "agenet", "gender": "gendernet"}[task]
        manifest = Manifest.classifier(name, task, labels, spec, target="OAK")
        return manifest.with_files(folder, blob="net.blob")

    return make


def pictures(*marks: int) -> np.ndarray:
    """Pictures whose first byte is the mark, and whose second is 255 less it."""
    batch = np.full((len(marks), 3, SIDE, SIDE), 7, np.uint8)
    batch[:, 0, 0, 0] = marks
    batch[:, 0, 0, 1] = 255 - batch[:, 0, 0, 0]
    return batch


def ask(session, batch: np.ndarray) -> np.ndarray:
    """Return the probabilities a session gives a batch."""
    answer: np.ndarray = session.infer(batch).probabilities
    return answer


def marks(answer: np.ndarray) -> list[int]:
    """The marks of the pictures that answers are for, by the first and by the second byte."""
    first, second = answer[:, 0] * 256, answer[:, 1] * 256
    np.testing.assert_array_equal(first + second, 255)
    return [int(mark) for mark in first]


@pytest.mark.parametrize("last_first", [False, True], ids=["in order", "last first"])
@pytest.mark.parametrize("kind", ["FP16", "FP32"])
@pytest.mark.parametrize("count", [0, 1, IN_FLIGHT, IN_FLIGHT + 1, 50])
def test_every_answer_is_for_its_own_picture(count, kind, last_first, world, model):
    world.last_first = last_first
    session = OakBackend().load(model(output_type=kind))
    answer = ask(session, pictures(*range(count)))
    assert (answer.shape, answer.dtype) == ((count, 9), np.float32)
    assert marks(answer) == list(range(count))


def test_several_are_on_their_way_and_never_more_than_the_queues_hold(world, model):
    OakBackend().load(model()).infer(pictures(*range(20)))
    (device,) = world.devices
    assert device.queues["agenet-in"].most == IN_FLIGHT


def test_pictures_that_do_not_lie_in_one_piece(world, model):
    session = OakBackend().load(model())
    assert marks(ask(session, pictures(*range(10))[::3])) == [0, 3, 6, 9]


def test_both_networks_share_one_device_which_starts_with_the_first_picture(world, model):
    backend = OakBackend()
    age, gender = backend.load(model("age")), backend.load(model("gender"))
    assert world.devices == []
    assert ask(age, pictures(1)).shape == (1, 9)
    assert ask(gender, pictures(1)).shape == (1, 2)
    assert len(world.devices) == 1
    age.close()
    assert not world.devices[0].closed
    gender.close()
    gender.close()
    assert world.devices[0].closed


def test_a_model_loaded_later_makes_the_device_start_anew(world, model):
    world.resets = 3
    backend = OakBackend()
    age = backend.load(model("age"))
    ask(age, pictures(1))
    gender = backend.load(model("gender"))
    assert marks(ask(age, pictures(5))) == [5]  # the old pipeline still serves
    assert ask(gender, pictures(1)).shape == (1, 2)
    assert [device.closed for device in world.devices] == [True, False]
    assert marks(ask(age, pictures(6))) == [6]
    assert len(world.devices) == 2


def test_one_model_twice(world, model):
    backend = OakBackend()
    first, second = backend.load(model()), backend.load(model())
    assert marks(ask(first, pictures(1))) == [1]
    assert marks(ask(second, pictures(2))) == [2]
    assert len(world.devices) == 1


def test_several_threads_get_their_own_answers(world, model):
    session = OakBackend().load(model())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: marks(ask(session, pictures(i, i + 100))), range(40)))
    assert found == [[i, i + 100] for i in range(40)]


def test_the_pipeline_is_what_it_should_be(world, model):
    OakBackend().load(model()).infer(pictures(1))
    source, network, sink = world.devices[0].pipeline.nodes
    assert source.settings == {
        "StreamName": "agenet-in", "MaxDataSize": 3 * SIDE * SIDE, "NumFrames": IN_FLIGHT,
    }  # fmt: skip
    assert network.settings["NumInferenceThreads"] == 2
    assert (network.input.blocking, network.input.size) == (True, IN_FLIGHT)
    assert sink.settings == {"StreamName": "agenet-out"}


@pytest.mark.parametrize(("shaves", "threads"), [(1, 2), (8, 2), (9, 1), (16, 1)])
def test_two_threads_run_a_network_where_the_shaves_suffice(shaves, threads, world, model):
    OakBackend().load(model(shaves=shaves)).infer(pictures(1))
    assert world.devices[0].pipeline.nodes[1].settings["NumInferenceThreads"] == threads


def test_names_itself_after_the_device(world, model):
    session = OakBackend().load(model())
    assert session.device == "OAK"
    ask(session, pictures(1))
    assert session.device == "OAK.184430"


@pytest.mark.parametrize("wanted", ["OAK.19", "OAK.1.4", "OAK.192.168.1.7"])
def test_picks_the_device_asked_for(wanted, world, world_parts, model):
    name = {"OAK.19": "9.9", "OAK.1.4": "1.4", "OAK.192.168.1.7": "192.168.1.7"}[wanted]
    world.infos += [world_parts.Info("19", name)]
    OakBackend(wanted).load(model()).infer(pictures(1))
    assert world.devices[0].info.name == name


def test_takes_the_one_that_is_free(world, world_parts, model):
    world.infos[0].state = world_parts.State.X_LINK_BOOTED
    world.infos += [world_parts.Info("19", "1.4")]
    OakBackend().load(model()).infer(pictures(1))
    assert world.devices[0].info.mxid == "19"


def test_a_picture_without_an_answer_loses_the_device_and_the_next_call_opens_it(world, model):
    session = OakBackend(timeout_s=0.05).load(model())
    world.swallow = {3}
    with pytest.raises(DeviceLostError, match=r"did not answer within 0\.05 s \(5 of 6 pictures"):
        ask(session, pictures(*range(6)))
    assert world.devices[0].closed
    assert marks(ask(session, pictures(40, 41))) == [40, 41]
    assert len(world.devices) == 2


def test_a_device_that_works_on_slowly_is_not_lost(world, model):
    session = OakBackend(timeout_s=0.2).load(model())
    pause = threading.Event()
    world.on_answer = lambda: pause.wait(0.05)
    assert marks(ask(session, pictures(*range(10)))) == list(range(10))  # 0.5 s in all


def test_a_device_that_is_pulled_out(world, model):
    backend = OakBackend()
    session = backend.load(model())
    ask(session, pictures(1))
    world.lost = True
    with pytest.raises(DeviceLostError, match="OAK.184430 was lost: Couldn't read data from"):
        ask(session, pictures(1))
    world.infos, world.lost = [], False
    with pytest.raises(DeviceNotFoundError, match="there is no OAK camera; plug one in"):
        ask(session, pictures(1))
    world.infos = [*world.devices[:1]] and [world.devices[0].info]
    world.infos[0].state = type(world.infos[0].state).X_LINK_BOOTLOADER
    assert marks(ask(session, pictures(9))) == [9]


def test_answers_of_an_interrupted_call_are_not_taken_for_those_of_the_next(world, model):
    session = OakBackend().load(model())

    def interrupt() -> None:
        world.on_answer = None
        raise KeyboardInterrupt

    world.on_answer = interrupt
    with pytest.raises(KeyboardInterrupt):
        ask(session, pictures(1, 2, 3, 4))
    assert marks(ask(session, pictures(50, 51))) == [50, 51]
    assert len(world.devices) == 1


def test_a_missing_device_is_told_when_loading(world, model):
    world.infos = []
    with pytest.raises(DeviceNotFoundError, match="no OAK camera; plug one in; «edgeage devices»"):
        OakBackend().load(model())


def test_another_device_than_the_one_asked_for(world, model):
    with pytest.raises(DeviceNotFoundError, match="no OAK «99»; found: 184430"):
        OakBackend("OAK.99").load(model())


@pytest.mark.parametrize(
    ("attribute", "value", "error", "reason"),
    [
        ("status", "X_LINK_INSUFFICIENT_PERMISSIONS", DevicePermissionError, "at 1.2; «edgeage"),
        ("status", "X_LINK_DEVICE_ALREADY_IN_USE", DeviceBusyError, "holds OAK 184430; end it"),
        ("state", "X_LINK_BOOTED", DeviceBusyError, "another program holds OAK 184430"),
    ],
)
def test_a_device_that_cannot_be_opened(attribute, value, error, reason, world, world_parts, model):
    kinds = {"status": world_parts.XLinkError, "state": world_parts.State}
    setattr(world.infos[0], attribute, kinds[attribute][value])
    with pytest.raises(error, match=reason) as caught:
        OakBackend().load(model())
    assert "\n" not in str(caught.value)


def test_a_device_taken_between_loading_and_the_first_picture(world, world_parts, model):
    session = OakBackend().load(model())

    def taken():
        world.infos[0].state = world_parts.State.X_LINK_BOOTED
        return RuntimeError("Failed to connect to device, error message: X_LINK_ERROR")

    world.open_error = taken
    with pytest.raises(DeviceBusyError, match="another program holds"):
        ask(session, pictures(1))


def test_a_device_that_does_not_start(world, model):
    session = OakBackend().load(model())
    world.open_error = lambda: RuntimeError("Failed to boot device!\nmore")
    with pytest.raises(DeviceError, match=r"OAK cannot be opened: Failed to boot device!$"):
        ask(session, pictures(1))


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"content": "no blob"}, ModelError, "is not a blob that depthai reads: BlobReader error"),
        ({"major": 7}, DeviceVersionError, "of a version that this depthai does not know"),
        ({"input": [9, 9, 3, 1]}, ModelError, r"expected one input, U8F \[8, 8, 3, 1\], found U8F"),
        ({"input_type": "FP16"}, ModelError, "expected one input, U8F .* found FP16"),
        ({"output": [2, 1]}, ModelError, r"expected one output, FP16 or FP32 \[9, 1\], found"),
        ({"output_type": "INT"}, ModelError, "expected one output"),
    ],
    ids=["garbage", "version", "size", "input type", "labels", "output type"],
)
def test_a_blob_that_does_not_fit_is_refused(changes, error, reason, world, model):
    with pytest.raises(error, match=reason) as caught:
        OakBackend().load(model(**changes))
    assert "\n" not in str(caught.value)


def test_a_changed_blob_is_refused(world, model):
    manifest = model()
    (manifest.folder / "net.blob").write_text("{}")
    with pytest.raises(ModelError, match="does not match its manifest"):
        OakBackend().load(manifest)


def test_refuses_another_mean(world, model):
    with pytest.raises(UsageError, match="has its mean built in"):
        OakBackend().load(model(), mean=np.zeros((3, SIDE, SIDE), np.float32))


@pytest.mark.parametrize(
    "batch",
    [np.zeros((1, 3, SIDE, SIDE), np.float32), np.zeros((1, SIDE, SIDE, 3), np.uint8)],
    ids=["floats", "channels last"],
)
def test_refuses_a_wrong_batch(batch, world, model):
    with pytest.raises(UsageError, match="expected a uint8 batch"):
        OakBackend().load(model()).infer(batch)


def test_closed_is_closed(world, model):
    session = OakBackend().load(model())
    session.close()
    with pytest.raises(UsageError, match="closed"):
        ask(session, pictures(1))


@pytest.mark.parametrize("device", ["MYRIAD", "OAKX", "oak", ""])
def test_refuses_another_devices_name(device, world):
    with pytest.raises(UsageError, match="expected device «OAK»"):
        OakBackend(device)


def test_without_depthai_the_install_line(monkeypatch, model):
    monkeypatch.setitem(sys.modules, "depthai", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'edgeage\[oak\]'"):
        OakBackend().load(model())


def test_another_depthai_than_two(world, model):
    sys.modules["depthai"].__version__ = "3.0.1"
    del sys.modules["depthai"].node.XLinkIn
    with pytest.raises(DeviceVersionError, match=r"depthai 3\.0\.1 is installed, 2\.x is needed"):
        OakBackend().load(model())
