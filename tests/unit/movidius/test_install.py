"""Installing with a real pip and wheels of one line, in processes that are killed."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeage.errors import ToolchainError
from edgeage.locks import file_lock
from edgeage.movidius import install as module
from edgeage.movidius import pip
from edgeage.movidius.install import install, remove
from edgeage.movidius.installed import environments, read_installed, users_of
from edgeage.movidius.status import Check, ToolchainStatus
from edgeage.movidius.toolchain import Toolchain, find_toolchain, toolchain_dir

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the tools are for Linux only")

# An installation as the command line starts it, with the tools' trial left out, telling each step.
_PROGRAM = """
import signal
import sys
from pathlib import Path
from edgeage.movidius import install as module, pip, status
# A shell that runs the tests in the background makes them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
pip._PINS = Path(sys.argv[2])
module.check_toolchain = lambda tools: status.ToolchainStatus(tools.python)
say = lambda *words: print(*words, flush=True)
try:
    module.install(Path(sys.argv[1]), on_progress=say, say=say)
except KeyboardInterrupt:
    sys.exit(130)
"""


def make_wheel(folder: Path, name: str, version: str = "1.0", *, text: str = "") -> str:
    """Write a wheel that holds one module; return its line of the pins."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    files = {
        f"{name}.py": f"value = {text!r}\n",
        f"{name}-{version}.dist-info/METADATA": (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        ),
        f"{name}-{version}.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = ""
    for file, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest())
        record += f"{file},sha256={digest.rstrip(b'=').decode()},{len(content)}\n"
    files[f"{name}-{version}.dist-info/RECORD"] = record
    with zipfile.ZipFile(path, "w") as wheel:
        for file, content in files.items():
            wheel.writestr(file, content)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@dataclasses.dataclass(frozen=True)
class Ground:
    """A Python to install with, pins, the wheels they name, and where pip looks for them."""

    python: Path
    pins: Path
    wheels: Path


@pytest.fixture
def ground(
    home: Path, tmp_path: Path, fake_python: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Ground:
    monkeypatch.setenv("PATH", os.defpath)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wheels, pins = tmp_path / "wheels", tmp_path / "pins"
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    pins.mkdir()
    (pins / "pip.txt").write_text(make_wheel(wheels, "tinypip"))
    (pins / "tools.txt").write_text(
        make_wheel(wheels, "tinyvino") + make_wheel(wheels, "tinycaffe")
    )
    monkeypatch.setattr(pip, "_PINS", pins)
    monkeypatch.setattr(
        module, "check_toolchain", lambda tools: ToolchainStatus(tools.python, managed=True)
    )
    return Ground(fake_python(tmp_path / "python3.9"), pins, wheels)


@pytest.fixture
def stalled(monkeypatch: pytest.MonkeyPatch, ground: Ground) -> Iterator[list[socket.socket]]:
    """Let pip look for the tools in an index that takes its call and never answers."""
    server = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                held.append(server.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.getsockname()[1]}/simple")
    yield held
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for connection in held:
        connection.close()


@pytest.fixture
def start(ground: Ground) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start installations in processes of their own, which the test's end ends."""
    with contextlib.ExitStack() as started:

        def run() -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(ground.python), str(ground.pins)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield run


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def value_of(tools: Toolchain, name: str) -> str:
    done = subprocess.run(
        [tools.python, "-I", "-c", f"import {name}; print({name}.__file__)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_the_pinned_packages_are_installed_and_named(ground):
    steps: list[tuple[int, int, str]] = []
    installed = install(ground.python, on_progress=lambda *step: steps.append(step))
    tools = find_toolchain()
    assert tools == installed.toolchain
    assert tools.managed
    for name in ("tinypip", "tinyvino", "tinycaffe"):
        assert str(installed.folder) in value_of(tools, name)
    assert installed == read_installed(toolchain_dir())
    assert installed.packages == ("tinyvino", "tinycaffe")
    assert installed.python_version == "3.9.18"
    assert installed.size_bytes > 10_000
    done = [step[0] for step in steps]
    assert done == sorted(done)
    assert steps[-1] == (6, 6, "done")
    assert any("tinyvino" in note for _, _, note in steps)


def test_what_is_there_and_works_is_left_alone(ground):
    first = install(ground.python)
    said: list[str] = []
    assert install(ground.python, say=said.append) == first
    assert "already installed" in said[0]
    assert install(ground.python, force=True).folder != first.folder
    assert len(environments(toolchain_dir())) == 1


def test_new_pins_another_python_or_damage_install_again(ground, fake_python, monkeypatch):
    first = install(ground.python)
    other = install(fake_python(ground.python.with_name("other"), version=[3, 7, 9]))
    assert (other.python_version, other.folder) != (first.python_version, first.folder)
    with (ground.pins / "tools.txt").open("a") as stream:
        stream.write(make_wheel(ground.wheels, "tinymore"))
    third = install(ground.python)
    assert "tinymore" in third.packages
    broken = ToolchainStatus(None)
    answers = iter([broken, ToolchainStatus(third.toolchain.python)])
    monkeypatch.setattr(module, "check_toolchain", lambda tools: next(answers))
    assert install(ground.python).folder != third.folder


def test_a_wheel_that_is_not_the_pinned_one_is_refused(ground):
    make_wheel(ground.wheels, "tinycaffe", text="changed on the way")
    with pytest.raises(ToolchainError, match="is not the file that was pinned") as caught:
        install(ground.python)
    assert "\n" not in str(caught.value)
    assert environments(toolchain_dir()) == []


def test_a_failed_installation_leaves_the_former_one_in_use(ground):
    first = install(ground.python)
    make_wheel(ground.wheels, "tinyvino", text="changed on the way")
    with pytest.raises(ToolchainError):
        install(ground.python, force=True)
    assert find_toolchain() == first.toolchain
    assert environments(toolchain_dir()) == [first.folder]
    assert value_of(find_toolchain(), "tinyvino")


def test_tools_that_do_not_work_are_not_kept(ground, monkeypatch):
    monkeypatch.setattr(
        module,
        "check_toolchain",
        lambda tools: ToolchainStatus(tools.python, checks=(Check("cpu", False, "no plugin"),)),
    )
    with pytest.raises(ToolchainError, match="do not work.*cpu: no plugin"):
        install(ground.python)
    assert environments(toolchain_dir()) == []


def test_a_python_that_cannot_make_an_environment(ground):
    text = ground.python.read_text()
    ground.python.write_text(text.replace("*) exec", "*) echo no room for venv; exit 3; exec"))
    with pytest.raises(ToolchainError, match=r"cannot make an environment.*no room for venv"):
        install(ground.python)


def test_no_network_is_one_line(ground, monkeypatch):
    shutil.rmtree(ground.wheels)
    ground.wheels.mkdir()
    monkeypatch.delenv("PIP_NO_INDEX")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ToolchainError, match="no package index could be reached") as caught:
        install(ground.python)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["OSError: [Errno 28] No space left on device", "ERROR: No matching distribution found "],
         "the disk is full"),
        (["ERROR: No matching distribution found for numpy==1.19.5"], "has no numpy==1.19.5 for"),
        (["Collecting x", "ERROR: something of pip's own", "bye"], "something of pip's own"),
        ([], "it said nothing"),
    ],
    ids=["disk full", "not in the index", "anything else", "nothing"],
)  # fmt: skip
def test_what_pip_says_becomes_one_line(said, expected):
    assert expected in pip._reason(said)


