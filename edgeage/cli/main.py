"""``edgeage``: the command group, its lazy sub-commands, and how errors reach the user."""

from __future__ import annotations

import importlib
import sys
import traceback
import warnings
from typing import Any

import click

from edgeage.errors import EdgeageError, did_you_mean

__all__ = ["cli", "main"]

_COMMANDS = {
    "bench": ("bench", "Measure how fast this machine answers."),
    "compile": ("compile", "Compile trained networks for a device."),
    "dataset": ("dataset", "Build data sets and their mean from published archives."),
    "devices": ("devices", "List what can run a network here."),
    "doctor": ("doctor", "Check this machine and say how to mend it."),
    "evaluate": ("evaluate", "Score models on data sets, with intervals."),
    "infer": ("infer", "Predict age and gender of pictures."),
    "inspect": ("inspect", "Say what a file is: weights, IR, blob, mean, data set."),
    "models": ("models", "List, describe, import and calibrate models."),
    "serve": ("serve", "Serve a web page and an HTTP interface."),
    "stream": ("stream", "Follow the faces of a camera or a video."),
    "test": ("test", "Score a network on the test set."),
    "toolchain": ("toolchain", "Install, try and remove the Movidius tools."),
    "train": ("train", "Train a network."),
    "verify": ("verify", "Compare a network in every engine, layer by layer."),
}


class _LazyGroup(click.Group):
    """A group that imports a command's module only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"edgeage.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS:
            hint = did_you_mean(args[0], _COMMANDS)
            raise click.UsageError(f"no such command «{args[0]}»{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in sorted(_COMMANDS)])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="edgeage")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Age and gender on edge devices: train, compile and run AgeNet and GenderNet."""
    ctx.obj = {"debug": debug}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after ``edgeage``; None takes them from ``sys.argv``.

    Returns:
        The exit status: 0 done, 1 the work failed, 2 the call was wrong, 130 interrupted.
    """
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    # --debug is welcome anywhere, not only before the command's name.
    words = [word for word in words if word != "--debug"]
    with warnings.catch_warnings():
        # Pillow warns of damaged metadata, which says nothing about the pixels.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        try:
            result: Any = cli.main(args=words, prog_name="edgeage", standalone_mode=False)
            return result if isinstance(result, int) else 0
        except click.exceptions.Exit as request:
            return request.exit_code
        except (click.Abort, KeyboardInterrupt):
            click.echo("Interrupted.", err=True)
            return 130
        # A fault of ours: one line for the user, the traceback with --debug.
        except Exception as error:
            if debug:
                traceback.print_exc()
            return _report(error)


def _report(error: Exception) -> int:
    """Say on stderr what went wrong, in one line, and return the exit status it deserves."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, EdgeageError):
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        click.echo(f"Error: {where}{error.strerror}", err=True)
        return 1
    click.echo(
        f"Error: unexpected {type(error).__name__}: {error}; this is a defect of edgeage, "
        f"run it again with --debug to see where",
        err=True,
    )
    return 1
