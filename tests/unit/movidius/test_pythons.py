from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from edgeage.errors import ToolchainError
from edgeage.movidius.pythons import BUILD_VARIABLE, ask, candidates, find_python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the tools are for Linux only")


@pytest.fixture(autouse=True)
def _on_a_pc(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({}, "", id="sound"),
        pytest.param({"version": [3, 6, 15]}, "", id="the oldest that does"),
        pytest.param({"version": [3, 10, 2]}, "expected CPython 3.6 to 3.9", id="too new"),
        pytest.param({"version": [2, 7, 18]}, "expected CPython 3.6 to 3.9", id="too old"),
        pytest.param({"implementation": "PyPy"}, "it is PyPy 3.9", id="another Python"),
        pytest.param({"bits": 32}, "32 bit", id="32 bit"),
        pytest.param({"platform": "linux-aarch64"}, "ARM build of OpenVINO 2022.3", id="ARM"),
        pytest.param({"platform": "macosx-11-arm64"}, "made for Linux on x86-64", id="macOS"),
        pytest.param({"glibc": None}, "musl", id="musl"),
        pytest.param({"glibc": "2.17"}, "glibc 2.17", id="old glibc"),
        # Debian keeps ensurepip in a package of its own.
        pytest.param({"missing": ["ensurepip"]}, "apt install python3.9-venv", id="no ensurepip"),
        pytest.param({"missing": ["ssl", "zlib"]}, "built without ssl, zlib", id="no ssl"),
    ],
)
def test_what_makes_a_python_unfit(changes, problem, tmp_path, fake_python):
    found = ask(fake_python(tmp_path / "python", **changes), "--python")
    assert found is not None
    assert (problem in found.problem) if problem else found.problem == ""


def test_a_real_interpreter_describes_itself():
    found = ask(Path(sys.executable), "PATH")
    assert found is not None
    assert found.version == sys.version_info[:3]
    assert "expected CPython 3.6 to 3.9" in found.problem


@pytest.mark.parametrize(
    "text",
    ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho hello\n", "#!/bin/sh\necho '{}'\n", "no program"],
    ids=["fails", "says something else", "says too little", "cannot be run"],
)
def test_what_is_no_python(text, tmp_path):
    path = tmp_path / "python3.9"
    path.write_text(text)
    path.chmod(0o755)
    assert ask(path, "PATH") is None


def _managers(home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Path, str]]:
    monkeypatch.setenv("CONDA_PREFIX", str(home / "active"))
    listed = home / ".conda" / "environments.txt"
    listed.parent.mkdir()
    listed.write_text(f"{home / 'elsewhere'}\n")
    return {
        "PATH": (home.parent / "path" / "python3.9", "PATH"),
        "plain name": (home.parent / "path" / "python3", "PATH"),
        "pyenv": (home / ".pyenv/versions/3.9.18/bin/python3.9", "pyenv"),
        "uv": (home / ".local/share/uv/python/cpython-3.9-linux/bin/python3.9", "uv"),
        "conda, active": (home / "active/bin/python3.9", "conda"),
        "conda, listed": (home / "elsewhere/bin/python3.9", "conda"),
        "conda, root": (home / "miniforge3/bin/python3.9", "conda"),
        "conda, of a root": (home / "miniconda3/envs/old/bin/python3.9", "conda"),
    }


def test_every_place_is_looked_at(home, fake_python, monkeypatch):
    places = _managers(home, monkeypatch)
    for path, _source in places.values():
        fake_python(path)
    ours = [found for found in candidates() if home.parent in found[0].parents]
    assert sorted(ours) == sorted(places.values())


@pytest.mark.parametrize(
    "place",
    ["PATH", "plain name", "pyenv", "uv", "conda, active", "conda, listed", "conda, root",
     "conda, of a root"],
)  # fmt: skip
def test_one_is_found_wherever_it_is(place, home, fake_python, monkeypatch):
    path, source = _managers(home, monkeypatch)[place]
    fake_python(path)
    found = find_python()
    assert (found.path, found.source, found.version_text) == (path, source, "3.9.18")


def test_the_places_can_be_moved(home, fake_python, monkeypatch):
    monkeypatch.setenv("PYENV_ROOT", str(home / "p"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(home / "u"))
    monkeypatch.setenv("MAMBA_ROOT_PREFIX", str(home / "m"))
    places = {
        (fake_python(home / "p/versions/3.8.1/bin/python3.8"), "pyenv"),
        (fake_python(home / "u/cpython-3.8/bin/python3.8"), "uv"),
        (fake_python(home / "m/envs/x/bin/python3.8"), "conda"),
    }
    assert places <= set(candidates())


def test_the_newest_that_does_is_taken(home, fake_python):
    versions = home / ".pyenv" / "versions"
    fake_python(versions / "3.6.15/bin/python3.6", version=[3, 6, 15])
    fake_python(versions / "3.8.2/bin/python3.8", version=[3, 8, 2])
    fake_python(versions / "3.8.18/bin/python3.8", version=[3, 8, 18])
    fake_python(versions / "3.9.1/bin/python3.9", version=[3, 9, 1], missing=["ssl"])
    assert find_python().version == (3, 8, 18)


def test_a_shim_that_has_no_such_version_is_passed_over(home, fake_python, monkeypatch):
    shims = home / ".pyenv" / "shims"
    fake_python(shims / "python3.9", version=[3, 9, 2])
    (shims / "python3.8").symlink_to("python3.9")
    (shims / "python3.9").write_text("#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n")
    fake_python(home / ".pyenv/versions/3.7.1/bin/python3.7", version=[3, 7, 1])
    monkeypatch.setenv("PATH", str(shims))
    assert find_python().version == (3, 7, 1)


def test_one_that_is_named_is_the_only_one(home, fake_python, monkeypatch, tmp_path):
    fake_python(home / ".pyenv/versions/3.9.1/bin/python3.9", version=[3, 9, 1])
    named = fake_python(tmp_path / "mine", version=[3, 7, 4])
    assert find_python(named).version == (3, 7, 4)
    monkeypatch.setenv(BUILD_VARIABLE, str(named))
    assert find_python().source == f"${BUILD_VARIABLE}"


def test_one_that_is_named_and_does_not_do_is_refused_with_the_reason(tmp_path, fake_python):
    with pytest.raises(
        ToolchainError, match=r"new \(--python\) cannot be used: it is CPython 3.12"
    ):
        find_python(fake_python(tmp_path / "new", version=[3, 12, 0]))
    with pytest.raises(ToolchainError, match="is no Python that runs"):
        find_python(tmp_path / "missing")


def test_without_any_the_message_says_how_to_get_one(home, fake_python):
    fake_python(home.parent / "path" / "python3.9", missing=["ensurepip"])
    with pytest.raises(ToolchainError) as caught:
        find_python()
    said = str(caught.value)
    assert "\n" not in said
    for part in ("uv python install 3.9", "Debian 11: «sudo apt install", "Raspberry Pi OS",
                 "ensurepip missing"):  # fmt: skip
        assert part in said


@pytest.mark.parametrize(
    ("system", "machine"),
    [("linux", "aarch64"), ("linux", "armv7l"), ("darwin", "arm64"), ("win32", "AMD64")],
)
def test_a_machine_the_tools_are_not_made_for(system, machine, monkeypatch):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(ToolchainError, match=r"ARM build of OpenVINO 2022\.3") as caught:
        find_python()
    assert machine.lower() in str(caught.value)
    assert "EDGEAGE_MOVIDIUS_PYTHON" in str(caught.value)
