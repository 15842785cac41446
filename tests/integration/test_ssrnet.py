"""The published SSR-Net weights on real faces: the same answers everywhere, and sensible ones."""

from __future__ import annotations

import contextlib
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeage.compiler.imported import compile_imported
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.options import RuntimeOptions
from edgeage.zoo.importing import import_model
from edgeage.zoo.product import write_product

WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "models" / "ssrnet"
pytestmark = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="needs the published weights")


@pytest.fixture(scope="module")
def faces(utkface_archive):
    """A hundred faces over the archive with the border of the training; their ages, genders."""
    pictures, ages, genders, place = [], [], [], -1
    with tarfile.open(utkface_archive, "r|*") as archive:
        for member in archive:
            words = Path(member.name).name.split("_")
            if not member.isfile() or len(words) != 4:
                continue
            place += 1
            if place % 230:
                continue
            data = np.frombuffer(archive.extractfile(member).read(), np.uint8)
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
            border = int(0.4 * len(picture))
            wide = cv2.copyMakeBorder(picture, *[border] * 4, cv2.BORDER_REPLICATE)
            pictures.append(cv2.resize(wide, (64, 64), interpolation=cv2.INTER_AREA))
            ages.append(int(words[0]))
            genders.append(int(words[1]))
            if len(pictures) == 100:
                break
    return np.stack(pictures).transpose(0, 3, 1, 2), np.array(ages), np.array(genders)


def answers(manifest, batch):
    backend = OpenVINOBackend("CPU", RuntimeOptions(cache=False))
    manifest.options.update(INFERENCE_PRECISION_HINT="f32")
    with contextlib.closing(backend.load(manifest)) as session:
        (rows,) = session.infer(np.ascontiguousarray(batch)).outputs.values()
    return rows[:, 0]


@pytest.mark.parametrize(
    ("file", "form", "unit"),
    [
        ("imdb", "ssrnet", 100), ("morph2", "ssrnet", 100), ("megaface_asian", "ssrnet", 100),
        ("imdb_gender_models", "ssrnet-gender", 1), ("morph_gender_models", "ssrnet-gender", 1),
    ],
)  # fmt: skip
def test_keras_onnx_and_openvino_agree(file, form, unit, faces, tmp_path):
    """An age counts in hundreds of years: 1e-3 is a tenth of a year."""
    batch, ages, genders = faces
    network = import_model(WEIGHTS / f"{file}.h5", form)
    (expected,) = network.predict(batch).values()
    made = write_product(network, tmp_path / "m", batch, "UTKFace", source={})
    found = {"ONNX": answers(made, batch)}
    for precision in ("FP32", "FP16"):
        compiled = compile_imported(made, tmp_path / precision, precision=precision)
        found[precision] = answers(compiled, batch)
    differences = {k: np.abs(v - expected[:, 0]).max() / unit for k, v in found.items()}
    error = np.abs(expected[:, 0] - ages).mean()
    right = ((expected[:, 0] > 0.5) == (genders == 0)).mean()
    print(file, differences, f"MAE {error:.2f}" if unit == 100 else f"gender {right:.0%}")
    assert max(differences["ONNX"], differences["FP32"]) <= 1e-3
    assert differences["FP16"] <= 1e-2
    if unit == 100:
        assert np.corrcoef(expected[:, 0], ages)[0, 1] > 0.3
    else:
        # MORPH's file numbers the genders the other way round.
        assert (1 - right if file.startswith("morph") else right) > 0.75
