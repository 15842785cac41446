"""Whether the Movidius tools work: each thing they are for is tried, not guessed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from edgeage.errors import ToolchainError
from edgeage.movidius.installed import read_installed
from edgeage.movidius.jobs import run_job
from edgeage.movidius.toolchain import PYTHON_VARIABLE, Toolchain, find_toolchain, toolchain_dir

if TYPE_CHECKING:
    from pathlib import Path

    from edgeage.movidius.installed import Installed

__all__ = ["Check", "ToolchainStatus", "check_toolchain", "toolchain_status"]

_INSTALL = "edgeage toolchain install"
_REINSTALL = "edgeage toolchain install --force"
_PROBE_SECONDS = 120.0
_WANTED = "2021.4"


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that was tried.

    Attributes:
        name: what: ``"openvino"``, ``"myriad_plugin"``, ``"cpu"``, ``"blob"`` or ``"caffe"``.
        ok: whether it works.
        detail: a version, or why it does not work.
        remedy: the command or step that mends it; empty when it works.
        needed: whether the toolchain counts as not working without it.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    needed: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class ToolchainStatus:
    """What there is of the Movidius tools and whether it works.

    Attributes:
        python: their interpreter; None when there are no tools.
        managed: whether «edgeage toolchain install» made it.
        installed: what that installation left on record; None for a Python of the user's own.
        devices: the devices the tools' OpenVINO sees.
        checks: what was tried.
        problem: why there are no tools at all; empty when there are.
    """

    python: Path | None
    managed: bool = False
    installed: Installed | None = None
    devices: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    problem: str = ""

    @property
    def present(self) -> bool:
        """Whether there are tools to try."""
        return self.python is not None

    @property
    def works(self) -> bool:
        """Whether all that is needed works."""
        return self.present and all(check.ok for check in self.checks if check.needed)

    @property
    def remedies(self) -> tuple[str, ...]:
        """The commands or steps that mend what does not work, each once."""
        if not self.present:
            return (_INSTALL,)
        wanting = [check.remedy for check in self.checks if not check.ok and check.remedy]
        return tuple(dict.fromkeys(wanting))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and what follows from them, ready for JSON."""
        return {
            "present": self.present,
            "works": self.works,
            "managed": self.managed,
            "python": None if self.python is None else str(self.python),
            "installed": None if self.installed is None else self.installed.to_dict(),
            "devices": list(self.devices),
            "checks": [check.to_dict() for check in self.checks],
            "problem": self.problem,
            "remedies": list(self.remedies),
        }


def toolchain_status(python: Path | None = None) -> ToolchainStatus:
    """Find the Movidius tools and try them; takes some seconds.

    Args:
        python: an interpreter that has them; None takes ``$EDGEAGE_MOVIDIUS_PYTHON`` or the
            installation in the user's cache.
    """
    try:
        toolchain = find_toolchain(python)
    except ToolchainError as error:
        return ToolchainStatus(None, problem=str(error))
    return check_toolchain(
        toolchain, read_installed(toolchain_dir()) if toolchain.managed else None
    )


def check_toolchain(toolchain: Toolchain, installed: Installed | None = None) -> ToolchainStatus:
    """Try each thing the tools are for: OpenVINO, its plugins, an offline blob, Caffe."""
    devices, checks = _openvino(toolchain)
    checks.append(_caffe(toolchain))
    return ToolchainStatus(
        toolchain.python,
        managed=toolchain.managed,
        installed=installed,
        devices=devices,
        checks=tuple(checks),
    )


def _openvino(toolchain: Toolchain) -> tuple[tuple[str, ...], list[Check]]:
    mend = _mend(toolchain, "an OpenVINO with the MYRIAD plugin (2021.4 wheels, 2022.3 archives)")
    try:
        said, _ = run_job(toolchain, "probe", {"what": "openvino"}, timeout_s=_PROBE_SECONDS)
    except ToolchainError as error:
        return (), [Check("openvino", False, str(error), mend)]
    version = str(said["version"])
    right = version.startswith(_WANTED) or not toolchain.managed
    checks = [
        Check("openvino", right, version, "" if right else mend),
        _tried("myriad_plugin", said["myriad_plugin"], mend),
        # Only these compile a blob with no stick; to run one on a stick neither is needed.
        _tried("cpu", said["cpu"], mend, needed=toolchain.managed),
        _tried("blob", said["blob"], mend, needed=toolchain.managed),
    ]
    return tuple(said["devices"]), checks


def _tried(name: str, said: dict[str, Any], mend: str, *, needed: bool = True) -> Check:
    detail, ok = str(said["detail"]), bool(said["ok"])
    if "libusb" in detail and not ok:
        mend = f"sudo apt install libusb-1.0-0, or: {mend}"
    return Check(name, ok, detail, "" if ok else mend, needed)


def _caffe(toolchain: Toolchain) -> Check:
    mend = _mend(toolchain, "Caffe (only «edgeage train --engine caffe» and «verify» need it)")
    try:
        said, _ = run_job(toolchain, "probe", {"what": "caffe"}, timeout_s=_PROBE_SECONDS)
    except ToolchainError as error:
        return Check("caffe", False, str(error), mend, needed=toolchain.managed)
    if lacks := said["missing_layers"]:
        detail = f"{said['version']}, without the layers {', '.join(lacks)}"
        return Check("caffe", False, detail, mend, needed=toolchain.managed)
    return Check("caffe", True, str(said["version"]), needed=toolchain.managed)


def _mend(toolchain: Toolchain, what: str) -> str:
    if toolchain.managed:
        return _REINSTALL
    return (
        f"give {toolchain.python} {what}, or unset {PYTHON_VARIABLE} and run: edgeage toolchain "
        f"install"
    )
