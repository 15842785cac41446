"""The networks that come with edgeage, compiled once and kept in the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from edgeage.compiler.profiles import read_profile
from edgeage.compiler.sources import RELEASED, find_model, released_path
from edgeage.errors import ModelError
from edgeage.manifest import Manifest
from edgeage.modelfiles import has_weights, ready_models
from edgeage.movidius.toolchain import PYTHON_VARIABLE
from edgeage.paths import cache_dir, data_dir

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BOTH_TASKS", "default_names", "released_models"]

BOTH_TASKS = "edgeage-s"
"""The network that answers both tasks where no model is named."""

_PRECISION = "FP16"
_LOGGER = logging.getLogger(__name__)


def default_names() -> tuple[str, ...]:
    """Return the names of the networks that answer where no model is named.

    It is :data:`BOTH_TASKS`, or AgeNet and GenderNet where its weights are not installed.
    """
    ready = ready_models().get(BOTH_TASKS)
    if ready is not None and has_weights(Manifest.read(ready)):
        return (BOTH_TASKS,)
    return RELEASED


@contextlib.contextmanager
def released_models(
    target: str = "CPU", names: Sequence[str] | None = None
) -> Iterator[list[Manifest]]:
    """Yield the manifests of networks that come with edgeage, compiled in half precision.

    The first call compiles them, with the parity check, into
    ``cache_dir() / "models" / <hash of what they are made of and by>``; later ones read them from
    there. Where the cache cannot be written they live in a temporary folder that is gone after
    the block, so load them inside it.

    Args:
        target: a target with a profile under ``compile/``. ``"MYRIAD"`` and ``"OAK"`` need the
            Movidius tools where they have not been compiled before.
        names: which; None for :func:`default_names`.

    Raises:
        UsageError: for an unknown target.
        ModelError: when the released weights are missing or damaged.
        ToolchainError: when the Movidius tools are needed and missing, or fail.
    """
    target, names = target.upper(), names or default_names()
    read_profile(target, _PRECISION)
    with contextlib.ExitStack() as stack:
        yield [_cached(name, target) or _compiled(name, target, stack) for name in names]


def _cached(name: str, target: str) -> Manifest | None:
    with contextlib.suppress(ModelError, OSError):
        manifest = Manifest.read(_place(name, target) / "model.json")
        for role in manifest.files:
            manifest.file(role)
        return manifest
    return None


def _place(name: str, target: str) -> Path:
    return cache_dir() / "models" / _key(name, target) / name


def _key(name: str, target: str) -> str:
    """Hash what a compiled model depends on; the manifest holds its own files' hashes.

    Of the Movidius tools only another Python that is named counts: asking them for their version
    takes a second, and the tools themselves, which are not needed for what is compiled.
    """
    digest = hashlib.sha256()
    if target != "CPU":
        digest.update(f"{target} {os.environ.get(PYTHON_VARIABLE, '')}\n".encode())
    for tool in ("edgeage", "openvino"):
        digest.update(f"{tool} {version(tool)}\n".encode())
    for path in (
        data_dir("compile") / f"{target.lower()}.toml",
        released_path(name).with_suffix(".json") if name in RELEASED else ready_models()[name],
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _compiled(name: str, target: str, stack: contextlib.ExitStack) -> Manifest:
    what = "this machine" if target == "CPU" else target
    _LOGGER.info("Compiling %s for %s; this happens once.", name, what)
    folder = _work_folder(stack)
    return _kept(_made(name, target, folder))


def _made(name: str, target: str, folder: Path) -> Manifest:
    if name in RELEASED:
        from edgeage.compiler.compile import compile_model

        return compile_model(find_model(name), folder, target=target, precision=_PRECISION)
    from edgeage.compiler.imported import compile_imported

    network = Manifest.read(ready_models()[name])
    return compile_imported(network, folder, target=target, precision=_PRECISION)


def _work_folder(stack: contextlib.ExitStack) -> Path:
    """Return a temporary folder in the cache, so that a rename keeps it, or else anywhere."""
    models = cache_dir() / "models"
    try:
        models.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=models, prefix=".", ignore_cleanup_errors=True)
    except OSError as error:
        _LOGGER.info("The cache %s cannot be written (%s).", models, error.strerror)
        folder = tempfile.TemporaryDirectory(prefix="edgeage-", ignore_cleanup_errors=True)
    return Path(stack.enter_context(folder))


def _kept(compiled: Manifest) -> Manifest:
    """Move a compiled model to its place in the cache; leave it where it is if that fails.

    It fails when the cache cannot be written, and when another process was quicker. A damaged
    model in its place is moved to the temporary folder, which is about to go.
    """
    place = _place(compiled.name, compiled.target)
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and _cached(compiled.name, compiled.target) is None:
            place.rename(compiled.folder.with_name("damaged"))
        compiled.folder.rename(place)
        return Manifest.read(place / "model.json")
    return compiled
