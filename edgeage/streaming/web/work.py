"""The predictor's work for the server: in a thread of its own, from a queue of bounded length.

Pictures that wait together go through the predictor's steps together.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import dataclasses
import threading
import time
from typing import TYPE_CHECKING

import anyio

from edgeage.decoding import MAX_PIXELS
from edgeage.errors import DeviceError, EdgeageError, UsageError
from edgeage.images import import_opencv
from edgeage.sources import Source
from edgeage.streaming.web.refusals import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from edgeage.faceresult import PictureResult
    from edgeage.predictor import Predictor
    from edgeage.streaming.web.settings import WebSettings
    from edgeage.streaming.web.uploads import Upload

__all__ = ["PredictorWork"]

_TOGETHER = 8
_RETRY_SECONDS, _FAILING_SECONDS = 5, 60


@dataclasses.dataclass(frozen=True, eq=False)
class _UploadSource(Source):
    """An upload, of which no more than so many pixels are decoded."""

    most_pixels: int = MAX_PIXELS

    def read(self, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        return super().read(max_pixels=min(max_pixels, self.most_pixels))


class _Job:
    """One upload and the answer it waits for."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.future: concurrent.futures.Future[PictureResult] = concurrent.futures.Future()


class PredictorWork:
    """Answers uploads with a predictor, as many as may wait.

    Args:
        predictor: what answers; it stays the caller's to close.
        settings: the server's limits.
        on_result: called in the work's thread with every picture's result, before it is answered.

    """

    def __init__(
        self,
        predictor: Predictor,
        settings: WebSettings,
        on_result: Callable[[PictureResult], None] = lambda _: None,
    ) -> None:
        self._predictor, self._settings, self._on_result = predictor, settings, on_result
        self._lock = threading.Lock()
        self._waiting: collections.deque[_Job] = collections.deque()
        self._working = False
        import_opencv()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "edgeage-web")
        self._failed = ("", 0.0)

    @property
    def failing(self) -> str:
        """What the device failed with, until it works again or a minute has gone by."""
        what, when_s = self._failed
        return what if what and time.monotonic() - when_s < _FAILING_SECONDS else ""

    @property
    def waiting(self) -> int:
        """How many pictures wait for the predictor."""
        return len(self._waiting)

    async def answer(self, upload: Upload) -> PictureResult:
        """Predict the faces of an upload.

        Raises:
            HTTPException: 503 where too many wait, the answer takes too long or the device fails;
                500 where the predictor cannot work at all.
        """
        job = _Job(_UploadSource(upload.name, upload.data, most_pixels=self._settings.max_pixels))
        if not self._put(job):
            raise refuse(503, "too many pictures are waiting; try again", retry_after=1)
        try:
            with anyio.fail_after(self._settings.answer_seconds):
                return await asyncio.wrap_future(job.future)
        except TimeoutError:
            seconds = f"{self._settings.answer_seconds:g}"
            raise refuse(
                503, f"no answer within {seconds} seconds", retry_after=_RETRY_SECONDS
            ) from None
        except (DeviceError, UsageError) as error:
            # A UsageError is of a predictor that was closed meanwhile.
            raise refuse(503, str(error), retry_after=_RETRY_SECONDS) from error
        except EdgeageError as error:
            raise refuse(500, str(error)) from error

    def close(self) -> None:
        """Drop what waits; what is in the predictor is finished."""
        with self._lock:
            dropped, self._waiting = list(self._waiting), collections.deque()
        for job in dropped:
            job.future.cancel()
        self._thread.shutdown(wait=False)

    def _put(self, job: _Job) -> bool:
        with self._lock:
            if len(self._waiting) >= self._settings.queue:
                return False
            self._waiting.append(job)
            starts, self._working = not self._working, True
        if starts:
            self._thread.submit(self._work)
        return True

    def _take(self) -> list[_Job]:
        """Return the jobs whose turn it is; with the last, the work ends."""
        with self._lock:
            count = min(len(self._waiting), _TOGETHER)
            jobs = [self._waiting.popleft() for _ in range(count)]
            self._working = bool(jobs)
        return jobs

    def _work(self) -> None:
        while jobs := self._take():
            wanted = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if wanted:
                self._predict(wanted)

    def _predict(self, jobs: list[_Job]) -> None:
        remaining = collections.deque(jobs)
        keep = self._settings.save is not None
        try:
            results = self._predictor.stream([job.source for job in jobs], keep_pictures=keep)
            for result in results:
                self._on_result(result)
                self._failed = ("", 0.0)
                remaining.popleft().future.set_result(result)
        # Whatever stops the work is the answer to those who wait for it; it ends no thread.
        except Exception as error:
            if isinstance(error, DeviceError):
                self._failed = (str(error), time.monotonic())
            for job in remaining:
                job.future.set_exception(error)
