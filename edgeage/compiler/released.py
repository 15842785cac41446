"""The released networks, compiled for this machine once and kept in the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from edgeage.compiler.compile import compile_model
from edgeage.compiler.sources import RELEASED, find_model, released_path
from edgeage.errors import ModelError, ToolchainError
from edgeage.manifest import Manifest
from edgeage.paths import cache_dir, data_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["released_models"]

_TARGET, _PRECISION = "CPU", "FP16"
_LOGGER = logging.getLogger(__name__)


@contextlib.contextmanager
def released_models(target: str = _TARGET) -> Iterator[list[Manifest]]:
    """Yield the manifests of the released networks, compiled in half precision.

    Args:
        target: what to compile them for.

    The first call compiles them, with the parity check, into
    ``cache_dir() / "models" / <hash of what they are made of and by>``; later ones read them from
    there. Where the cache cannot be written they live in a temporary folder that is gone after
    the block, so load them inside it.

    Raises:
        ModelError: when the released weights are missing or damaged.
        ToolchainError: when the target needs tools that are not there.
    """
    if target != _TARGET:
        raise ToolchainError(
            f"the released networks are not compiled for {target}; compile them with: edgeage "
            f"compile --target {target}"
        )
    with contextlib.ExitStack() as stack:
        yield [_cached(name) or _compiled(name, stack) for name in RELEASED]


def _cached(name: str) -> Manifest | None:
    with contextlib.suppress(ModelError, OSError):
        manifest = Manifest.read(_place(name) / "model.json")
        for role in manifest.files:
            manifest.file(role)
        return manifest
    return None


def _place(name: str) -> Path:
    return cache_dir() / "models" / _key(name) / name


def _key(name: str) -> str:
    """Hash what a compiled model depends on; the manifest holds its own files' hashes."""
    digest = hashlib.sha256()
    for tool in ("edgeage", "openvino"):
        digest.update(f"{tool} {version(tool)}\n".encode())
    for path in (
        data_dir("compile") / f"{_TARGET.lower()}.toml",
        released_path(name).with_suffix(".json"),
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _compiled(name: str, stack: contextlib.ExitStack) -> Manifest:
    trained = find_model(name)
    _LOGGER.info("Compiling %s for this machine; this happens once.", name)
    folder = _work_folder(stack)
    compiled = compile_model(trained, folder, target=_TARGET, precision=_PRECISION)
    return _kept(compiled)


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
    place = _place(compiled.name)
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and _cached(compiled.name) is None:
            place.rename(compiled.folder.with_name("damaged"))
        compiled.folder.rename(place)
        return Manifest.read(place / "model.json")
    return compiled
