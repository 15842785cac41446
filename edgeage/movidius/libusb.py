"""libusb without root: what PyPI's ``libusb-package`` brings, by the name the plugin asks for.

The MYRIAD plugin wants ``libusb-1.0.so.0``; the package has it as ``libusb-1.0.so``, which the
dynamic linker does not look for. A folder with a link of the right name, put into
``LD_LIBRARY_PATH``, makes up for that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from edgeage.paths import cache_dir

__all__ = ["LIBRARY", "library_folder", "link_library", "packaged_library"]

LIBRARY = "libusb-1.0.so.0"
"""The name the MYRIAD plugin asks the dynamic linker for."""

_PLACES = (
    "lib/python3*/site-packages/libusb_package/libusb-1.0.so",
    "lib64/python3*/site-packages/libusb_package/libusb-1.0.so",
    "local/lib/python3*/dist-packages/libusb_package/libusb-1.0.so",
)


def packaged_library(python: Path) -> Path | None:
    """Return the library that ``libusb-package`` put beside an interpreter, or None.

    Nothing is run; the usual places of packages are looked at, first those of the environment the
    interpreter is in, then those of the interpreter behind its links.
    """
    for home in dict.fromkeys((python.absolute().parent.parent, python.resolve().parent.parent)):
        for pattern in _PLACES:
            for found in sorted(home.glob(pattern)):
                return found
    return None


def link_library(library: Path, folder: Path) -> None:
    """Make ``folder`` and in it a link to ``library`` by the name the plugin asks for.

    Raises:
        OSError: when the folder cannot be written.
    """
    link = folder / LIBRARY
    if link.is_symlink() and link.readlink() == library:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".link-") as name:
        fresh = Path(name) / LIBRARY
        fresh.symlink_to(library)
        fresh.replace(link)


def library_folder(python: Path) -> Path | None:
    """Return a folder in which the linker finds ``libusb-1.0.so.0``, or None to go without.

    It is kept in edgeage's cache. None where the interpreter has no ``libusb-package`` (the
    system's libusb serves then, if there is one) or the cache cannot be written.

    Args:
        python: the interpreter whose packages may hold the library.
    """
    library = packaged_library(python)
    if library is None:
        return None
    key = hashlib.sha256(os.fsencode(library)).hexdigest()[:16]
    folder = cache_dir() / "libusb" / key
    with contextlib.suppress(OSError):
        link_library(library, folder)
    return folder if (folder / LIBRARY).exists() else None
