"""A set of loaded networks that look at the same face cut-outs."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import DeviceError, ModelError
from edgeage.manifest import Manifest
from edgeage.means import replaced_mean

if TYPE_CHECKING:
    from edgeage.inputspec import InputSpec
    from edgeage.runtime import Backend, Session

__all__ = ["Models", "NetworkSet", "find_models", "load_networks"]

Models = str | Path | Sequence[Manifest]
"""A compiled model's folder, a folder of several, or manifests."""

_LOGGER = logging.getLogger("edgeage")


@contextlib.contextmanager
def find_models(models: Models | None, backend: Backend) -> Iterator[list[Manifest]]:
    """Yield the manifests of the models to run; their files may be gone after the block.

    Args:
        models: what to look in; None for the backend's own models or else the released ones.
        backend: what will run them.

    Raises:
        ModelError: when there is no compiled model, or two for the same task.
    """
    if models is None and backend.models:
        yield list(backend.models)
    elif models is None:
        from edgeage.compiler.released import released_models

        with released_models() as manifests:
            yield manifests
    else:
        yield _checked(models)


class NetworkSet:
    """One network a task, loaded on one device.

    Args:
        manifests: the models, one a task.
        backend: the device to load them on.
        mean: a mean to use instead of the models' own: BGR array or file; None for their own.

    Raises:
        ModelError: when a file is missing, changed or no network.
        MeanError: when ``mean`` is refused.
        DeviceError: when the device is not there or refuses a network.
    """

    def __init__(
        self,
        manifests: Sequence[Manifest],
        backend: Backend,
        mean: str | Path | np.ndarray | None = None,
    ) -> None:
        self.manifests = list(manifests)
        self._sessions: list[Session] = []
        with contextlib.ExitStack() as stack:
            for manifest in self.manifests:
                # Loads what preparing a picture needs now, not within the first one's time.
                manifest.input.prepare(np.zeros((8, 8, 3), np.uint8))
                own = None if mean is None else _stand_in(mean, manifest)
                self._sessions.append(backend.load(manifest, mean=own))
                stack.callback(self._sessions[-1].close)
            self._stack = stack.pop_all()

    @property
    def device(self) -> str:
        """Name of the device, or of both when the networks are on different ones."""
        return ", ".join(dict.fromkeys(session.device for session in self._sessions))

    def infer(self, cuts: Sequence[tuple[np.ndarray, ...]]) -> dict[str, np.ndarray]:
        """Run every network on every face.

        Args:
            cuts: a tuple a face, with one uint8 (height, width, 3) BGR cut-out for each of
                :attr:`margins`.

        Returns:
            By task, float32 probabilities of shape (faces, labels).

        Raises:
            DeviceError: when the device fails.
        """
        prepared: dict[InputSpec, np.ndarray] = {}
        answers = {}
        for manifest, session in zip(self.manifests, self._sessions, strict=True):
            spec = manifest.input
            if spec not in prepared:
                place = self.margins.index(spec.margin)
                prepared[spec] = np.stack([spec.prepare(cut[place]) for cut in cuts])
            answers[manifest.task] = session.infer(prepared[spec])
        return answers

    @property
    def margins(self) -> list[float]:
        """The different margins the networks want around a face, as fractions of its size."""
        return list(dict.fromkeys(manifest.input.margin for manifest in self.manifests))

    def close(self) -> None:
        """Give the device back; closing twice is harmless."""
        self._stack.close()


def load_networks(
    models: Models | None,
    backend: Backend,
    fallback: Backend | None,
    mean: str | Path | np.ndarray | None,
) -> NetworkSet:
    """Load models on a device, or on another one when the first is not there.

    Raises:
        ModelError: when a model is missing or damaged.
        MeanError: when ``mean`` is refused.
        DeviceError: when no device takes the networks.
    """
    with find_models(models, backend) as manifests:
        try:
            return NetworkSet(manifests, backend, mean)
        except DeviceError as error:
            if fallback is None:
                raise
            _LOGGER.warning("%s; using %s instead", error, fallback.device)
            return NetworkSet(manifests, fallback, mean)


def _checked(models: Models) -> list[Manifest]:
    manifests = _read_all(Path(models)) if isinstance(models, (str, Path)) else list(models)
    if not manifests:
        raise ModelError("expected at least one model, got none")
    tasks = [manifest.task for manifest in manifests]
    for task in tasks:
        if tasks.count(task) > 1:
            names = ", ".join(m.name for m in manifests if m.task == task)
            raise ModelError(f"{names} all predict {task}; name the folder of one of them")
    return manifests


def _read_all(folder: Path) -> list[Manifest]:
    if (folder / "model.json").is_file():
        return [Manifest.read(folder / "model.json")]
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder; expected one made by «edgeage compile»")
    paths = sorted(folder.glob("*/model.json"))
    if not paths:
        raise ModelError(f"{folder} holds no compiled model; make one with «edgeage compile»")
    return [Manifest.read(path) for path in paths]


def _stand_in(mean: str | Path | np.ndarray, manifest: Manifest) -> np.ndarray:
    own = None
    if "mean" in manifest.files:
        from edgeage.caffe import read_mean

        own = read_mean(manifest.file("mean"))
    return replaced_mean(mean, manifest.input, reference=own)
