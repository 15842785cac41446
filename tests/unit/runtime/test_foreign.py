"""Somebody else's network in edgeage's own form."""

from __future__ import annotations

import numpy as np
import pytest

from edgeage.errors import MeanError, ModelError, UsageError
from edgeage.inputspec import InputSpec
from edgeage.manifest import Manifest
from edgeage.networkinput import NetworkInput
from edgeage.outputs import Output
from edgeage.predictor import Predictor
from edgeage.runtime.fallback import FallbackBackend
from edgeage.runtime.myriad import MyriadBackend
from edgeage.runtime.oak import OakBackend
from edgeage.runtime.openvino import BATCH, OpenVINOBackend
from edgeage.testing import FakeBackend

BLUE, GREEN, RED = 30, 90, 210
AGE = Output("years", "age", "years")
GENDER = Output("genders", "gender", labels=("Female", "Male"), logits=True)


def pictures(count: int, side: int = 12) -> np.ndarray:
    """Pictures of one colour each, a little brighter from one to the next."""
    batch = np.empty((count, 3, side, side), np.uint8)
    batch[:] = np.reshape([BLUE, GREEN, RED], (1, 3, 1, 1))
    return batch + np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)


@pytest.fixture
def manifest_of(tmp_path):
    def make(takes, outputs=(AGE, GENDER), side=12, role="ir_xml", **fields):
        spec = InputSpec((side, side), (side, side), mean="none")
        files = {"ir_xml": {"name": "net.xml"}, "ir_bin": {"name": "net.bin"}}
        if role == "onnx":
            files = {"onnx": {"name": "net.onnx"}}
        fields = {"input_name": "", **fields}
        return Manifest("net", spec, outputs, takes, files=files, folder=tmp_path, **fields)

    return make


def infer(manifest: Manifest, batch: np.ndarray) -> dict[str, np.ndarray]:
    session = OpenVINOBackend("CPU").load(manifest)
    answer = session.infer(batch)
    assert answer.devices == ("CPU",) * len(batch)
    session.close()
    return answer.outputs


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("element_type", ["f32", "f16", "u8"])
def test_the_network_gets_its_own_order_layout_and_type(
    layout, element_type, channel_network, manifest_of
) -> None:
    channel_network(layout, element_type=element_type)
    for order, first, last in (("BGR", BLUE, RED), ("RGB", RED, BLUE)):
        found = infer(manifest_of(NetworkInput(order)), pictures(1))
        np.testing.assert_allclose(found["years"], [[first]], rtol=1e-3)
        np.testing.assert_allclose(found["genders"], [[first, last]], rtol=1e-3)


def test_mean_and_std_are_in_the_networks_order(channel_network, manifest_of) -> None:
    channel_network()
    takes = NetworkInput("RGB", "NHWC", (0, 1), (0.1, 0.2, 0.3), (0.5, 1.0, 2.0))
    found = infer(manifest_of(takes), pictures(1))
    red, blue = (RED / 255 - 0.1) / 0.5, (BLUE / 255 - 0.3) / 2
    np.testing.assert_allclose(found["genders"], [[red, blue]], rtol=1e-2)


@pytest.mark.parametrize("batch", ["free", "one", "mixed"])
def test_every_picture_has_its_own_answer_in_batches_or_not(
    batch, channel_network, manifest_of
) -> None:
    channel_network(batch=batch)
    count = 2 * BATCH + 3
    found = infer(manifest_of(NetworkInput("RGB")), pictures(count))
    assert found["genders"].shape == (count, 2)
    np.testing.assert_allclose(found["years"][:, 0], RED + np.arange(count), rtol=5e-3)


def test_no_picture_has_an_answer_of_no_rows(channel_network, manifest_of) -> None:
    channel_network()
    found = infer(manifest_of(NetworkInput("RGB")), pictures(0))
    assert {name: rows.shape for name, rows in found.items()} == {
        "years": (0, 1),
        "genders": (0, 2),
    }


def test_an_onnx_file(onnx_network, manifest_of) -> None:
    manifest = manifest_of(NetworkInput("RGB"), (AGE,), role="onnx", input_name="pixels")
    np.testing.assert_allclose(infer(manifest, pictures(1))["years"], [[RED]], rtol=1e-2)


