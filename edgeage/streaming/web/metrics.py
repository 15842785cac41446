"""What the server counts, for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import generate_latest as _generate_latest

from edgeage import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeage.faceresult import PictureResult

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""The media type of :meth:`Metrics.text`."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The figures of one server, in a registry of its own.

    Args:
        queue: tells how many pictures wait.
        frames: tells how many frames the live stream has had.
        device: tells where the networks run.
    """

    def __init__(
        self, queue: Callable[[], int], frames: Callable[[], int], device: Callable[[], str]
    ) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "edgeage_requests", "Requests answered.", ("route", "method", "status"),
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "edgeage_request_seconds", "From a request's head to its answer.", ("route",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._pictures = Counter(
            "edgeage_pictures", "Pictures analysed, and those that could not be.", ("result",),
            registry=registry,
        )  # fmt: skip
        self._faces = Counter(
            "edgeage_faces", "Faces in analysed pictures, by where the networks ran.", ("device",),
            registry=registry,
        )  # fmt: skip
        self._viewers = Gauge(
            "edgeage_viewers", "Who watches now.", ("kind",), registry=registry
        )  # fmt: skip
        waiting = Gauge("edgeage_queue_pictures", "Pictures that wait.", registry=registry)
        waiting.set_function(queue)
        shown = Counter("edgeage_stream_frames", "Frames of the live stream.", registry=registry)
        self._frames, self._shown, self._counted = frames, shown, 0
        self._device, self._info = device, Gauge(
            "edgeage_device_info", "Where the networks run, and the version of edgeage.",
            ("device", "version"), registry=registry,
        )  # fmt: skip

    def request(self, route: str, method: str, status: int, seconds: float | None) -> None:
        """Count a request; ``seconds`` are None for one that watches."""
        self._requests.labels(route, method, str(status)).inc()
        if seconds is not None:
            self._seconds.labels(route).observe(seconds)

    def picture(self, result: PictureResult) -> None:
        """Count an analysed picture."""
        self._pictures.labels("failed" if result.error else "analysed").inc()
        for face in result.faces:
            self._faces.labels(face.device).inc()

    def viewers(self, kind: str, change: int) -> None:
        """Count one who begins or stops to watch."""
        self._viewers.labels(kind).inc(change)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        frames = self._frames()
        self._shown.inc(frames - self._counted)
        self._counted = frames
        self._info.clear()
        self._info.labels(self._device(), __version__).set(1)
        return _generate_latest(self._registry)
