"""Compile an IR into a blob for a Myriad X with the toolchain's Python; no stick is needed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.errors import ModelError, ToolchainError, UsageError
from edgeage.movidius.blob import BlobInfo, read_blob
from edgeage.movidius.jobs import run_job
from edgeage.paths import atomic_file, cache_dir, sha256_file

if TYPE_CHECKING:
    from edgeage.movidius.toolchain import Toolchain

__all__ = ["MOST_CMX_SLICES", "MOST_SHAVES", "BlobOptions", "compile_blob", "compiler_version"]

MOST_SHAVES, MOST_CMX_SLICES = 16, 19
"""What a Myriad X has for networks."""

_SLICES_OF_TWO = 9
"""Most CMX slices either of two requests at a time can have; SHAVEs follow, 8 of 16."""

_HINTS = {
    "libusb": "; repair it with: edgeage toolchain install",
    "missing": "; repair it with: edgeage toolchain install",
    "no-plugin": "; OpenVINO 2021.4 has it, which «edgeage toolchain install» installs",
    "memory": "; try other --shaves and --cmx-slices, or --no-hw",
}
_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class BlobOptions:
    """How to compile a blob.

    Attributes:
        shaves: vector processors (SHAVEs) it may use, 1 to 16; None leaves them and the slices
            to the compiler.
        cmx_slices: slices of 128 kB of on-chip memory, 1 to 19, no fewer than SHAVEs; None with
            ``shaves`` takes as many as SHAVEs.
        hw: use the hardware accelerator for convolutions.
        output: ``"FP32"`` or ``"FP16"``: how the answer's numbers are written.

    Raises:
        ValueError: for a number out of its range, slices without SHAVEs or fewer than those.
    """

    shaves: int | None = None
    cmx_slices: int | None = None
    hw: bool = True
    output: str = "FP32"

    def __post_init__(self) -> None:
        if self.shaves is not None and self.cmx_slices is None:
            object.__setattr__(self, "cmx_slices", self.shaves)
        for name, value, most in (
            ("shaves", self.shaves, MOST_SHAVES),
            ("cmx_slices", self.cmx_slices, MOST_CMX_SLICES),
        ):
            if value is not None and not 1 <= value <= most:
                raise ValueError(f"expected {name} from 1 to {most}, got {value}")
        if self.cmx_slices is not None and self.shaves is None:
            raise ValueError("cmx_slices go together with shaves; give both")
        if self.shaves and self.cmx_slices and self.cmx_slices < self.shaves:
            raise ValueError(
                f"expected at least as many cmx_slices as shaves, got {self.cmx_slices} for "
                f"{self.shaves}"
            )
        if self.output not in ("FP32", "FP16"):
            raise ValueError(f"expected output FP32 or FP16, got {self.output}")

    def chosen(
        self,
        shaves: int | None = None,
        cmx_slices: int | None = None,
        hw: bool | None = None,
    ) -> BlobOptions:
        """Return a copy with the user's choices; None keeps what is there.

        Raises:
            UsageError: for a number out of range, or slices without SHAVEs.
        """
        given: dict[str, Any] = {}
        if shaves is not None:
            given = {"shaves": shaves, "cmx_slices": None}
        if cmx_slices is not None:
            given["cmx_slices"] = cmx_slices
        if hw is not None:
            given["hw"] = hw
        try:
            return dataclasses.replace(self, **given)
        except ValueError as error:
            raise UsageError(str(error)) from None

    def config(self) -> dict[str, str]:
        """Return the settings of OpenVINO's MYRIAD plugin.

        It makes room for two requests at a time; with more than half the chip only one fits.
        """
        config = {
            "VPU_MYRIAD_PLATFORM": "VPU_MYRIAD_2480",
            "MYRIAD_ENABLE_HW_ACCELERATION": "YES" if self.hw else "NO",
        }
        if self.shaves is not None and self.cmx_slices is not None:
            config["MYRIAD_NUMBER_OF_SHAVES"] = str(self.shaves)
            config["MYRIAD_NUMBER_OF_CMX_SLICES"] = str(self.cmx_slices)
            if self.shaves > MOST_SHAVES // 2 or self.cmx_slices > _SLICES_OF_TWO:
                config["MYRIAD_THROUGHPUT_STREAMS"] = "1"
        return config


def compiler_version(toolchain: Toolchain) -> str:
    """Return the version of the OpenVINO that compiles blobs.

    Raises:
        ToolchainError: when the toolchain does not work.
    """
    return str(_job(toolchain, {"version": True})["version"])


def compile_blob(
    toolchain: Toolchain, xml: Path, weights: Path, options: BlobOptions, place: Path
) -> BlobInfo:
    """Compile an IR into a blob, or take the one compiled from the same before.

    Blobs are kept in ``cache_dir() / "blobs"`` by the hash of IR, options and compiler.

    Args:
        toolchain: whose compiler to use.
        xml: the IR's structure; its only input is of bytes.
        weights: the IR's ``.bin``.
        options: how.
        place: where the blob goes, whole or not at all.

    Returns:
        The blob's header.

    Raises:
        ToolchainError: when the toolchain does not work or cannot compile the network.
        ModelError: when what it made is no blob.
    """
    key = _key(xml, weights, options, compiler_version(toolchain))
    found = _cached(key)
    if found is not None:
        _LOGGER.info("The blob was compiled before; taking it from %s", found)
        with atomic_file(place) as temporary:
            shutil.copyfile(found, temporary)
        return read_blob(place)
    _LOGGER.info("Compiling %s for the Myriad X with %s", xml.name, toolchain.python)
    with atomic_file(place) as temporary:
        request = {
            "xml": str(xml.resolve()),
            "bin": str(weights.resolve()),
            "output": str(temporary.resolve()),
            "config": options.config(),
            "output_precision": options.output,
        }
        _job(toolchain, request)
        read_blob(temporary)
    info = read_blob(place)
    _keep(place, key, info.sha256)
    return info


def _job(toolchain: Toolchain, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return run_job(toolchain, "compile_blob", request)[0]
    except ToolchainError as error:
        raise ToolchainError(f"{error}{_HINTS.get(error.kind, '')}", kind=error.kind) from None


def _key(xml: Path, weights: Path, options: BlobOptions, compiler: str) -> str:
    told = json.dumps([options.config(), options.output, compiler], sort_keys=True)
    parts = (sha256_file(xml), sha256_file(weights), told)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _folder() -> Path:
    return cache_dir() / "blobs"


def _cached(key: str) -> Path | None:
    """Return the sound blob of a key: its file's name holds the hash of its bytes."""
    for path in _folder().glob(f"{key}.*.blob"):
        try:
            if read_blob(path).sha256 == path.name.split(".")[1]:
                return path
        except ModelError:
            continue
    return None


def _keep(place: Path, key: str, digest: str) -> None:
    """Put a copy into the cache; without a writable cache the blob is compiled again next time."""
    try:
        _folder().mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=_folder(), suffix=".part")
        os.close(handle)
        temporary = Path(name)
        try:
            shutil.copyfile(place, temporary)
            temporary.replace(_folder() / f"{key}.{digest}.blob")
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        _LOGGER.info("The cache %s cannot be written (%s).", _folder(), error.strerror)
