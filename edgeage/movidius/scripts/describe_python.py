"""Say as one line of JSON what this Python is and what of the standard library it lacks.

Runs on any Python, even one far too old, with the standard library.
"""

import json
import os
import platform
import struct
import sys
import sysconfig

# ensurepip is what Debian keeps in a package of its own; the others are what a Python built
# without their headers lacks, and pip cannot do without.
NEEDED = ("venv", "ensurepip", "ssl", "zlib", "ctypes")


def missing_modules():
    """Return the names of the modules needed that cannot be imported."""
    missing = []
    for name in NEEDED:
        try:
            __import__(name)
        except ImportError:
            missing.append(name)
    return missing


def glibc():
    """Return the version of glibc, or None where the C library is another."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (AttributeError, ValueError, OSError):
        return None
    return version if name == "glibc" else None


if __name__ == "__main__":
    print(  # noqa: T201
        json.dumps(
            {
                "executable": sys.executable,
                "version": list(sys.version_info[:3]),
                "implementation": platform.python_implementation(),
                "bits": 8 * struct.calcsize("P"),
                "platform": sysconfig.get_platform(),
                "glibc": glibc(),
                "missing": missing_modules(),
            }
        )
    )
