"""``edgeage models import``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgeage.cli.talk import talk

__all__ = ["command"]

_PATH = click.Path(path_type=Path)


@click.command("import")
@click.argument("file", type=_PATH)
@click.option("--as", "form", required=True, metavar="FORM", help="What the file holds; see below.")
@click.option(
    "-o", "--output", type=_PATH,
    help="The folder that gets the model's own folder.  [default: where models go by name]",
)  # fmt: skip
@click.option("--name", help="The model's name.  [default: the network's]")
@click.option(
    "--manifest", type=_PATH,
    help="--as keras: the model.json that says what it takes and answers.  [default: the one "
    "beside FILE]",
)  # fmt: skip
@click.option(
    "--data", type=_PATH,
    help="Pictures for the check: a built data set, an LMDB or a folder.  [default: variants of "
    "edgeage's sample picture]",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace a model of that name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    file: Path,
    form: str,
    output: Path | None,
    name: str | None,
    manifest: Path | None,
    data: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    r"""Turn published Keras weights into a model that edgeage runs and compiles.

    FORM is ssrnet or ssrnet-gender (Yang et al.'s .h5), efficientnetb3 or wrn-16-8 (.hdf5 of
    yu4u's age and gender projects), or keras: any .keras file, with a model.json that describes
    its input and outputs (docs/models.md).

    The result is a folder with an ONNX file and its manifest, written only when OpenVINO answers
    as Keras does. Run it with «edgeage infer --model NAME», or its folder, and compile it with
    «edgeage compile FOLDER».
    """
    import dataclasses

    from edgeage.compiler.parity import parity_pictures
    from edgeage.paths import models_dir
    from edgeage.zoo.importing import import_model, import_source
    from edgeage.zoo.product import write_product

    with talk():
        network = import_model(file, form, manifest)
        if name:
            network = dataclasses.replace(network, name=name)
        pictures = parity_pictures(data, network.spec, network.outputs[0].task)
        made = write_product(
            network, (output or models_dir()) / network.name, pictures.batch, pictures.origin,
            source=import_source(file, form), overwrite=overwrite,
        )  # fmt: skip
    if as_json:
        document = {"folder": str(made.folder), **made.to_dict()}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    parity = made.parity
    click.echo(
        f"{made.folder}  largest difference from Keras {parity['max_difference']:g} (allowed "
        f"{parity['max_allowed']:g}; {parity['origin']})"
    )
