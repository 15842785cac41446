"""Checks of what every device needs: Python, edgeage's packages, OpenVINO, the models."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from edgeage.doctor.finding import OK, PROBLEM, WARNING, Finding
from edgeage.errors import EdgeageError
from edgeage.paths import cache_dir
from edgeage.runtime.inventory import list_openvino_devices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["check_cache", "check_models", "check_openvino", "check_packages", "check_python"]

_MODULES = {"opencv-python": "cv2", "pillow": "PIL", "protobuf": "google.protobuf"}
_REINSTALL = "python -m pip install --force-reinstall edgeage"


def check_python() -> Finding:
    """Check the version of Python and that it has 64 bits."""
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.maxsize < 2**32:
        return Finding(
            "Python",
            WARNING,
            f"{text}, 32 bits: OpenVINO has no packages for it",
            "# install a 64-bit system; on a Raspberry Pi: Raspberry Pi OS (64-bit)",
        )
    return Finding("Python", OK, text)


def check_packages() -> Finding:
    """Check that the packages edgeage cannot do without are installed, in versions that will do."""
    try:
        own, wanted = version("edgeage"), _required()
    except PackageNotFoundError:
        return Finding(
            "edgeage", WARNING, "runs from a folder it is not installed from", "pip install -e ."
        )
    found: list[str] = []
    wrong: dict[str, str] = {}
    for name, requirement in wanted.items():
        try:
            number = version(name)
        except PackageNotFoundError:
            # For example opencv-python-headless instead of opencv-python.
            if find_spec(_MODULES.get(name, name)) is not None:
                found.append(name)
            else:
                wrong[name] = f"{name} is missing"
            continue
        if requirement.specifier.contains(number, prereleases=True):
            found.append(f"{name} {number}")
        else:
            wrong[name] = f"{name} is {number}, expected {requirement.specifier}"
    if wrong:
        words = (shlex.quote(f"{name}{wanted[name].specifier}") for name in wrong)
        return Finding(
            "edgeage",
            PROBLEM,
            f"{own}; {'; '.join(wrong.values())}",
            f"python -m pip install {' '.join(words)}",
        )
    return Finding("edgeage", OK, f"{own} with {', '.join(found)}")


def _required() -> dict[str, Requirement]:
    """Return what this Python needs for edgeage without extras, by name."""
    every = map(Requirement, requires("edgeage") or ())
    without_extras = {"extra": ""}
    return {one.name: one for one in every if not one.marker or one.marker.evaluate(without_extras)}


def check_openvino() -> Finding:
    """Check that OpenVINO loads and finds a device."""
    devices, problem = list_openvino_devices()
    if problem or not devices:
        return Finding(
            "OpenVINO",
            PROBLEM,
            problem or "loads, but finds no device, not even the CPU",
            f"{_REINSTALL} openvino",
        )
    import openvino as ov

    names = ", ".join(f"{device.use_as[0]} ({device.name})" for device in devices)
    return Finding("OpenVINO", OK, f"{ov.__version__.split('-')[0]}; devices: {names}")


def check_models() -> Finding:
    """Check that the released models are there and are what their manifests say."""
    from edgeage.compiler import find_model
    from edgeage.compiler.sources import RELEASED
    from edgeage.manifest import Manifest
    from edgeage.modelfiles import has_weights, ready_models

    try:
        for name in RELEASED:
            find_model(name)
        own = [m for path in ready_models().values() if has_weights(m := Manifest.read(path))]
        for manifest in own:
            for role in manifest.files:
                manifest.file(role)
    except EdgeageError as error:
        return Finding("models", PROBLEM, str(error), _REINSTALL)
    names = ", ".join([*RELEASED, *(manifest.name for manifest in own)])
    return Finding("models", OK, f"there and unchanged: {names}")


def check_cache() -> Finding:
    """Check that compiled models can be kept, and that those kept are whole."""
    folder = cache_dir()
    if not _writable(folder):
        return Finding(
            "cache",
            WARNING,
            f"{folder} cannot be written: models are compiled anew each time",
            f'sudo chown -R "$USER" {shlex.quote(str(folder))}\n'
            f"# or choose another folder: export EDGEAGE_CACHE=/path/to/it",
        )
    models = sorted((folder / "models").glob("*/*/model.json"))
    damaged = [path.parent for path in models if _is_damaged(path)]
    if damaged:
        return Finding(
            "cache",
            WARNING,
            f"damaged compiled models in {folder / 'models'}: {len(damaged)}",
            "\n".join(f"rm -r {shlex.quote(str(path))}" for path in damaged),
        )
    return Finding("cache", OK, f"{folder}: {len(models)} compiled models, all whole")


def _is_damaged(path: Path) -> bool:
    from edgeage.manifest import Manifest

    try:
        manifest = Manifest.read(path)
        for role in manifest.files:
            manifest.file(role)
    except EdgeageError:
        return True
    return False


def _writable(folder: Path) -> bool:
    """Whether a folder can be written, or be made where it is not there."""
    nearest = next(_existing(folder))
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _existing(folder: Path) -> Iterator[Path]:
    for path in (folder, *folder.parents):
        if path.exists():
            yield path
