"""For tests: a backend and a detector without models or OpenVINO, and models of random weights."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import UsageError
from edgeage.inputspec import InputSpec
from edgeage.labels import TASK_LABELS
from edgeage.manifest import Manifest
from edgeage.paths import data_dir
from edgeage.runtime.backend import Answer, batch_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from edgeage.errors import EdgeageError
    from edgeage.faces import Detection

__all__ = ["FakeBackend", "FakeDetector", "FakeSession", "write_random_model"]


class FakeBackend:
    """Stands in for a device; the same pixels always get the same answer.

    Args:
        age: the nine age-group probabilities every face gets; None to derive them from the
            face's mean brightness: black is youngest, white oldest.
        gender: the two gender probabilities every face gets; None to derive them from the left
            half's share of the brightness: a brighter left half is ``"Male"``.
        device: the name it goes by.
        load_error: raised when a network is loaded, to play a missing device.
        infer_error: raised when a network is run, to play a failing one.
        load_faults: what the loads meet, one after the other: an error, or None for none; when
            they are used up, every load works.
        infer_faults: the same for the runs, over all sessions.

    Attributes:
        batches: how many faces each run had, over all sessions, in order.
        means: the mean each load was given, in order: float32 array of the shape
            ``manifest.input.mean_shape``, BGR, or None for the model's own.

    >>> from edgeage import Predictor
    >>> backend = FakeBackend(age=[0, 0, 0, 1, 0, 0, 0, 0, 0])
    >>> with Predictor(backend=backend, detector=None) as predictor:
    ...     predictor.predict(np.zeros((50, 50, 3), np.uint8))[0].age_group
    '30-39'
    """

    def __init__(
        self,
        age: Sequence[float] | None = None,
        gender: Sequence[float] | None = None,
        *,
        device: str = "FAKE",
        load_error: EdgeageError | None = None,
        infer_error: EdgeageError | None = None,
        load_faults: Iterable[EdgeageError | None] = (),
        infer_faults: Iterable[EdgeageError | None] = (),
    ) -> None:
        self.device = device
        self._load_faults, self._infer_faults = iter(load_faults), iter(infer_faults)
        self.load_error, self.infer_error = load_error, infer_error
        self.batches: list[int] = []
        self.means: list[np.ndarray | None] = []
        self._chosen = {
            "age": _probabilities("age", age),
            "gender": _probabilities("gender", gender),
        }

    @property
    def models(self) -> tuple[Manifest, ...]:
        """A made-up AgeNet and GenderNet of the usual input."""
        return tuple(
            Manifest.classifier(f"fake_{task}", task, labels, InputSpec())
            for task, labels in TASK_LABELS.items()
        )

    def load(self, manifest: Manifest, *, mean: np.ndarray | None = None) -> FakeSession:
        """Pretend to load a model; its files are not looked at and ``mean`` changes no answer.

        Args:
            manifest: the model's manifest: its task, labels and input count.
            mean: float32 array of the shape ``manifest.input.mean_shape``, BGR, or None; kept in
                ``means``.

        Returns:
            A session that answers what the backend was told to.

        Raises:
            EdgeageError: the backend's ``load_error`` or the next of its ``load_faults``.
        """
        if fault := self.load_error or next(self._load_faults, None):
            raise fault
        self.means.append(mean)
        return FakeSession(self, manifest, self._chosen[manifest.task])

    def next_fault(self) -> EdgeageError | None:
        """Return what the next run meets, an error or nothing."""
        return self.infer_error or next(self._infer_faults, None)


class FakeSession:
    """A network of a :class:`FakeBackend`; see :class:`edgeage.runtime.Session`.

    Args:
        backend: the backend that made it, which notes what it is asked.
        manifest: the model's manifest.
        chosen: float32 array of shape (labels,), the answer for every face; None to derive it
            from the face.
    """

    def __init__(self, backend: FakeBackend, manifest: Manifest, chosen: np.ndarray | None) -> None:
        self._backend, self._manifest, self._chosen = backend, manifest, chosen
        self._closed = threading.Event()

    @property
    def device(self) -> str:
        """The backend's name."""
        return self._backend.device

    def infer(self, batch: np.ndarray) -> Answer:
        """Return the chosen probabilities, or those derived from each face.

        Args:
            batch: uint8 array of shape (n, 3, height, width), BGR, of the manifest's ``input_hw``.

        Returns:
            float32 probabilities of shape (n, labels), all by the backend's device.

        Raises:
            UsageError: for a batch of another shape or dtype, or after :meth:`close`.
            EdgeageError: the backend's ``infer_error`` or the next of its ``infer_faults``.
        """
        if problem := batch_problem(batch, self._manifest.input.input_hw):
            raise UsageError(problem)
        if self._closed.is_set():
            raise UsageError("this session is closed; load the model again")
        if fault := self._backend.next_fault():
            raise fault
        self._backend.batches.append(len(batch))
        answers = {self._manifest.output_name: self._probabilities(batch)}
        return Answer(answers, (self.device,) * len(batch))

    def close(self) -> None:
        """End the session; closing twice is harmless."""
        self._closed.set()

    def _probabilities(self, batch: np.ndarray) -> np.ndarray:
        if self._chosen is not None:
            return np.repeat(self._chosen[None], len(batch), axis=0)
        derive = _by_brightness if self._manifest.task == "age" else _by_sides
        return np.stack([derive(pixels, len(self._manifest.labels)) for pixels in batch])


