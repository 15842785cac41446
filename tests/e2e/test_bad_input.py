"""Bad pictures, models and means: one clear line on stderr, exit status 1, the rest comes out."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgeage import AGE_GROUPS, GENDERS, InputSpec, Manifest, caffe

_NET = """
name: "small"
layer {{ name: "data" type: "Input" top: "data"
  input_param {{ shape {{ dim: 1 dim: 3 dim: 227 dim: 227 }} }} }}
layer {{ name: "pool" type: "Pooling" bottom: "data" top: "pool"
  pooling_param {{ pool: AVE kernel_size: 76 stride: 76 }} }}
layer {{ name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
  inner_product_param {{ num_output: {classes} }} }}
layer {{ name: "prob" type: "Softmax" bottom: "fc" top: "prob" }}
"""


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def _huge_png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))


_FACE = np.random.default_rng(1).integers(0, 256, (48, 40, 3), dtype=np.uint8)
_GOOD = _png(Image.fromarray(_FACE))
_BAD_PICTURES = {
    "not an image": (b"Dear Sir or Madam,\n" * 5, "not a picture in a known format"),
    "truncated": (_GOOD[: len(_GOOD) // 2], "truncated"),
    "empty": (b"", "is empty"),
    "1x1": (_png(Image.new("RGB", (1, 1))), "1×1 pixels, expected at least 8"),
    "a 50,000 x 50,000 header": (_huge_png(), "50000×50000 pixels, more than the limit"),
}
_ODD_PICTURES = {
    "16-bit": Image.fromarray(_FACE[:, :, 0].astype(np.uint16) * 257),
    "grey": Image.fromarray(_FACE[:, :, 0]),
    "1-bit": Image.fromarray(_FACE[:, :, 0]).convert("1"),
    "palette": Image.fromarray(_FACE).convert("P"),
    "RGBA": Image.fromarray(_FACE).convert("RGBA"),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as training leaves it: two small networks of random weights, and their mean."""
    folder = tmp_path_factory.mktemp("trained")
    rng = np.random.default_rng(230)
    mean = np.stack([np.full((227, 227), level, np.float32) for level in (90, 100, 120)])
    caffe.write_mean(folder / "mean.npy", mean)
    spec = InputSpec(mean_sha256=caffe.mean_sha256(mean))
    for name, task, labels in (("agenet", "age", AGE_GROUPS), ("gendernet", "gender", GENDERS)):
        text = _NET.format(classes=len(labels))
        (folder / f"{name}_deploy.prototxt").write_text(text)
        weights = rng.normal(0, 0.01, (len(labels), 27)).astype(np.float32)
        caffe.write_weights(
            folder / f"{name}.caffemodel",
            caffe.parse_net(text),
            {"fc": [weights, np.zeros(len(labels), np.float32)]},
        )
        Manifest.classifier(name, task, labels, spec).with_files(
            folder,
            caffemodel=f"{name}.caffemodel",
            prototxt=f"{name}_deploy.prototxt",
            mean="mean.npy",
        ).write(folder / f"{name}.json")
    return folder