def test_a_disk_too_full_is_told_before_anything_is_made(ground, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=200_000_000)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        ToolchainError, match=r"is full \(200 MB free\).*need 700 MB.*EDGEAGE_CACHE"
    ):
        install(ground.python)
    assert environments(toolchain_dir()) == []


def test_a_cache_that_cannot_be_written(ground, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ToolchainError, match="set EDGEAGE_CACHE to a folder that can be written"):
        install(ground.python)


def test_a_killed_installation_ends_pip_and_is_swept_up_by_the_next(
    ground, start, stalled, monkeypatch
):
    process = start()
    until(lambda: bool(stalled), "pip never asked the index")
    (folder,) = environments(toolchain_dir())
    assert len(users_of(folder)) == 1
    process.kill()
    process.wait()
    until(lambda: users_of(folder) == [], "pip outlived what started it")
    with pytest.raises(ToolchainError, match="not installed"):
        find_toolchain()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    installed = install(ground.python)
    assert environments(toolchain_dir()) == [installed.folder]


def test_an_interrupted_installation_leaves_nothing(ground, start, stalled):
    process = start()
    until(lambda: bool(stalled), "pip never asked the index")
    (folder,) = environments(toolchain_dir())
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert users_of(folder) == []
    assert environments(toolchain_dir()) == []


def test_two_at_once_make_one_installation(start):
    both = [start(), start()]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("already installed" in text for text in said) == 1
    assert sum("waiting for it to end" in text for text in said) == 1
    assert environments(toolchain_dir()) == [read_installed(toolchain_dir()).folder]


def test_remove_frees_what_was_made_and_what_was_left(ground):
    installed = install(ground.python)
    (toolchain_dir() / "env-left").mkdir()
    (toolchain_dir() / "env-left" / "file").write_bytes(bytes(100_000))
    removed = remove()
    assert removed.folders == 2
    assert removed.freed_bytes >= installed.size_bytes + 100_000
    assert not toolchain_dir().exists()
    assert remove().folders == 0


def test_remove_leaves_what_is_not_ours(ground, tmp_path):
    install(ground.python)
    (tmp_path / "precious").mkdir()
    (toolchain_dir() / "notes.txt").touch()
    (toolchain_dir() / "env-link").symlink_to(tmp_path / "precious")
    assert remove().folders == 1
    assert (tmp_path / "precious").is_dir()
    assert (toolchain_dir() / "notes.txt").exists()


def test_remove_waits_neither_for_an_installation_nor_for_a_worker(ground):
    installed = install(ground.python)
    with (
        file_lock(toolchain_dir() / ".lock"),
        pytest.raises(ToolchainError, match="is going on; wait for it to end"),
    ):
        remove()
    # Without a shell in between, as a worker is started.
    process = subprocess.Popen(
        [installed.toolchain.python, "-I", "-c", "input()"], stdin=subprocess.PIPE
    )
    try:
        until(lambda: users_of(installed.folder) == [process.pid], "it never started")
        with pytest.raises(ToolchainError, match=f"in use by process {process.pid}"):
            remove()
    finally:
        process.communicate(b"\n")
    assert find_toolchain() == installed.toolchain
    assert remove().folders == 1


def test_a_record_of_another_version_is_no_record(ground):
    install(ground.python)
    path = toolchain_dir() / "installed.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "more": 1}))
    assert read_installed(toolchain_dir()) is None