class FakeDetector:
    """Stands in for a face detector; see :class:`edgeage.faces.Detector`.

    Args:
        find: the faces every picture has, or a function that looks for them in a picture, a
            uint8 array of shape (height, width, 3), BGR.
        name: the name it goes by.
        faults: what its runs meet, one after the other: an error, or None for none; when they
            are used up, every run works.

    Attributes:
        batches: how many pictures each run had, in order.

    >>> from edgeage.faces import Detection
    >>> detector = FakeDetector([Detection((10, 10, 30, 34), 0.9)])
    >>> detector.detect([np.zeros((50, 50, 3), np.uint8)])[0][0].score
    0.9
    """

    def __init__(
        self,
        find: Sequence[Detection] | Callable[[np.ndarray], Sequence[Detection]] = (),
        *,
        name: str = "fake",
        faults: Iterable[Exception | None] = (),
    ) -> None:
        self.name = name
        self.batches: list[int] = []
        self._find, self._faults = find, iter(faults)
        self._closed = threading.Event()

    def detect(self, pictures: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return each picture's faces.

        Args:
            pictures: uint8 arrays of shape (height, width, 3), BGR.

        Returns:
            For each picture the detections it was made with, or made of the picture.

        Raises:
            UsageError: after :meth:`close`.
            Exception: the next of its ``faults``.
        """
        if self._closed.is_set():
            raise UsageError("this detector is closed; make a new one")
        if fault := next(self._faults, None):
            raise fault
        self.batches.append(len(pictures))
        find = self._find if callable(self._find) else lambda _: self._find
        return [list(find(picture)) for picture in pictures]

    def close(self) -> None:
        """End it; closing twice is harmless."""
        self._closed.set()


def _probabilities(task: str, values: Sequence[float] | None) -> np.ndarray | None:
    if values is None:
        return None
    array = np.asarray(values, np.float32)
    labels = len(TASK_LABELS[task])
    if array.shape != (labels,) or (array < 0).any() or abs(float(array.sum()) - 1) > 1e-3:
        raise UsageError(
            f"expected {labels} probabilities for {task} that sum to 1, got {list(values)}"
        )
    return array


def _by_brightness(pixels: np.ndarray, labels: int) -> np.ndarray:
    centre = float(pixels.mean()) / 255 * (labels - 1)
    weights = np.exp(-((np.arange(labels) - centre) ** 2))
    probabilities: np.ndarray = (weights / weights.sum()).astype(np.float32)
    return probabilities


def _by_sides(pixels: np.ndarray, labels: int) -> np.ndarray:
    left = float(pixels[:, :, : pixels.shape[2] // 2].mean()) + 1
    right = float(pixels[:, :, pixels.shape[2] // 2 :].mean()) + 1
    share = left / (left + right)
    return np.array([share, 1 - share] + [0] * (labels - 2), np.float32)


def write_random_model(folder: Path, task: str = "age", *, side: int = 227, seed: int = 0) -> Path:
    """Write a trained model's files with random weights: AgeNet or GenderNet, ready to compile.

    Args:
        folder: gets ``NAME.caffemodel``, its manifest, its deploy prototxt and its mean.
        task: ``"age"`` for an AgeNet, ``"gender"`` for a GenderNet.
        side: height and width of its input in pixels; a small one makes a small, quick network.
        seed: of the weights; the mean is the same for every seed.

    Returns:
        The path of the ``.caffemodel``.

    Raises:
        UsageError: for an unknown task.
    """
    from edgeage import caffe

    if task not in TASK_LABELS:
        raise UsageError(f"unknown task «{task}»; expected {' or '.join(TASK_LABELS)}")
    name = {"age": "agenet", "gender": "gendernet"}[task]
    net = caffe.read_net(data_dir("prototxt") / f"{name}_deploy.prototxt")
    net.layer[0].input_param.shape[0].dim[2:] = [side, side]
    mean = np.random.default_rng(0).uniform(100, 150, (3, side, side)).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}_deploy.prototxt").write_text(caffe.format_message(net), encoding="utf-8")
    caffe.write_weights(folder / f"{name}.caffemodel", net, _random_weights(net, side, seed))
    caffe.write_mean(folder / "mean.npy", mean)
    spec = InputSpec((side, side), (side, side), mean_sha256=caffe.mean_sha256(mean))
    manifest = Manifest.classifier(name, task, TASK_LABELS[task], spec)
    manifest.with_files(
        folder,
        caffemodel=f"{name}.caffemodel",
        prototxt=f"{name}_deploy.prototxt",
        mean="mean.npy",
    ).write(folder / f"{name}.json")
    return folder / f"{name}.caffemodel"


def _random_weights(net: Any, side: int, seed: int) -> dict[str, list[np.ndarray]]:
    """Draw weights that keep the size of what passes (He et al., ICCV 2015), and small biases."""
    rng = np.random.default_rng(seed)
    channels, gain, weights = 3, 0.02, {}
    for layer in net.layer:
        shape, side = _weight_shape(layer, channels, side)
        if shape:
            drawn = rng.standard_normal(shape) * gain * np.sqrt(2 / np.prod(shape[1:]))
            biases = rng.standard_normal(shape[0]) * 0.1
            weights[layer.name] = [drawn.astype(np.float32), biases.astype(np.float32)]
            channels, gain = shape[0], 1.0
    return weights


def _weight_shape(layer: Any, channels: int, side: int) -> tuple[tuple[int, ...], int]:
    """Return the shape of a layer's weights, () for none, and the side of what it makes."""
    if layer.type == "Pooling":
        param = layer.pooling_param
        return (), -(-(side - param.kernel_size) // param.stride) + 1
    if layer.type == "Convolution":
        param = layer.convolution_param
        kernel = param.kernel_size[0]
        stride = param.stride[0] if param.stride else 1
        pad = param.pad[0] if param.pad else 0
        shape = (param.num_output, channels, kernel, kernel)
        return shape, (side + 2 * pad - kernel) // stride + 1
    if layer.type == "InnerProduct":
        return (layer.inner_product_param.num_output, channels * side * side), 1
    return (), side
