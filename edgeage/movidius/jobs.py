"""Run one of our programs in the toolchain's Python: a question and arrays in, an answer out."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeage.movidius.toolchain import Toolchain

__all__ = ["run_job", "script_path"]

_TAIL = 2000


def script_path(name: str) -> Path:
    """Return the path of one of our programs for the toolchain's Python."""
    return Path(__file__).resolve().parent / "scripts" / f"{name}.py"


def run_job(
    toolchain: Toolchain,
    script: str,
    request: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray] | None = None,
    *,
    timeout_s: float = 600.0,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Run a program of ``scripts/`` to its end.

    Args:
        toolchain: whose Python runs it.
        script: its name, without ``.py``.
        request: JSON-ready values for it.
        arrays: arrays for it, by name.
        timeout_s: seconds it may take.

    Returns:
        Its answer, JSON values and arrays.

    Raises:
        ToolchainError: when it cannot start, fails, or takes too long, in one line; ``kind`` says
            which of the script's own errors it was, if it said so.
    """
    with tempfile.TemporaryDirectory(prefix="edgeage-job-") as name:
        folder = Path(name)
        (folder / "request.json").write_text(json.dumps(dict(request)), encoding="utf-8")
        for key, array in (arrays or {}).items():
            np.save(folder / f"in_{key}.npy", array, allow_pickle=False)
        said = _run(toolchain, script, folder, timeout_s)
        reply = _reply(folder, script, said)
        found = {
            path.stem.removeprefix("out_"): np.load(path, allow_pickle=False)
            for path in sorted(folder.glob("out_*.npy"))
        }
        return reply, found


def _run(toolchain: Toolchain, script: str, folder: Path, timeout_s: float) -> str:
    command = [str(toolchain.python), str(script_path(script)), str(folder)]
    try:
        done = subprocess.run(
            command,
            env=toolchain.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise ToolchainError(f"{toolchain.python} cannot be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ToolchainError(
            f"«{script}» in the toolchain's Python did not end within {timeout_s:g} s"
        ) from None
    return done.stdout.decode("utf-8", "replace")[-_TAIL:]


def _reply(folder: Path, script: str, said: str) -> dict[str, Any]:
    try:
        reply: dict[str, Any] = json.loads((folder / "reply.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        raise ToolchainError(f"«{script}» in the toolchain's Python failed: {last}") from None
    if "error" in reply:
        raise ToolchainError(str(reply["error"]), kind=str(reply.get("kind", "")))
    return reply
