"""``edgeage infer``: predict age and gender of pictures."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeage.cli.talk import talk
from edgeage.errors import ImageError, UsageError
from edgeage.movidius.toolchain import PYTHON_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgeage.faceresult import Face, PictureResult
    from edgeage.predictor import Predictor

__all__ = ["command", "face_line"]

_CHUNK = 32
_PATH = click.Path(path_type=Path)


@click.command("infer")
@click.argument("paths", nargs=-1, type=_PATH)
@click.option(
    "--image",
    "images",
    multiple=True,
    type=_PATH,
    help="A picture or a folder of pictures; may be given several times.",
)
@click.option(
    "--mean",
    type=_PATH,
    help="A mean (.npy or .binaryproto) to subtract.  [default: the models' own]",
)
@click.option(
    "--device",
    default="AUTO",
    show_default=True,
    help="Where to run the networks: CPU, GPU, MYRIAD, MYRIAD.<id>, OAK, …",
)
@click.option("--fallback", help="The device that answers while the first one does not.")
@click.option(
    "--movidius-python",
    type=_PATH,
    help=f"The Python with the Movidius tools.  [default: ${PYTHON_VARIABLE}, or the one of "
    "«edgeage toolchain install»]",
)
@click.option(
    "--models",
    type=_PATH,
    help="A folder made by «edgeage compile».  [default: the released models]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--save",
    type=_PATH,
    help="Draw the results: a picture's name, or a folder for several pictures.",
)
@click.option("--overwrite", is_flag=True, help="Replace pictures that --save finds there.")
def command(
    paths: tuple[Path, ...],
    images: tuple[Path, ...],
    mean: Path | None,
    device: str,
    fallback: str | None,
    movidius_python: Path | None,
    models: Path | None,
    as_json: bool,
    save: Path | None,
    overwrite: bool,
) -> int:
    """Predict age and gender of pictures that each show one cropped face.

    PATHS are pictures and folders, like --image. A picture that cannot be read gives one line on
    stderr, the others still come out, and the exit status is 1.
    """
    from edgeage.predictor import Predictor

    sources = _sources(images + paths)
    targets = _targets(save, sources, overwrite=overwrite)
    documents, failed = [], False
    with contextlib.ExitStack() as stack:
        stack.enter_context(talk())
        stack.enter_context(_tools_of(movidius_python))
        predictor = None
        if any(isinstance(source, Path) for source in sources):
            predictor = stack.enter_context(Predictor(models, device, fallback=fallback, mean=mean))
        for result in _results(predictor, sources):
            failed = failed or result.error is not None
            if as_json:
                documents.append(result.to_dict())
            _report(result, as_json)
            if result.image in targets and result.error is None:
                _draw(result, targets[result.image])
        timing = predictor.timing.to_dict() if predictor else None
    if as_json:
        document = {"results": documents, "timing": timing}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    return int(failed)


def face_line(image: str, face: Face) -> str:
    """Return one face's line of text output.

    >>> from edgeage.faceresult import Face
    >>> face_line("a/b.png", Face((0, 0, 9, 9), gender="Female", gender_probability=0.973,
    ...                           device="CPU", latency_ms=4.06))
    'b.png  Female (97.3 %)  4.1 ms  CPU'
    """
    parts = [Path(image).name]
    if face.age_group is not None:
        parts.append(
            f"age group {face.age_group} ({_percent(face.age_group_probability)}), "
            f"{face.age:.1f} years"
        )
    if face.gender is not None:
        parts.append(f"{face.gender} ({_percent(face.gender_probability)})")
    return "  ".join([*parts, f"{face.latency_ms:.1f} ms", face.device])


def _percent(probability: float | None) -> str:
    return f"{(probability or 0.0) * 100:.1f} %"


def _sources(paths: Sequence[Path]) -> list[Path | PictureResult]:
    """Expand folders; a path that stands for no picture becomes its own failed result."""
    from edgeage.faceresult import PictureResult
    from edgeage.images import find_images

    if not paths:
        raise UsageError("no picture given; name one with --image PATH")
    sources: list[Path | PictureResult] = []
    for path in paths:
        try:
            sources += find_images([path])
        except ImageError as error:
            sources.append(PictureResult(str(path), error=error))
    return sources


def _results(
    predictor: Predictor | None, sources: Sequence[Path | PictureResult]
) -> Iterator[PictureResult]:
    for start in range(0, len(sources), _CHUNK):
        chunk = sources[start : start + _CHUNK]
        pictures = [source for source in chunk if isinstance(source, Path)]
        answers = iter(predictor.predict_batch(pictures) if predictor else [])
        for source in chunk:
            yield next(answers) if isinstance(source, Path) else source


def _report(result: PictureResult, as_json: bool) -> None:
    if result.error is not None:
        click.echo(f"Error: {result.error}", err=True)
    elif not as_json:
        for face in result.faces:
            click.echo(face_line(result.image, face))


def _targets(
    save: Path | None, sources: Sequence[Path | PictureResult], *, overwrite: bool
) -> dict[str, Path]:
    """Decide where each picture is drawn to, before any work is done."""
    from edgeage.drawing import DRAWN_SUFFIXES

    pictures = list(dict.fromkeys(str(s) for s in sources if isinstance(s, Path)))
    if save is None:
        return {}
    as_file = save.suffix.lower() in DRAWN_SUFFIXES and not save.is_dir()
    if as_file and len(sources) > 1:
        raise UsageError(f"--save {save} is one picture for {len(sources)}; name a folder")
    targets = {pictures[0]: save} if as_file and pictures else _in_folder(save, pictures)
    for path in targets.values():
        if path.exists() and not overwrite:
            raise UsageError(f"{path} is already there; pass --overwrite to replace it")
    return targets


def _in_folder(folder: Path, pictures: Sequence[str]) -> dict[str, Path]:
    """Give every picture a PNG in a folder, numbered where two have the same name."""
    targets: dict[str, Path] = {}
    taken: set[str] = set()
    for picture in pictures:
        stem, number = Path(picture).stem, 2
        name = stem
        while name in taken:
            name, number = f"{stem}_{number}", number + 1
        taken.add(name)
        targets[picture] = folder / f"{name}.png"
    return targets


def _draw(result: PictureResult, target: Path) -> None:
    from edgeage.drawing import draw_faces, write_image
    from edgeage.images import read_image

    write_image(target, draw_faces(read_image(Path(result.image)), result.faces))


@contextlib.contextmanager
def _tools_of(python: Path | None) -> Iterator[None]:
    """Have every part of a command use the Movidius tools of one Python."""
    before = os.environ.get(PYTHON_VARIABLE)
    if python is not None:
        os.environ[PYTHON_VARIABLE] = str(python)
    try:
        yield
    finally:
        if python is not None and before is None:
            del os.environ[PYTHON_VARIABLE]
        elif before is not None:
            os.environ[PYTHON_VARIABLE] = before
