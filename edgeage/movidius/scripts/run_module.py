"""Run a module with the rest of the arguments, and end when the process that asked for it does.

Arguments: the id of that process, the module (pip, venv), its arguments. Runs on Python 3.6 and
newer, with the standard library.
"""

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent):
    """Ask Linux for SIGTERM when the parent dies; end now if it has died already."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    module = sys.argv[2]
    sys.argv[:] = [module] + sys.argv[3:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
