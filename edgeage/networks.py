"""A set of loaded networks that look at the same face cut-outs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import MeanError, ModelError
from edgeage.manifest import Manifest
from edgeage.means import replaced_mean
from edgeage.modelfiles import read_models
from edgeage.runtime.devices import is_pluggable, target_of
from edgeage.runtime.fallback import OUTAGES, FallbackBackend
from edgeage.views import averaged, check_crops, cut_views

if TYPE_CHECKING:
    from edgeage.inputspec import InputSpec
    from edgeage.prediction.clock import StageClock
    from edgeage.runtime import Answer, Backend, Session

__all__ = ["Models", "NetworkSet", "check_models", "find_models", "load_networks"]

Models = str | Path | Sequence[Manifest]
"""What :func:`edgeage.modelfiles.read_models` takes, or manifests."""


@contextlib.contextmanager
def find_models(
    models: Models | None, backend: Backend, names: Sequence[str] | None = None
) -> Iterator[list[Manifest]]:
    """Yield the manifests of the models to run; their files may be gone after the block.

    The one place where a device decides on the models: without any named, the released ones are
    those compiled for its target. Files compiled for a stick also run on a fallback; when they
    cannot be had for the stick, those for the fallback are used and the stick is given up.

    Args:
        models: what to look in; None for the backend's own models or else the released ones.
        backend: what will run them.
        names: which of the released ones; None for those the device decides on.

    Raises:
        ModelError: when there is no compiled model, or two for the same task.
    """
    if models is None and backend.models:
        yield list(backend.models)
    elif models is None:
        with _released(backend, names) as manifests:
            yield manifests
    else:
        yield check_models(models)


class NetworkSet:
    """Networks for one task each or for several, loaded on one device.

    Args:
        manifests: the models, one a task.
        backend: the device to load them on.
        mean: a mean to use instead of the models' own: BGR array or file; None for their own.
        crops: how many views of a face they look at, one of :data:`edgeage.views.CROPS`.

    Attributes:
        crops: the same.
        load_ms: milliseconds it took to load them all.

    Raises:
        ModelError: when a file is missing, changed or no network.
        MeanError: when ``mean`` is refused.
        DeviceError: when the device is not there or refuses a network.
        UsageError: for ``crops`` that there are not.
    """

    def __init__(
        self,
        manifests: Sequence[Manifest],
        backend: Backend,
        mean: str | Path | np.ndarray | None = None,
        crops: int = 1,
    ) -> None:
        check_crops(crops)
        self.manifests, self.crops = list(manifests), crops
        self._loaded: list[tuple[list[Manifest], Session]] = []
        started = time.perf_counter()
        with contextlib.ExitStack() as stack:
            for manifest in self.manifests:
                # Loads what preparing a picture needs now, not within the first one's time.
                self.prepare(manifest.input, [np.zeros((8, 8, 3), np.uint8)])
            for group, session in _load(self.manifests, backend, mean):
                self._loaded.append((group, session))
                stack.callback(session.close)
            self._stack = stack.pop_all()
        self.load_ms = (time.perf_counter() - started) * 1000

    @property
    def first_ms(self) -> float | None:
        """Milliseconds of the first run of all networks on an empty picture, if that was made."""
        times = [getattr(session, "first_ms", None) for _, session in self._loaded]
        return None if None in times else sum(filter(None, times))

    @property
    def device(self) -> str:
        """Name of the device, or of both when the networks are on different ones."""
        return ", ".join(dict.fromkeys(session.device for _, session in self._loaded))

    @property
    def inputs(self) -> list[InputSpec]:
        """The different inputs the networks want of a face."""
        return list(dict.fromkeys(manifest.input for manifest in self.manifests))

    def prepare(self, spec: InputSpec, faces: Sequence[np.ndarray]) -> np.ndarray:
        """Turn cut-out faces into what :meth:`infer` takes.

        Args:
            spec: one of :attr:`inputs`.
            faces: at least one, uint8 arrays of shape (height, width, 3), BGR.

        Returns:
            uint8 array of shape (faces · crops, 3, *input_hw), BGR, a face's views together.
        """
        return np.concatenate([cut_views(face, spec, self.crops) for face in faces])

    def infer(
        self, batches: Mapping[InputSpec, np.ndarray], clock: StageClock
    ) -> dict[str, Answer]:
        """Run every network on every face.

        Args:
            batches: for each of :attr:`inputs`, what :meth:`prepare` made of the faces.
            clock: gets the time of every network, by its task.

        Returns:
            By task, a row a face and who answered it; one network's answer to two tasks is there
            twice.

        Raises:
            DeviceError: when the device fails.
        """
        answers: dict[str, Answer] = {}
        for manifests, session in self._loaded:
            batch = batches[manifests[0].input]
            tasks = [task for manifest in manifests for task in manifest.tasks]
            with clock.measure("+".join(tasks), len(batch) // self.crops):
                answer = session.infer(batch)
            for manifest in manifests:
                own = answer if len(manifests) == 1 else _separated(answer, manifest)
                own = averaged(own, manifest.outputs, self.crops)
                answers |= dict.fromkeys(manifest.tasks, own)
        return answers

    def keep(self, resource: contextlib.AbstractContextManager[object]) -> None:
        """Leave a context that is already entered when this set is closed, after its networks."""
        networks = self._stack.pop_all()
        self._stack.push(resource)
        self._stack.push(networks)

    def close(self) -> None:
        """Give the device back; closing twice is harmless."""
        self._stack.close()


def load_networks(
    models: Models | None,
    backend: Backend,
    fallback: Backend | None,
    mean: str | Path | np.ndarray | None,
    crops: int = 1,
) -> NetworkSet:
    """Load models on a device, and on another one that answers while the first does not.

    The models' files are kept until the set is closed: a device that comes back needs them.

    Raises:
        ModelError: when a model is missing or damaged.
        MeanError: when ``mean`` is refused.
        DeviceError: when no device takes the networks.
        UsageError: for ``crops`` that there are not.
    """
    if not isinstance(backend, FallbackBackend) and (
        fallback is not None or is_pluggable(backend.device)
    ):
        backend = FallbackBackend(backend, fallback)
    with contextlib.ExitStack() as stack:
        # A mean image belongs to the networks that were trained with one.
        names = None if mean is None else _with_a_mean()
        manifests = stack.enter_context(find_models(models, backend, names))
        networks = NetworkSet(manifests, backend, mean, crops)
        networks.keep(stack.pop_all())
        return networks


def _load(
    manifests: Sequence[Manifest], backend: Backend, mean: str | Path | np.ndarray | None
) -> Iterator[tuple[list[Manifest], Session]]:
    """Load networks, two that begin with the same layers as one where the backend can do that."""
    means = [None if mean is None else _stand_in(mean, manifest) for manifest in manifests]
    join = getattr(backend, "load_joined", None)
    if join is not None and len(manifests) == 2:
        session = join(manifests, mean=means[0])
        if session is not None:
            yield list(manifests), session
            return
    for manifest, own in zip(manifests, means, strict=True):
        yield [manifest], backend.load(manifest, mean=own)


def _with_a_mean() -> tuple[str, ...]:
    from edgeage.compiler.sources import RELEASED

    return RELEASED


def _separated(answer: Answer, manifest: Manifest) -> Answer:
    from edgeage.runtime.sharing import separated

    return separated(answer, manifest)


def _released(
    backend: Backend, names: Sequence[str] | None
) -> contextlib.AbstractContextManager[list[Manifest]]:
    from edgeage.compiler.released import released_models

    if not isinstance(backend, FallbackBackend) or backend.fallback is None:
        return released_models(target=target_of(backend.device), names=names)
    return _released_for_either(backend, backend.fallback, names)


@contextlib.contextmanager
def _released_for_either(
    backend: FallbackBackend, fallback: Backend, names: Sequence[str] | None
) -> Iterator[list[Manifest]]:
    from edgeage.compiler.released import released_models

    with contextlib.ExitStack() as stack:
        try:
            target = target_of(backend.device)
            manifests = stack.enter_context(released_models(target=target, names=names))
        except OUTAGES as error:
            backend.give_up(error)
            target = target_of(fallback.device)
            manifests = stack.enter_context(released_models(target=target, names=names))
        yield manifests


def check_models(models: Models) -> list[Manifest]:
    """Read models unless they are manifests, and hold that they answer different tasks.

    Raises:
        ModelError: when there is no compiled model, or two for the same task.
    """
    manifests = read_models(models) if isinstance(models, (str, Path)) else list(models)
    if not manifests:
        raise ModelError("expected at least one model, got none")
    tasks = [task for manifest in manifests for task in manifest.tasks]
    for task in tasks:
        if tasks.count(task) > 1:
            names = ", ".join(m.name for m in manifests if task in m.tasks)
            raise ModelError(f"{names} all predict {task}; name the folder of one of them")
    return manifests


def _stand_in(mean: str | Path | np.ndarray, manifest: Manifest) -> np.ndarray:
    if not manifest.is_own:
        raise MeanError(f"the mean of {manifest.name} stands in its manifest; leave the mean out")
    own = None
    if "mean" in manifest.files:
        from edgeage.caffe import read_mean

        own = read_mean(manifest.file("mean"))
    return replaced_mean(mean, manifest.input, reference=own)
