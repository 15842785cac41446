"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import dataclasses
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from made_machine import fake  # noqa: F401 - a fixture

from edgeage.movidius import Toolchain
from edgeage.movidius.toolchain import PYTHON_VARIABLE, installed_folder, toolchain_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Now, before any test moves the cache or names another Python.
_TOOLCHAIN_DIR, _MOVIDIUS_PYTHON = toolchain_dir(), os.environ.get(PYTHON_VARIABLE)

# What the worker is given instead of OpenVINO, and what is imported here: no tests.
collect_ignore = ["standin", "fixtures"]

_ROOT = Path(__file__).resolve().parent.parent


# depthai's own handler moves the stack on which signals are handled.
os.environ.setdefault("DEPTHAI_INSTALL_SIGNAL_HANDLER", "0")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "utkface_archive" in getattr(item, "fixturenames", ()):
            item.add_marker("utkface")
        if "toolchain" in getattr(item, "fixturenames", ()):
            item.add_marker("toolchain")


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The folder that holds pyproject.toml."""
    return _ROOT


@pytest.fixture(scope="session", autouse=True)
def own_model_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What devices compile in the tests is not kept in the user's cache."""
    from edgeage.runtime import modelcache

    folder = tmp_path_factory.mktemp("compiled_cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            modelcache, "cache_dir", lambda: Path(os.environ.get("EDGEAGE_CACHE", folder))
        )
        yield


@pytest.fixture(scope="session")
def utkface_archive() -> Path:
    """The real UTKFace archive: $EDGEAGE_UTKFACE, or where a shared copy lies beside the repo."""
    default = _ROOT.parent / "shared" / "datasets" / "UTKFace.tar.gz"
    path = Path(os.environ.get("EDGEAGE_UTKFACE", default))
    if not path.is_file():
        pytest.skip("UTKFace.tar.gz is not here; set EDGEAGE_UTKFACE to its path")
    return path


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """The real Movidius tools: of $EDGEAGE_MOVIDIUS_PYTHON, or installed in the user's cache."""
    if _MOVIDIUS_PYTHON:
        return Toolchain(Path(_MOVIDIUS_PYTHON).absolute(), managed=False)
    folder = installed_folder(_TOOLCHAIN_DIR)
    if folder is None:
        pytest.skip("the Movidius tools are not installed; «make toolchain» installs them")
    return Toolchain(folder / "bin" / "python", managed=True)


@pytest.fixture
def no_toolchain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Movidius tools are found in this test, installed or not."""
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "no_cache"))


@pytest.fixture
def astronaut_face() -> np.ndarray:
    """A face cut from scikit-image's astronaut(): uint8 (110, 110, 3) BGR."""
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut()[64:174, 168:278, ::-1])


@dataclasses.dataclass(frozen=True)
class CliResult:
    """What one call of the command line left behind."""

    exit_code: int
    stdout: str
    stderr: str

    def assert_one_line(self, *words: str) -> None:
        """Hold that the call failed with one line on stderr that has these words."""
        assert self.exit_code == 1, self.stderr
        assert self.stderr.count("\n") == 1, self.stderr
        assert self.stderr.startswith("Error: ")
        assert "a defect of edgeage" not in self.stderr
        for word in words:
            assert word in self.stderr


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., CliResult]:
    """Run ``edgeage ARGUMENT…`` in this process; arguments are turned into text."""
    from edgeage.cli.main import main

    def run(*arguments: object) -> CliResult:
        capsys.readouterr()
        exit_code = main([str(argument) for argument in arguments])
        return CliResult(exit_code, *capsys.readouterr())

    return run


@dataclasses.dataclass(frozen=True)
class TinyUTKFace:
    """A made-up data set in UTKFace's form.

    ``valid`` are the names that can be read; ``malformed`` the names that cannot and
    ``unreadable`` a good name on bytes that are no picture. ``pairs`` are names of near-duplicate
    pictures, the second of each a re-encoded, slightly brighter copy of the first.
    """

    folder: Path
    archive: Path
    valid: tuple[str, ...]
    malformed: tuple[str, ...]
    unreadable: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]


_AGES = (1, 5, 12, 19, 23, 26, 29, 34, 38, 42, 45, 51, 57, 63, 66, 72, 79, 80, 96, 116)
_MALFORMED = (
    "61_1_20170109142408075.jpg.chip.jpg",
    "24_0_1_20170116220224657 .jpg.chip.jpg",
    "55_0_0_20170116232725357jpg.chip.jpg",
)


