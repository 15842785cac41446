"""What each published data set looks like: one importer a module, all of one shape.

An importer goes through a source once and says of every picture what it shows or why it is left
out; it never opens a picture.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from edgeage.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from edgeage.datasets.importers.found import Importer

__all__ = ["DATASETS", "open_importer"]

_HOME_OF = {
    "utkface": "utkface",
    "imdb-wiki": "imdbwiki",
    "adience": "adience",
    "fgnet": "fgnet",
    "appa-real": "apparreal",
    "fairface": "fairface",
    "csv": "foldercsv",
    "mat": "matexport",
}

DATASETS: tuple[str, ...] = tuple(_HOME_OF)
"""The data sets there is an importer for, by the name the command line knows."""


def open_importer(name: str) -> Importer:
    """Return the importer of a data set.

    Args:
        name: one of :data:`DATASETS`.

    Raises:
        UsageError: for another name.
    """
    if name not in _HOME_OF:
        raise UsageError(
            f"unknown data set «{name}», expected {', '.join(DATASETS)}"
            f"{did_you_mean(name, DATASETS)}"
        )
    importer: Importer = importlib.import_module(f"{__name__}.{_HOME_OF[name]}").IMPORTER
    return importer
