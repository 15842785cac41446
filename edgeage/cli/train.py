"""``edgeage train``."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeage.cli.progress import ProgressBar
from edgeage.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from edgeage.training.joint.run import JointOptions
    from edgeage.training.logs import StepReport, TestReport


class _Talk:
    """Shows a training on stderr."""

    def __init__(self, bar: ProgressBar) -> None:
        self.bar = bar
        self._started = False

    def step(self, report: StepReport) -> None:
        """Move the bar; its rate is iterations, the note gives pictures."""
        if not self._started:
            self.bar.start_at(report.iteration - 1)
            self._started = True
        note = (
            f"loss {report.loss:.4f}, lr {report.learning_rate:.2g}, "
            f"{report.images_per_second:.0f} img/s"
        )
        self.bar.update(report.iteration, report.max_iter, note)

    def test(self, report: TestReport) -> None:
        """Print the test's figures."""
        self.bar.write(
            f"iteration {report.iteration}: test accuracy {report.accuracy:.2%} of "
            f"{report.images}, loss {report.loss:.4f}"
        )

    def snapshot(self, path: Path) -> None:
        """Name the snapshot."""
        self.bar.write(f"snapshot {path.with_suffix('').name}")


class _StopOnSignal:
    """Turns Ctrl-C and SIGTERM into a question answered between two iterations."""

    def __init__(self) -> None:
        self.stopped = False

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.stopped = True

    def __enter__(self) -> _StopOnSignal:
        self._before = {
            number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _train_joint(options: JointOptions) -> int:
    from edgeage.training.joint.run import train_joint

    with _StopOnSignal() as signals, ProgressBar(f"train {options.name}", "iter") as bar:
        models = train_joint(options, [_Talk(bar)], lambda: signals.stopped)
    if models is None:
        click.echo(f"Interrupted; go on with: edgeage train {options.name} --resume …", err=True)
        return 130
    for model in models:
        click.echo(f"{model}")
    return 0


@click.command()
@click.argument("name", metavar="agenet|gendernet|joint|edgeage-s|edgeage-xs")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="A built data set's folder."
)
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    help="Folder of snapshots, log and model.  [default: runs/NAME]",
)
@click.option(
    "--engine",
    type=click.Choice(["torch", "caffe"]),
    help="What trains.  [default: torch, or the resumed training's]",
)
@click.option(
    "--caffe-python",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="A Python that can import caffe.  [default: the Movidius toolchain's]",
)
@click.option(
    "--solver",
    type=click.Path(path_type=Path),
    help="Solver prototxt.  [default: the network's own]",
)
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    help="joint, edgeage-s, edgeage-xs: the recipe's TOML file.  [default: the released network's]",
)
@click.option("--max-iter", type=click.IntRange(min=1), help="Iterations.  [default: the solver's]")
@click.option(
    "--resume",
    is_flag=True,
    help="Go on from the newest snapshot in --out, as that training was asked to.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="Start from the layers of the same names of a caffemodel; joint, edgeage-s and "
    "edgeage-xs: from a NAME_state.npz; edgeage-s: from faceres-deep.bin.",
)
@click.option(
    "--teacher",
    metavar="MODEL",
    help="joint, edgeage-s, edgeage-xs: a network like edgeage-s whose answers are taught beside "
    "the labels; give teacher_weight too.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    help="auto: bf16 where the CPU multiplies it in hardware.  [default: auto]",
)
def command(
    name: str,
    overrides: tuple[str, ...],
    data: Path,
    out: Path | None,
    engine: str | None,
    caffe_python: Path | None,
    solver: Path | None,
    recipe: Path | None,
    max_iter: int | None,
    resume: bool,
    weights: Path | None,
    teacher: str | None,
    precision: str | None,
) -> int:
    r"""Train AgeNet or GenderNet on a data set's LMDBs, as its solver prototxt says.

    "joint" trains both together, one trunk with two last layers, as a recipe says; it is how the
    released AgeNet and GenderNet are made. "edgeage-s" and "edgeage-xs" train the compact networks
    of both tasks. KEY=VALUE changes a setting of their recipe.

    KEY=VALUE changes a solver field (base_lr=0.003, lr_policy=poly), the training data layer
    (batch_size=32, mirror=true) or the augmentation (augment.shift=0.1, augment.zoom=0.1,
    augment.rotate=10, augment.light=0.2, augment.erase=0.3).

    Ctrl-C takes a snapshot and ends; --resume goes on from there, with either engine.
    """
    from edgeage.training.joint.run import JOINT_NAMES, JointOptions
    from edgeage.training.memory import keep_memory
    from edgeage.training.run import TrainOptions, train

    keep_memory()
    out = out or Path("runs") / name
    if name in JOINT_NAMES:
        unused = {"--engine": engine, "--solver": solver, "--caffe-python": caffe_python}
        if given := [option for option, value in unused.items() if value is not None]:
            raise UsageError(f"{', '.join(given)}: not for {name}, which a recipe describes")
        words = (*overrides, *([f"iterations={max_iter}"] if max_iter else []))
        return _train_joint(
            JointOptions(
                name,
                data,
                out,
                recipe,
                resume,
                words,
                start=weights,
                teacher=teacher,
                bf16=precision == "bf16",
            )
        )
    for option, value in (("--recipe", recipe), ("--teacher", teacher)):
        if value is not None:
            raise UsageError(f"{option} is for {', '.join(JOINT_NAMES)}; {name} has a solver")
    options = TrainOptions(
        name, data, out, solver, max_iter, resume, weights, precision, overrides, engine,
        caffe_python,
    )  # fmt: skip
    with _StopOnSignal() as signals, ProgressBar(f"train {name}", "iter") as bar:
        manifest = train(options, [_Talk(bar)], lambda: signals.stopped)
    if manifest is None:
        click.echo(f"Interrupted; go on with: edgeage train {name} --resume …", err=True)
        return 130
    click.echo(f"{manifest.with_suffix('.caffemodel')}")
    return 0
