"""The machine as its files show it: sysfs, device nodes, groups, container or not.

Everything is read below a root, so a copy of these folders stands in for another machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Machine", "open_error", "user_groups"]

_HYPERVISORS = {
    "virtualbox": "VirtualBox",
    "vmware": "VMware",
    "qemu": "QEMU",
    "kvm": "KVM",
    "parallels": "Parallels",
    "virtual machine": "Hyper-V",
    "xen": "Xen",
}
_RUNTIMES = ("docker", "podman", "lxc", "kubepods", "containerd")


def open_error(node: Path) -> int | None:
    """Try to open a device node as libusb does, for reading and writing.

    Opening is the only test that is right everywhere: a container may refuse a node whose
    permissions allow it.

    Returns:
        None when it opens, or else the ``errno`` it fails with.
    """
    try:
        os.close(os.open(node, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        return error.errno
    return None


def user_groups() -> tuple[str, ...]:
    """Return the names of the groups this process is in, sorted; empty where there are none."""
    if sys.platform == "win32":
        return ()
    import grp

    names = set()
    for number in {os.getgid(), os.getegid(), *os.getgroups()}:
        with contextlib.suppress(KeyError):
            names.add(grp.getgrgid(number).gr_name)
    return tuple(sorted(names))


@dataclasses.dataclass(frozen=True)
class Machine:
    """Where to look, and how to try.

    Attributes:
        root: the folder that stands for ``/``.
        platform: ``sys.platform`` of the machine.
        open_error: tries to open a device node; None for success, or the ``errno``.
        groups: the groups this user is in.
        is_root: whether this user is root.
    """

    root: Path = Path("/")
    platform: str = sys.platform
    open_error: Callable[[Path], int | None] = open_error
    groups: tuple[str, ...] = dataclasses.field(default_factory=user_groups)
    is_root: bool = dataclasses.field(default_factory=lambda: _user_id() == 0)

    @property
    def shows_usb(self) -> bool:
        """Whether this system lists its USB devices in files, as Linux does."""
        return self.platform == "linux"

    def path(self, name: str) -> Path:
        """Return where an absolute path, given without its first slash, is on this machine."""
        return self.root / name

    def text(self, path: Path) -> str | None:
        """Return a small file's first line, or None when it cannot be read.

        Sysfs gives one value a file; a device that goes away while it is looked at makes reading
        fail with errors of several kinds.
        """
        try:
            with path.open("rb") as stream:
                content = stream.read(4096)
        except OSError:
            return None
        line = content.replace(b"\0", b"").split(b"\n")[0]
        return line.decode("utf-8", "replace").strip()

    def exists(self, path: Path) -> bool:
        """Whether something is there that this user can look at."""
        try:
            path.stat()
        except OSError:
            return False
        return True

    def entries(self, path: Path) -> list[Path]:
        """Return a folder's entries, sorted by name; empty when it cannot be read."""
        try:
            return sorted(path.iterdir())
        except OSError:
            return []

    def container(self) -> str | None:
        """Name the kind of container this is, or return None."""
        for name, kind in ((".dockerenv", "docker"), ("run/.containerenv", "podman")):
            if self.exists(self.path(name)):
                return kind
        if named := self.text(self.path("run/systemd/container")):
            return named
        groups = self.text(self.path("proc/1/cgroup")) or ""
        return next((kind for kind in _RUNTIMES if kind in groups), None)

    def hypervisor(self) -> str | None:
        """Name what this virtual machine runs on, or return None for a real one."""
        version = (self.text(self.path("proc/version")) or "").lower()
        if "microsoft" in version:
            return "WSL"
        for name in ("sys_vendor", "product_name"):
            found = (self.text(self.path("sys/class/dmi/id") / name) or "").lower()
            for word, title in _HYPERVISORS.items():
                if word in found:
                    return title
        return None

    def holders(self, node: Path) -> Iterator[tuple[int, str]]:
        """Yield id and name of the processes that have a file open.

        Only root sees other users' processes; for anybody else the list may be short.
        """
        for process in self.entries(self.path("proc")):
            if not process.name.isdigit():
                continue
            for handle in self.entries(process / "fd"):
                if _target(handle) == str(node):
                    yield int(process.name), self.text(process / "comm") or "?"
                    break


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _user_id() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else -1
