"""The command group: exit codes, one clear line, and nothing imported before it is needed."""

from __future__ import annotations

import re
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any

import click
import pytest

from edgeage.cli import main as main_module
from edgeage.cli.main import main
from edgeage.errors import DatasetError, UsageError


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Put a body of the test's own in the place of ``edgeage probe``."""

    def install(body: Callable[[], Any]) -> None:
        module = types.ModuleType("edgeage.cli.probe")
        module.command = click.command("probe")(body)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "edgeage.cli.probe", module)
        monkeypatch.setitem(main_module._COMMANDS, "probe", ("probe", "Probe."))

    return install


def _raise(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


def _with_exit(code: int) -> Callable[[], None]:
    def body() -> None:
        click.get_current_context().exit(code)

    return body


@pytest.mark.parametrize(
    ("body", "exit_code", "stderr"),
    [
        pytest.param(lambda: None, 0, "", id="done"),
        pytest.param(_raise(DatasetError("no faces in x")), 1, "Error: no faces in x", id="failed"),
        pytest.param(_raise(UsageError("which one?")), 2, "Error: which one?", id="wrong call"),
        pytest.param(_raise(KeyboardInterrupt()), 130, "Interrupted.", id="Ctrl-C"),
        pytest.param(_raise(click.Abort()), 130, "Interrupted.", id="abort"),
        pytest.param(_with_exit(1), 1, "", id="exit"),
        pytest.param(
            _raise(PermissionError(13, "Permission denied", "out/x.json")),
            1,
            "Error: out/x.json: Permission denied",
            id="a file that cannot be written",
        ),
        pytest.param(
            _raise(OSError(28, "No space left on device")),
            1,
            "Error: No space left on device",
            id="disk full",
        ),
        pytest.param(
            _raise(KeyError("prob")),
            1,
            "Error: unexpected KeyError: 'prob'; this is a defect of edgeage, run it again with "
            "--debug to see where",
            id="a defect",
        ),
    ],
)
def test_exit_codes_and_the_one_line(
    body: Callable[[], None],
    exit_code: int,
    stderr: str,
    command: Callable[..., None],
    cli: Callable[..., Any],
) -> None:
    command(body)
    result = cli("probe")
    assert result.exit_code == exit_code
    assert result.stderr.strip() == stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "words", [["--debug", "probe"], ["probe", "--debug"]], ids=["before", "after"]
)
def test_debug_shows_the_traceback(
    words: list[str], command: Callable[..., None], cli: Callable[..., Any]
) -> None:
    command(_raise(DatasetError("no faces")))
    result = cli(*words)
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.rstrip().endswith("Error: no faces")


def test_a_commands_own_exit_status_is_kept(
    command: Callable[..., None], cli: Callable[..., Any]
) -> None:
    command(lambda: 1)
    assert cli("probe").exit_code == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(
            ["infr"], "no such command «infr»; did you mean «infer»?", id="misspelt command"
        ),
        pytest.param(["xyzzy"], "no such command «xyzzy»", id="unknown command"),
        pytest.param(["--bogus"], "--bogus", id="unknown option"),
        pytest.param(["infer", "--jsn"], "--json", id="misspelt option of a command"),
        pytest.param([], "Usage: edgeage", id="nothing"),
    ],
)
def test_a_wrong_call_exits_with_two(
    words: list[str], message: str, cli: Callable[..., Any]
) -> None:
    result = cli(*words)
    assert result.exit_code == 2
    assert message in result.stderr + result.stdout
    assert "Traceback" not in result.stderr


def test_help_lists_every_command(cli: Callable[..., Any]) -> None:
    result = cli("--help")
    assert result.exit_code == 0
    for name, (_, summary) in main_module._COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", result.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(main_module._COMMANDS))
def test_every_command_has_help(name: str, cli: Callable[..., Any]) -> None:
    result = cli(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: edgeage {name} ")


def test_version_is_the_packages(cli: Callable[..., Any]) -> None:
    from importlib.metadata import version

    assert version("edgeage") in cli("--version").stdout


_HEAVY = [
    *("openvino", "cv2", "torch", "keras", "tensorflow", "matplotlib", "pandas", "scipy"),
    *("skimage", "lmdb", "PIL", "google.protobuf"),
]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["infr"]], ids=" ".join)
def test_nothing_heavy_is_imported_to_talk_about_oneself(words: list[str]) -> None:
    code = (
        "import sys; from edgeage.cli.main import main; "
        f"main({words!r}); "
        f"sys.exit(', '.join(name for name in {_HEAVY!r} if name in sys.modules) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgeage", "infr"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "did you mean «infer»" in done.stderr


def test_the_words_default_to_the_process_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["edgeage", "--version"])
    assert main() == 0


def test_warnings_about_metadata_stay_out_of_the_talk(
    command: Callable[..., None], cli: Callable[..., Any]
) -> None:
    def body() -> None:
        warnings.warn_explicit("Corrupt EXIF data", UserWarning, "x.py", 1, module="PIL.Tiff")

    command(body)
    assert cli("probe").exit_code == 0


def test_other_warnings_still_reach_the_reader(
    command: Callable[..., None], cli: Callable[..., Any]
) -> None:
    def body() -> None:
        warnings.warn_explicit("all is grey", UserWarning, "x.py", 1, module="elsewhere")

    command(body)
    assert "all is grey" in cli("probe").stderr  # the test run makes an error of it
