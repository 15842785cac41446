"""``edgeage train``."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeage.cli.progress import ProgressBar
from edgeage.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import FrameType, TracebackType

    from edgeage.training.joint.run import JointOptions
    from edgeage.training.logs import Reporter, StepReport, TestReport
    from edgeage.training.zoo.run import ZooOptions


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
        more = "" if report.mae_years is None else f", age off by {report.mae_years:.2f} years"
        more += "" if report.gender is None else f", gender {report.gender:.2%}"
        self.bar.write(
            f"iteration {report.iteration}: test accuracy {report.accuracy:.2%} of "
            f"{report.images}, loss {report.loss:.4f}{more}"
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


def _is_zoo(name: str, others: Collection[str]) -> bool:
    """Return whether a network of the zoo is meant; without Keras only its own names are known."""
    from edgeage.zoo import NETWORKS
    from edgeage.zoo.networks import is_zoo_name

    if name in NETWORKS or name in others:
        return name in NETWORKS
    if importlib.util.find_spec("keras") and is_zoo_name(name):
        return True
    names = (*others, *NETWORKS)
    raise UsageError(
        f"unknown network «{name}»{did_you_mean(name, names)}; expected one of "
        f"{', '.join(names)} or a builder of keras.applications, in lower case"
    )


def _refuse(options: Mapping[str, object], why: str) -> None:
    if given := [option for option, value in options.items() if value is not None]:
        raise UsageError(f"{', '.join(given)}: not for {why}")


def _check_engine(name: str, engine: str | None, engines: Sequence[str]) -> None:
    if engine not in (None, *engines):
        raise UsageError(f"--engine {engine}: {name} is trained by {' or '.join(engines)}")


def _train_zoo(options: ZooOptions, folds: int | None) -> int:
    from edgeage.training.zoo.folds import FIGURES, train_folds
    from edgeage.training.zoo.run import train_zoo

    with _StopOnSignal() as signals, ProgressBar(f"train {options.name}", "iter") as bar:
        told: list[Reporter] = [_Talk(bar)]
        if folds is None:
            model = train_zoo(options, told, lambda: signals.stopped)
            lines = None if model is None else [f"{model}"]
        else:
            found = train_folds(options, folds, told, lambda: signals.stopped)
            lines = None if found is None else [
                f"{name} {found['mean'][name]:.4f} ± {found['sd'][name]:.4f}"
                for name in FIGURES if name in found["mean"]
            ]  # fmt: skip
    if lines is None:
        click.echo(f"Interrupted; go on with: edgeage train {options.name} --resume …", err=True)
        return 130
    for line in lines:
        click.echo(line)
    return 0


@click.command()
@click.argument("name", metavar="NETWORK")
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
    type=click.Choice(["torch", "caffe", "keras"]),
    help="What trains: torch or caffe agenet and gendernet, torch joint and the compact networks, "
    "keras the zoo.  [default: torch, or the resumed training's; keras for the zoo]",
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
    help="joint, edgeage-s, edgeage-xs and the zoo: the recipe's TOML file.  "
    "[default: the network's own]",
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
    "edgeage-xs: from a NAME_state.npz; joint: from an agenet.caffemodel with its "
    "gendernet.caffemodel beside it; edgeage-s: from faceres-deep.bin; the zoo: from a .keras, "
    ".weights.h5 or Keras 2's .h5.",
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
    help="auto: bf16 where the CPU multiplies it in hardware.  [default: auto; with --resume the "
    "training's own]",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    help="The zoo: train so many times, each time with another part of the faces held back.",
)
@click.option(
    "--track",
    "trackers",
    multiple=True,
    metavar="wandb|mlflow",
    help="The zoo: report there too; may be given twice.",
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
    folds: int | None,
    trackers: tuple[str, ...],
) -> int:
    r"""Train a network on a data set's LMDBs.

    NETWORK is agenet or gendernet, trained as its solver prototxt says; joint; edgeage-s;
    edgeage-xs; or one of the zoo's: ssrnet, ssrnet-gender, ssrnet-joint, mobilenetv2, inceptionv3,
    efficientnetb0 to b7, generation, wrn-16-8, or any builder of keras.applications, in lower case.

    "joint" trains both together, one trunk with two last layers, as a recipe says; it is how the
    released AgeNet and GenderNet are made. "edgeage-s" and "edgeage-xs" train the compact networks
    of both tasks. KEY=VALUE changes a setting of their recipe.

    The zoo's networks are trained by a recipe too (docs/zoo.md): KEY=VALUE changes a setting
    (epochs=20, optimizer=sgd, mixup=0.2, augment.erase=0.3) or an option of the network (size=96,
    head=groups, weights=none). The model goes into OUT/model.

    For agenet and gendernet KEY=VALUE changes a solver field (base_lr=0.003, lr_policy=poly), the
    training data layer (batch_size=32, mirror=true) or the augmentation (augment.shift=0.1,
    augment.zoom=0.1, augment.rotate=10, augment.light=0.2, augment.erase=0.3).

    Ctrl-C takes a snapshot and ends; --resume goes on from there, with either engine.
    """
    from edgeage.memory import keep_memory
    from edgeage.training.engine import ENGINES
    from edgeage.training.joint.run import JOINT_NAMES, JointOptions
    from edgeage.training.product import NETWORKS
    from edgeage.training.run import TrainOptions, train

    keep_memory()
    out = out or Path("runs") / name
    caffe_alone: dict[str, object] = {"--solver": solver, "--caffe-python": caffe_python}
    if _is_zoo(name, (*NETWORKS, *JOINT_NAMES)):
        from edgeage.training.zoo.run import ZooOptions

        more = {
            **caffe_alone,
            "--max-iter": max_iter,
            "--precision": precision,
            "--teacher": teacher,
        }
        _refuse(more, f"{name}, which a recipe describes")
        _check_engine(name, engine, ("keras",))
        return _train_zoo(
            ZooOptions(name, data, out, recipe, resume, overrides, weights, trackers), folds
        )
    _refuse({"--folds": folds, "--track": trackers or None}, f"{name}; it is for the zoo")
    if name in JOINT_NAMES:
        _refuse(caffe_alone, f"{name}, which a recipe describes")
        _check_engine(name, engine, ("torch",))
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
                precision=precision,
            )
        )
    _refuse({"--recipe": recipe, "--teacher": teacher}, f"{name}, which has a solver")
    _check_engine(name, engine, ENGINES)
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
