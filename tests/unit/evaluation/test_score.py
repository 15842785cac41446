"""Running a network over an LMDB."""

import numpy as np
import pytest

from edgeage.datasets.store import DatumReader, DatumWriter
from edgeage.errors import DatasetError
from edgeage.evaluation.score import score_model
from edgeage.inputspec import InputSpec
from edgeage.labels import GENDERS
from edgeage.manifest import Manifest
from edgeage.runtime.backend import Answer

MANIFEST = Manifest.classifier(
    "gendernet", "gender", GENDERS, InputSpec((16, 16), (16, 16), mean="none"), output_name="prob"
)


class Brightness:
    """A session that answers Female for a picture brighter than half."""

    device = "FAKE"

    def __init__(self):
        self.shapes = []

    def infer(self, batch):
        self.shapes.append(batch.shape)
        female = (batch.reshape(len(batch), -1).mean(axis=1) > 127).astype(np.float32)
        rows = np.stack([1 - female, female], axis=1)
        return Answer({"prob": rows}, (self.device,) * len(batch))

    def close(self):
        pass


@pytest.fixture
def lmdb(tmp_path):
    """137 pictures (no multiple of any batch); every tenth has the wrong label."""
    with DatumWriter(tmp_path / "lmdb") as writer:
        for index in range(137):
            bright = index % 2
            label = 1 - bright if index % 10 == 0 else bright
            writer.put(f"{index}", np.full((3, 16, 16), 200 * bright, np.uint8), label)
    return tmp_path / "lmdb"


def test_every_picture_is_scored_once(lmdb):
    session, progress = Brightness(), []
    with DatumReader(lmdb) as reader:
        score = score_model(session, MANIFEST, reader, lambda *step: progress.append(step))
    assert score.confusion.tolist() == [[55, 0], [14, 68]]
    assert sum(shape[0] for shape in session.shapes) == 137
    assert progress[-1] == (137, 137)


def test_a_label_the_network_does_not_know_is_refused(lmdb):
    manifest = Manifest.classifier("one", "age", ("0-120",), MANIFEST.input)
    with DatumReader(lmdb) as reader, pytest.raises(DatasetError, match="labels of 0 to 1"):
        score_model(Brightness(), manifest, reader)
