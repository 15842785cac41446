"""What one of OpenVINO's devices can do, as far as it says."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

from edgeage.processor import usable_processors

__all__ = ["Capabilities", "capabilities_of"]

_PRECISIONS = ("FP32", "FP16", "BF16", "INT8", "INT4")


@dataclasses.dataclass(frozen=True)
class Capabilities:
    """What a device can do; a number it does not tell is None.

    Attributes:
        precisions: what it computes in, of ``FP32``, ``FP16``, ``BF16``, ``INT8`` and ``INT4``.
        streams: the most runs it works on side by side.
        requests: how many runs it wants under way at once in throughput mode.
        threads: threads of this machine it may use; for a CPU only.
        batch: the most pictures edgeage gives it at once.
        keeps_compiled: whether what it compiled can be kept for the next start.
    """

    precisions: tuple[str, ...] = ()
    streams: int | None = None
    requests: int | None = None
    threads: int | None = None
    batch: int | None = None
    keeps_compiled: bool = False

    def text(self) -> str:
        """Return all that is known in one line.

        >>> Capabilities(("FP32", "INT8"), streams=2, threads=4, keeps_compiled=True).text()
        'FP32, INT8; 2 streams, 4 threads; keeps what it compiled'
        """
        counted = [
            (self.streams, "stream"),
            (self.requests, "request"),
            (self.threads, "thread"),
        ]
        numbers = [f"{n} {what}{'' if n == 1 else 's'}" for n, what in counted if n is not None]
        numbers += [f"batches of {self.batch}"] if self.batch is not None else []
        kept = "keeps what it compiled" if self.keeps_compiled else "compiles at every start"
        return "; ".join(filter(None, [", ".join(self.precisions), ", ".join(numbers), kept]))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return {**dataclasses.asdict(self), "precisions": list(self.precisions)}


def capabilities_of(core: Any, device: str) -> Capabilities:
    """Ask OpenVINO what a device can do; what it does not answer is left out.

    Args:
        core: OpenVINO's core.
        device: a name of its list, for example ``"CPU"`` or ``"GPU.1"``.
    """
    from edgeage.runtime.openvino import BATCH

    found = _asked(core, device, "OPTIMIZATION_CAPABILITIES")
    known = [str(name) for name in found] if isinstance(found, (list, tuple)) else []
    # The CPU answers (1, 1, 1) to RANGE_FOR_ASYNC_INFER_REQUESTS whatever it is opened for.
    requests = _largest(core, device, "RANGE_FOR_ASYNC_INFER_REQUESTS", place=1)
    streams = _largest(core, device, "RANGE_FOR_STREAMS", place=1)
    return Capabilities(
        precisions=tuple(name for name in _PRECISIONS if name in known),
        streams=streams,
        requests=streams if device == "CPU" else requests,
        threads=usable_processors() if device == "CPU" else None,
        batch=BATCH,
        keeps_compiled="EXPORT_IMPORT" in known,
    )


def _asked(core: Any, device: str, key: str) -> Any:
    # Besides OpenVINO's own errors, a property of a type its Python does not know is a TypeError.
    with contextlib.suppress(RuntimeError, TypeError, ValueError):
        return core.get_property(device, key)
    return None


def _largest(core: Any, device: str, key: str, *, place: int) -> int | None:
    found = _asked(core, device, key)
    with contextlib.suppress(TypeError, ValueError, IndexError):
        return int(found[place])
    return None