@pytest.fixture(scope="session")
def tiny_utkface(tmp_path_factory: pytest.TempPathFactory) -> TinyUTKFace:
    """Sixty small pictures named as UTKFace names them, as a folder and as a tar.gz.

    Every age group, gender and race occurs; brightness follows age and hue follows gender, so a
    network can learn from them.
    """
    import cv2

    folder = tmp_path_factory.mktemp("tiny") / "UTKFace"
    folder.mkdir()
    pictures: dict[str, np.ndarray] = {}
    for number in range(60):
        age, gender, race = _AGES[number % len(_AGES)], (number // 3) % 2, number % 5
        name = f"{age}_{gender}_{race}_{20170101000000000 + number * 7919}.jpg.chip.jpg"
        pictures[name] = _synthetic_chip(number, age, gender)
    pairs = []
    for number, first in enumerate([name for name in pictures if "_3_" in name[:8]][:4]):
        fields = first.split("_")
        fields[3] = f"{20180101000000000 + number}.jpg.chip.jpg"
        second = "_".join(fields)
        pictures[second] = cv2.convertScaleAbs(pictures[first], alpha=1.03, beta=2)
        pairs.append((first, second))
    for name, picture in pictures.items():
        (folder / name).write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    sound = next(iter(pictures))
    for name in _MALFORMED:
        (folder / name).write_bytes((folder / sound).read_bytes())
    unreadable = "33_1_2_20190101000000000.jpg.chip.jpg"
    (folder / unreadable).write_bytes((folder / sound).read_bytes()[:400])
    archive = folder.parent / "UTKFace.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(folder, arcname="UTKFace")
    return TinyUTKFace(
        folder, archive, tuple(sorted(pictures)), _MALFORMED, (unreadable,), tuple(pairs)
    )


def _synthetic_chip(seed: int, age: int, gender: int) -> np.ndarray:
    """A 64×64 BGR picture of its own large blotches, so that no two are near-duplicates."""
    import cv2

    rng = np.random.default_rng(seed)
    blotches = rng.uniform(-70, 70, size=(5, 5, 3)).astype(np.float32)
    chip = cv2.resize(blotches, (64, 64), interpolation=cv2.INTER_CUBIC)
    chip += 70 + age * 0.9
    chip[:, :, 2 if gender else 0] += 35
    return np.clip(chip, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def trained_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained AgeNet and GenderNet, random weights, 67×67 input; only read it."""
    from edgeage.testing import write_random_model

    folder = tmp_path_factory.mktemp("trained")
    for task in ("age", "gender"):
        write_random_model(folder, task, side=67)
    return folder


@pytest.fixture(scope="session")
def compiled_models(trained_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both of ``trained_models`` compiled for the CPU in FP32. Do not change it."""
    from edgeage.compiler import compile_model, find_model

    folder = tmp_path_factory.mktemp("compiled")
    for name in ("agenet", "gendernet"):
        trained = find_model(trained_models / f"{name}.caffemodel")
        compile_model(trained, folder, precision="FP32")
    return folder


def _channel_network(layout: str, side: int, element_type: str, batch: str) -> Any:
    import openvino as ov
    from openvino import opset13 as op

    first = -1 if batch == "free" else 1
    nchw = layout == "NCHW"
    shape = [first, 3, side, side] if nchw else [first, side, side, 3]
    pixels = op.parameter(ov.PartialShape(shape), getattr(ov.Type, element_type), "pixels")
    values = op.convert(pixels, "f32")
    channels = op.reduce_mean(values, np.array([2, 3] if nchw else [1, 2]), False)
    if batch != "free":
        # Written for one picture: more of them do not fit, or are taken for one.
        target = [1, 3] if batch == "one" else [1, -1]
        channels = op.reshape(channels, np.array(target), False)
    order = {"years": [0], "genders": [0, 2], "all": [0, 1, 2]}
    results = []
    for name, places in order.items():
        answer = op.gather(channels, np.array(places), np.array(1))
        answer.set_friendly_name(name)
        answer.output(0).get_tensor().set_names({name})
        results.append(op.result(answer))
    pixels.output(0).get_tensor().set_names({"pixels"})
    return ov.Model(results, [pixels], "channels")


@pytest.fixture
def channel_network(tmp_path: Path) -> Callable[..., Path]:
    """Write an IR that answers the means of its input's channels, in the order it gets them.

    Outputs: ``years``, the first channel; ``genders``, the first and the last; ``all``. ``batch``
    is ``"free"``, ``"one"`` (two pictures do not fit) or ``"mixed"`` (two are taken for one).
    """

    def write(
        layout: str = "NHWC", side: int = 12, element_type: str = "f32", batch: str = "free"
    ) -> Path:
        import openvino as ov

        ov.save_model(
            _channel_network(layout, side, element_type, batch), tmp_path / "net.xml", False
        )
        return tmp_path / "net.xml"

    return write


@pytest.fixture(scope="session")
def open_model_zoo() -> Path:
    """The folder of Open Model Zoo's published networks, where a shared copy lies beside the repo.

    ``$EDGEAGE_OPEN_MODEL_ZOO`` names another one.
    """
    default = _ROOT.parent / "shared" / "models" / "open_model_zoo"
    path = Path(os.environ.get("EDGEAGE_OPEN_MODEL_ZOO", default))
    if not (path / "age-gender-recognition-retail-0013.xml").is_file():
        pytest.skip("age-gender-recognition-retail-0013 is not here; set EDGEAGE_OPEN_MODEL_ZOO")
    return path


_SIDED_NET = """
name: "sided" layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 16 kernel_h: 16 kernel_w: 8 stride: 8 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
  convolution_param { num_output: 32 kernel_h: 1 kernel_w: 2 } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "fc3" type: "InnerProduct" bottom: "conv2" top: "fc3"
  inner_product_param { num_output: 2 } }
layer { name: "prob" type: "Softmax" bottom: "fc3" top: "prob" }
"""


@pytest.fixture
def sided_model(tmp_path: Path) -> Callable[..., Path]:
    """Write a network of three layers that says which half of a picture is brighter.

    ``sided_model(outlier=0)`` returns the caffemodel, ready to compile as it is. The last layer
    compares fifteen numbers that are the left half's brightness with sixteen that are the right
    half's. An ``outlier`` is the number beside them, of which it takes nothing, and which
    stretches the range that eight bits have to cover.
    """
    from edgeage import caffe
    from edgeage.inputspec import InputSpec
    from edgeage.manifest import Manifest

    def write(outlier: float = 0.0) -> Path:
        folder = tmp_path / f"sided_{outlier:g}"
        folder.mkdir(exist_ok=True)
        first, first_bias = np.zeros((16, 3, 16, 8), np.float32), np.full(16, 50, np.float32)
        first[0], first_bias[0] = 1 / (3 * 16 * 8), 100
        second, second_bias = np.zeros((32, 16, 1, 2), np.float32), np.zeros(32, np.float32)
        second[1:16, 0, 0, 0] = second[16:, 0, 0, 1] = 1
        second_bias[0] = outlier
        third = np.zeros((2, 32), np.float32)
        third[0, 1:16], third[0, 16:] = 1 / 60, -1 / 64
        third[1] = -third[0]
        weights = {
            "conv1": [first, first_bias],
            "conv2": [second, second_bias],
            "fc3": [third, np.zeros(2, np.float32)],
        }
        mean = np.full((3, 16, 16), 100, np.float32)
        (folder / "sided.prototxt").write_text(_SIDED_NET, encoding="utf-8")
        caffe.write_weights(folder / "sided.caffemodel", caffe.parse_net(_SIDED_NET), weights)
        caffe.write_mean(folder / "mean.npy", mean)
        spec = InputSpec((16, 16), (16, 16), mean_sha256=caffe.mean_sha256(mean))
        manifest = Manifest.classifier("sided", "gender", ("Male", "Female"), spec)
        manifest.with_files(
            folder, caffemodel="sided.caffemodel", prototxt="sided.prototxt", mean="mean.npy"
        ).write(folder / "sided.json")
        return folder / "sided.caffemodel"

    return write


@pytest.fixture(scope="session")
def sided_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set for ``sided_model``: 60 pictures to train with and 50 to test on."""
    from edgeage.datasets import DatumWriter

    folder, rng = tmp_path_factory.mktemp("sided"), np.random.default_rng(0)
    for side, count in (("train", 60), ("test", 50)):
        with DatumWriter(folder / f"gender_{side}_lmdb") as writer:
            for number in range(count):
                pixels = rng.integers(0, 60, (3, 16, 16), dtype=np.uint8)
                label = int(number % 3 != 0)
                pixels[:, :, 8 * label : 8 * label + 8] += rng.integers(15, 180, dtype=np.uint8)
                writer.put(f"{side}_{number}.png", pixels, label)
    return folder
