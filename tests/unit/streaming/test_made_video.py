"""The faces of made videos are none that models are tested by."""

from __future__ import annotations

import io
import tarfile

import cv2
import numpy as np

from edgeage.datasets.facelist import find_list, read_list


def test_faces_of_the_test_lists_are_left_out(made, tmp_path):
    names = [face.name for face in read_list(find_list("utkface_asian"))]
    listed = next(name for name in names if name.startswith("30_"))
    picture = cv2.imencode(".png", np.zeros((20, 20, 3), np.uint8))[1].tobytes()
    with tarfile.open(tmp_path / "faces.tar", "w") as tar:
        grown = [f"{age}_1_0_{age}.jpg" for age in range(40, 50)]
        for name in (*grown[:3], listed, *grown[3:], "9_1_0_9.jpg"):
            member = tarfile.TarInfo(f"UTKFace/{name}")
            member.size = len(picture)
            tar.addfile(member, io.BytesIO(picture))
    chips = made[0].face_chips(tmp_path / "faces.tar", 9)
    assert len(chips) == 9
    assert {chip.age for chip in chips[1:]} <= set(range(40, 50))
    assert {chip.gender for chip in chips} == {"Female"}
