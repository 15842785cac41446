"""Compile a network for a device: which device that is, what it is told, and what is kept of it."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

import openvino as ov

from edgeage.errors import DeviceNotFoundError
from edgeage.runtime.core import openvino_core
from edgeage.runtime.devices import kind_of, members_of
from edgeage.runtime.modelcache import ModelCache
from edgeage.runtime.properties import device_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edgeage.runtime.options import RuntimeOptions

__all__ = ["NetworkCompiler", "Source", "resolved_device"]

_TOLD_APART_BY = ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")


@dataclasses.dataclass(frozen=True)
class Source:
    """A network to compile.

    Attributes:
        read: returns it as OpenVINO's model, each time anew.
        input_hw: height and width of its input in pixels.
        options: what OpenVINO is to be told of it (``Manifest.options``).
        xml: the file that holds it just so, for one picture; None when ``read`` changes it.
        identity: what tells it from every other, such as its files' hashes; empty keeps it out
            of the cache.
    """

    read: Callable[[], Any]
    input_hw: tuple[int, int]
    options: dict[str, str]
    xml: Path | None = None
    identity: tuple[str, ...] = ()


class NetworkCompiler:
    """Compiles one network for one device, as often as another batch is wanted.

    Args:
        requested: the device asked for.
        source: the network.
        options: how the device is to be used.

    Raises:
        DeviceNotFoundError: when the device is not there.
    """

    def __init__(self, requested: str, source: Source, options: RuntimeOptions) -> None:
        self._source, self._options = source, options
        self._device = resolved_device(openvino_core(), requested)
        self._properties = device_properties(self._device, options, source.options)

    @property
    def any_size(self) -> bool:
        """Whether one compilation takes any number of pictures up to its largest."""
        return self._device == "CPU"

    @property
    def may_move(self) -> bool:
        """Whether OpenVINO chooses the device, and may choose another one while it works."""
        return kind_of(self._device) == "AUTO"

    def compiled(self, size: int) -> Any:
        """Compile the network for so many pictures, or, with :attr:`any_size`, for 1 up to that.

        Raises:
            ModelError: when its files hold no network.
            RuntimeError: OpenVINO's, when the device refuses it.
        """
        core = openvino_core()
        told = repr(sorted(self._properties.items()))
        with self._cache_folder(str(size), told) as folder:
            properties = {**self._properties, **({"CACHE_DIR": str(folder)} if folder else {})}
            if size == 1 and self._source.xml is not None:
                # Quicker than reading it first: what is in the cache is not read at all. Whatever
                # is wrong is wrong with the network read first too, which tells what it is.
                with contextlib.suppress(RuntimeError):
                    return core.compile_model(str(self._source.xml), self._device, properties)
            model = self._source.read()
            first = ov.Dimension(1, size) if self.any_size and size > 1 else size
            model.reshape([first, 3, *self._source.input_hw])
            return core.compile_model(model, self._device, properties)

    @contextlib.contextmanager
    def _cache_folder(self, *how: str) -> Iterator[Path | None]:
        if not (self._options.cache and self._source.identity):
            yield None
            return
        cache = ModelCache()
        # The file's place is a part of what OpenVINO itself knows a compilation by.
        where = str(self._source.xml.resolve()) if self._source.xml else ""
        what = (ov.get_version(), self._device, *self._told_apart(), where)
        what += (*self._source.identity, *how)
        if self.may_move or members_of(self._device):
            yield cache.shared_folder(*what)
            return
        with cache.folder(*what) as folder:
            yield folder

    def _told_apart(self) -> Iterator[str]:
        """Yield what tells this device from another machine's of the same name."""
        for name in members_of(self._device) or [self._device]:
            for key in _TOLD_APART_BY:
                with contextlib.suppress(RuntimeError):
                    yield repr(openvino_core().get_property(name, key))


def resolved_device(core: Any, requested: str) -> str:
    """Return the device or list to open for the one asked for.

    AUTO takes of its list what is here; where that is one device, it is that one.

    Args:
        core: OpenVINO's core.
        requested: the name asked for.

    Raises:
        DeviceNotFoundError: when nothing of it is here.
    """
    if requested == "CPU":
        return requested
    here = [str(name) for name in core.available_devices]
    wanted = members_of(requested) or ([] if kind_of(requested) == "AUTO" else [requested])
    found = [name for name in wanted if name in here or kind_of(name) in map(kind_of, here)]
    if kind_of(requested) == "AUTO":
        if wanted and not found:
            raise _not_here(requested, wanted, here)
        rest = found or _without_excluded(requested, here)
        return rest[0] if len(rest) == 1 else _auto(requested, found)
    if missing := [name for name in wanted if name not in found]:
        raise _not_here(requested, missing, here)
    return requested


def _without_excluded(requested: str, here: Sequence[str]) -> list[str]:
    excluded = [name.strip()[1:] for name in requested.partition(":")[2].split(",")]
    return [name for name in here if name not in excluded and kind_of(name) not in excluded]


def _auto(requested: str, found: Sequence[str]) -> str:
    return f"AUTO:{','.join(found)}" if found else requested


def _not_here(requested: str, missing: Sequence[str], here: Sequence[str]) -> DeviceNotFoundError:
    what = "is" if requested in missing else f"wants {', '.join(missing)}, which is"
    return DeviceNotFoundError(
        f"device «{requested}» {what} not here; devices here: {', '.join(here)}"
    )
