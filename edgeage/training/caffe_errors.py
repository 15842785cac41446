"""What Caffe says when it gives up, in one line and with what to do.

Caffe ends its process for any error: glog prints «F… file.cpp:123] Check failed: …» and aborts.
"""

from __future__ import annotations

import re
import signal

from edgeage.errors import did_you_mean

__all__ = ["HOW_TO_GET_CAFFE", "explain"]

HOW_TO_GET_CAFFE = (
    "get it with: edgeage toolchain install, or name another Python that has it: --caffe-python"
)

_FATAL = re.compile(r"^F\d+ [\d:.]+ +\d+ (?P<where>[\w.]+:\d+)\] (?P<what>.*)$", re.MULTILINE)
_PARSING = re.compile(r"Error parsing text-format caffe\.(\w+): (.*)")
_CHECK = re.compile(r"^Check failed: .*?\)? ?(?=[A-Z])")
_KNOWN_TYPES = re.compile(r"Unknown (layer|solver) type: (\S*) \(known types: (.*)\)")
_MEMORY = re.compile(r"bad_alloc|out of memory|Cannot allocate memory|MemoryError", re.IGNORECASE)

_TABLE = (
    (
        r"mdb_status == 0 \(-?\d+ vs\. 0\) ?(?P<reason>.*)",
        "Caffe cannot read the LMDB ({reason}); make it again with: edgeage dataset build",
    ),
    (
        r"Unknown bottom blob '(?P<blob>.*?)' \(layer '(?P<layer>.*?)'",
        "layer «{layer}» wants the blob «{blob}», which no layer before it makes",
    ),
    (
        r"Cannot copy param \d+ weights from layer '(?P<layer>.*?)'",
        "the snapshot belongs to another network: its layer «{layer}» has other sizes",
    ),
    (
        r"Incorrect length of history blobs",
        "the snapshot belongs to another network or solver type",
    ),
    (
        r"CPU-only Caffe",
        "this Caffe computes on the CPU only; set solver_mode=CPU",
    ),
    (
        r"No space left on device",
        "the disk is full; make room and go on with --resume",
    ),
)


def explain(status: int, talk: str, iteration: int) -> str:
    """Return why Caffe's process ended, in one line.

    Args:
        status: its exit status; negative for a signal.
        talk: the end of what it wrote to standard error.
        iteration: how many iterations it had done.

    Returns:
        A line that says what happened and what to do.
    """
    when = f" at iteration {iteration}" if iteration else ""
    fatal = _FATAL.search(talk)
    if fatal:
        return _of_glog(fatal, talk) + when
    if _MEMORY.search(talk) or status == -signal.SIGKILL:
        return (
            f"Caffe was killed{when}, most likely because the memory is full; lower batch_size or "
            f"iter_size, and go on with --resume"
        )
    lines = [line.strip() for line in talk.splitlines() if line.strip()]
    last = f": {lines[-1][:300]}" if lines else ""
    if status < 0:
        return (
            f"Caffe crashed{when} ({_signal_name(-status)}){last}; go on with --resume, and try "
            f"another build of Caffe (--caffe-python) or --engine torch if it crashes again"
        )
    return f"Caffe's Python ended{when} with status {status}{last}"


def _of_glog(fatal: re.Match[str], talk: str) -> str:
    what = " ".join(fatal["what"].split())
    if parsing := _PARSING.search(talk):
        return f"this Caffe does not understand the {parsing[1]} ({parsing[2]}); leave that out"
    if kind := _KNOWN_TYPES.search(what):
        known = kind[3].split(", ")
        same = [word for word in known if word.lower() == kind[2].lower()]
        near = f"; did you mean «{same[0]}»?" if same else did_you_mean(kind[2], known)
        return f"Caffe knows no {kind[1]} type «{kind[2]}»{near or '; choose one it knows'}"
    for pattern, text in _TABLE:
        if found := re.search(pattern, what):
            return text.format(**found.groupdict())
    return f"Caffe gave up: {_CHECK.sub('', what)[:300]} ({fatal['where']})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