def test_a_predictor_reads_both_tasks_from_one_network(channel_network, manifest_of) -> None:
    channel_network()
    picture = np.ascontiguousarray(pictures(1)[0].transpose(1, 2, 0))
    takes = NetworkInput("RGB", pixel_range=(0, 51))
    with Predictor([manifest_of(takes)], "CPU") as predictor:
        (face,) = predictor.predict(picture)
    assert face.age == pytest.approx(RED / 5, rel=1e-2)
    assert (face.age_group, face.age_group_probability) == ("40-49", None)
    assert face.age_probabilities == ()
    assert face.gender == "Female"
    assert face.gender_probability == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("takes", "changes", "reason"),
    [
        pytest.param(
            {}, {"outputs": (Output("ages", "age", "years"),)},
            "expected outputs ages of net; the network has years, genders, all",
            id="output",
        ),
        pytest.param(
            {}, {"outputs": (Output("gender", "age", "years"),)},
            "did you mean «genders»",
            id="typo",
        ),
        pytest.param(
            {}, {"outputs": (Output("all", "age", "years"),)},
            "output «all» of net has 3 values a face, age by years has 1",
            id="values",
        ),
        pytest.param(
            {}, {"input_name": "pixel"},
            "expected input «pixel»; the network has pixels",
            id="input",
        ),
        pytest.param(
            {}, {"side": 16},
            "one picture of 16×16 pixels in 3 channels, NCHW or NHWC; the network",
            id="size",
        ),
        pytest.param({"layout": "NCHW"}, {}, "3 channels, NCHW; the network takes", id="layout"),
    ],
)  # fmt: skip
def test_a_network_that_is_not_what_its_manifest_says(
    takes, changes, reason, channel_network, manifest_of
) -> None:
    channel_network()
    manifest = manifest_of(NetworkInput("RGB", **takes), **changes)
    with pytest.raises(ModelError, match=reason) as caught:
        OpenVINOBackend("CPU").load(manifest)
    assert "\n" not in str(caught.value)


def test_a_network_that_takes_bytes_prepares_them_itself(channel_network, manifest_of) -> None:
    channel_network(element_type="u8")
    with pytest.raises(ModelError, match="leave out mean, std and pixel_range"):
        OpenVINOBackend("CPU").load(manifest_of(NetworkInput("RGB", pixel_range=(0, 1))))


def test_a_network_of_whole_numbers_is_refused(channel_network, manifest_of) -> None:
    channel_network(element_type="i32")
    with pytest.raises(ModelError, match="net takes i32, expected floating point or u8"):
        OpenVINOBackend("CPU").load(manifest_of(NetworkInput("RGB")))


@pytest.mark.parametrize("content", [b"", b"<net", b"\x08\x08garbage"])
@pytest.mark.parametrize("role", ["ir_xml", "onnx"])
def test_a_file_that_is_no_network(content, role, tmp_path, manifest_of) -> None:
    for suffix in ("xml", "bin", "onnx"):
        (tmp_path / f"net.{suffix}").write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot read .*net\.") as caught:
        OpenVINOBackend("CPU").load(manifest_of(NetworkInput("RGB"), role=role))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("backend", [MyriadBackend, OakBackend])
def test_sticks_and_cameras_run_edgeages_own_only(backend, manifest_of) -> None:
    with pytest.raises(UsageError, match="runs only models made by «edgeage compile»"):
        backend().load(manifest_of(NetworkInput("RGB")))
    with pytest.raises(UsageError, match="and net is somebody else's"):
        FallbackBackend(backend(), None).load(manifest_of(NetworkInput("RGB")))


def test_what_is_for_edgeages_own_networks_refuses_it_with_a_reason(manifest_of) -> None:
    manifest = manifest_of(NetworkInput("RGB"))
    for name in ("task", "labels", "group_ages", "output_name"):
        with pytest.raises(ModelError, match="net is not a classification in edgeage's own form"):
            getattr(manifest, name)
    with pytest.raises(ModelError, match="edgeage's own form"):
        FakeBackend().load(manifest)


def test_another_mean_is_for_edgeages_own_networks(manifest_of) -> None:
    mean = np.zeros((3, 12, 12), np.float32)
    with pytest.raises(MeanError, match="the mean of net stands in its manifest"):
        Predictor([manifest_of(NetworkInput("RGB"))], "CPU", mean=mean)
