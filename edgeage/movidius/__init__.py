"""The last Movidius tools, kept in a Python of their own, and what is done with them.

``scripts/`` holds the programs that run inside that Python (3.6 to 3.9): standard library and
numpy only, besides the tools themselves. Nothing outside ``scripts/`` imports those tools.
"""

from edgeage.movidius.jobs import run_job
from edgeage.movidius.toolchain import Toolchain, find_toolchain

__all__ = ["Toolchain", "find_toolchain", "run_job"]
