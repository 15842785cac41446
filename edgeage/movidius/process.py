"""One running ``scripts/worker.py``: its pipes, its shared file, its last words, its end."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from edgeage.errors import ToolchainError
from edgeage.movidius.jobs import script_path
from edgeage.movidius.protocol import pack_frame, read_frame

if TYPE_CHECKING:
    from edgeage.movidius.protocol import Limits
    from edgeage.movidius.toolchain import Toolchain

__all__ = ["WorkerProcess"]

_KEPT = 16 << 10
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


class WorkerProcess:
    """Starts the process and carries frames; knows nothing of what they say.

    Args:
        toolchain: whose Python runs it.
        device: the OpenVINO device it is to drive.
        limits: how often it gives a sign of life, how long it may take to end.

    Raises:
        ToolchainError: when it cannot be started.
    """

    def __init__(self, toolchain: Toolchain, device: str, limits: Limits) -> None:
        self._limits = limits
        self._memory, memory_path = _shared_file()
        self._size = 0
        named = memory_path is not None
        options = {
            "device": device,
            "memory": str(memory_path) if named else self._memory,
            "beat_s": limits.beat_s,
            "parent": os.getpid(),
        }
        command = [str(toolchain.python), str(script_path("worker")), json.dumps(options)]
        try:
            self._process = subprocess.Popen(
                command,
                env=toolchain.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=() if named else (self._memory,),
                # Ctrl-C is for the client, which ends the worker in good order.
                start_new_session=True,
            )
        except OSError as error:
            os.close(self._memory)
            raise ToolchainError(
                f"{toolchain.python} cannot be started: {error.strerror}"
            ) from None
        self._write_lock = threading.Lock()
        self._said = bytearray()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def send(self, kind: int, payload: bytes = b"") -> bool:
        """Send a frame; False when the process no longer takes any."""
        assert self._process.stdin is not None
        with self._write_lock:
            try:
                self._process.stdin.write(pack_frame(kind, payload))
                self._process.stdin.flush()
            except (OSError, ValueError):
                return False
        return True

    def receive(self) -> tuple[int, bytes] | None:
        """Wait for a frame; None when the process will send no more.

        Raises:
            DeviceLostError: when what comes is no frame.
        """
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            return read_frame(self._process.stdout)  # type: ignore[arg-type]
        return None

    def share(self, size: int) -> tuple[int, mmap.mmap]:
        """Lengthen the shared file by a part of ``size`` bytes; return its offset and itself."""
        offset = -(-self._size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        os.ftruncate(self._memory, offset + size)
        self._size = offset + size
        return offset, mmap.mmap(self._memory, size, offset=offset)

    def last_words(self) -> str:
        """Return the end of what it wrote on stderr."""
        return bytes(self._said[-_KEPT:]).decode("utf-8", "replace").strip()

    def how_it_ended(self) -> int | None:
        """Return its exit status, or minus the signal that killed it; waits a moment for it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1.0)
            self._listener.join(1.0)
            return code
        return None

    def end(self, *, kindly: bool) -> None:
        """End the process, with time to give the device back when ``kindly``."""
        if kindly:
            with contextlib.suppress(OSError, ValueError), self._write_lock:
                assert self._process.stdin is not None
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self._limits.close_s)
        self._process.kill()
        # A process that is stuck in the kernel, waiting for USB, does not even take that.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._limits.close_s)
            self._listener.join(1.0)
            self._release()

    def _release(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        with contextlib.suppress(OSError):
            os.close(self._memory)

    def _listen(self) -> None:
        """Take in stderr, however much it is, so that the process never waits for us."""
        assert self._process.stderr is not None
        with contextlib.suppress(OSError, ValueError):
            while block := os.read(self._process.stderr.fileno(), 1 << 16):
                self._said += block
                if len(self._said) > 4 * _KEPT:
                    del self._said[:-_KEPT]


def _shared_file() -> tuple[int, Path | None]:
    """Open a file in memory; its path only where a process cannot inherit one without a name."""
    folder = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
    descriptor, name = tempfile.mkstemp(prefix="edgeage-", dir=folder)
    if os.name != "posix":
        return descriptor, Path(name)
    # Gone at once, so that nothing is left however this process ends.
    Path(name).unlink()
    return descriptor, None