@pytest.fixture(scope="module")
def compiled(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgeage.cli.main import main

    folder = tmp_path_factory.mktemp("compiled")
    models = [str(trained / f"{name}.caffemodel") for name in ("agenet", "gendernet")]
    assert main(["compile", *models, "--precision", "FP32", "-o", str(folder)]) == 0
    return folder


@pytest.fixture
def infer(compiled: Path, cli: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *words: cli("infer", "--detect", "never", "--models", compiled, *words)


@pytest.mark.parametrize(("content", "reason"), _BAD_PICTURES.values(), ids=_BAD_PICTURES)
def test_a_bad_picture(
    content: bytes, reason: str, infer: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    result = infer("--image", path)
    result.assert_one_line(str(path), reason)
    assert result.stdout == ""
    document = json.loads(infer(path, "--json").stdout)
    assert list(document["results"][0]) == ["image", "error"]


def test_in_a_batch_the_others_still_come_out(infer: Callable[..., Any], tmp_path: Path) -> None:
    for number, (content, _) in enumerate(_BAD_PICTURES.values()):
        (tmp_path / f"{number}_bad.png").write_bytes(content)
        (tmp_path / f"{number}_good.png").write_bytes(_GOOD)
    result = infer(tmp_path, tmp_path / "nowhere.png", "--json")
    assert result.exit_code == 1
    results = json.loads(result.stdout)["results"]
    outcome = [(Path(entry["image"]).name, "faces" in entry) for entry in results]
    expected = [
        (f"{number}_{kind}.png", kind == "good")
        for number in range(len(_BAD_PICTURES))
        for kind in ("bad", "good")
    ]
    assert outcome == [*expected, ("nowhere.png", False)]
    assert result.stderr.count("\n") == len(_BAD_PICTURES) + 1
    answers = [entry["faces"][0]["age"] for entry in results if "faces" in entry]
    assert len(answers) == len(_BAD_PICTURES)
    assert len(set(answers)) == 1


@pytest.mark.parametrize("picture", _ODD_PICTURES.values(), ids=_ODD_PICTURES)
def test_an_odd_picture_is_still_a_picture(
    picture: Image.Image, infer: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(_png(picture))
    result = infer(path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "picture.png  age group " in result.stdout


def test_a_folder_without_images(infer: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    infer(tmp_path).assert_one_line("holds no picture")


def test_a_missing_model(cli: Callable[..., Any], tmp_path: Path, repo_root: Path) -> None:
    picture = repo_root / "examples" / "test_0.png"
    cli("infer", "--models", tmp_path / "nowhere", picture).assert_one_line("nowhere")
    (tmp_path / "empty").mkdir()
    cli("infer", "--models", tmp_path / "empty", picture).assert_one_line("empty")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("model.json", b"{", "is not a readable manifest"),
        ("model.json", b"{}", "is not a manifest of version 1"),
        ("*.bin", b"", "does not match its manifest"),
        ("*.xml", b"<net", "does not match its manifest"),
        ("*.xml", None, "is missing"),
    ],
    ids=["cut manifest", "empty manifest", "empty weights", "cut graph", "no graph"],
)
def test_a_corrupt_compiled_model(
    name: str,
    content: bytes | None,
    reason: str,
    compiled: Path,
    cli: Callable[..., Any],
    tmp_path: Path,
    repo_root: Path,
) -> None:
    models = shutil.copytree(compiled, tmp_path / "models")
    (victim,) = (models / "agenet").glob(name)
    if content is None:
        victim.unlink()
    else:
        victim.write_bytes(content)
    result = cli("infer", "--models", models, repo_root / "examples" / "test_0.png")
    result.assert_one_line(str(victim), reason)


def test_a_corrupt_mean_of_the_models_own(
    compiled: Path, trained: Path, cli: Callable[..., Any], tmp_path: Path, repo_root: Path
) -> None:
    models = shutil.copytree(compiled, tmp_path / "models")
    mean = Manifest.read(models / "agenet" / "model.json").file("mean")
    mean.write_bytes(b"\x93NUMPY")
    words = ("--mean", trained / "mean.npy", repo_root / "examples" / "test_0.png")
    cli("infer", "--models", models, *words).assert_one_line(
        str(mean), "does not match its manifest"
    )


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


_MEAN = np.stack([np.full((227, 227), level, np.float32) for level in (90, 100, 120)])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(None, "is missing", id="missing"),
        pytest.param(b"", "mean", id="empty"),
        pytest.param(b"\x93NUMPY\x01\x00", "damaged", id="cut"),
        pytest.param(_npy(_MEAN)[:5000], "damaged", id="truncated"),
        pytest.param(_npy(_MEAN.transpose(1, 2, 0)), "its channels are last", id="HWC"),
        pytest.param(_npy(_MEAN[::-1]), "looks like RGB", id="RGB"),
        pytest.param(_npy(_MEAN[:, :200, :200]), "another size", id="another size"),
        pytest.param(_npy(_MEAN / 255), "0 to 255", id="scaled to 1"),
        pytest.param(_npy(_MEAN * np.nan), "not finite", id="NaN"),
    ],
)
def test_a_bad_mean(
    content: bytes | None,
    reason: str,
    infer: Callable[..., Any],
    tmp_path: Path,
    repo_root: Path,
) -> None:
    path = tmp_path / "my_mean.npy"
    if content is not None:
        path.write_bytes(content)
    result = infer("--mean", path, repo_root / "examples" / "test_0.png")
    result.assert_one_line(reason)


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        pytest.param("agenet.caffemodel", None, "is missing", id="no weights"),
        pytest.param("agenet.caffemodel", b"", "does not match", id="empty weights"),
        pytest.param("agenet_deploy.prototxt", b"layer {", "does not match", id="cut network"),
        pytest.param("mean.npy", b"", "does not match", id="empty mean"),
        pytest.param("agenet.json", b"[]", "not a manifest", id="no manifest"),
    ],
)
def test_a_corrupt_trained_model(
    name: str,
    damage: bytes | None,
    reason: str,
    trained: Path,
    cli: Callable[..., Any],
    tmp_path: Path,
) -> None:
    models = shutil.copytree(trained, tmp_path / "models")
    if damage is None:
        (models / name).unlink()
    else:
        (models / name).write_bytes(damage)
    result = cli("compile", models / "agenet.caffemodel", "-o", tmp_path / "out")
    result.assert_one_line(str(models / name), reason)
    assert not (tmp_path / "out" / "agenet").exists()


@pytest.mark.parametrize(
    "content", [b"", b"name: 'text'", bytes(range(256)) * 40], ids=["empty", "text", "noise"]
)
def test_weights_without_a_manifest_that_are_no_weights(
    content: bytes, trained: Path, cli: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "mine.caffemodel").write_bytes(content)
    result = cli(
        *("compile", tmp_path / "mine.caffemodel", "--task", "age", "-o", tmp_path / "out"),
        *("--prototxt", trained / "agenet_deploy.prototxt", "--mean", trained / "mean.npy"),
    )
    result.assert_one_line("mine.caffemodel")
