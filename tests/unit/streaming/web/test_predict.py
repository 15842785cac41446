"""``POST /v1/predict``: pictures in both forms, and everything that is none."""

from __future__ import annotations

import struct
import zlib

import pytest

from edgeage import AGE_GROUPS


def form(*parts, end="--x--\r\n"):
    """A form's body of (headers, content)."""
    return (
        b"".join(
            b"--x\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n" for head, content in parts
        )
        + end.encode()
    )


FILE = 'Content-Disposition: form-data; name="image"; filename="a.png"'
FORM = "multipart/form-data; boundary=x"


def huge_png(width, height):
    """A PNG that says it is of that size and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def test_both_forms_say_what_infer_says(plain, png):
    served = plain
    (face,) = served.predictor.predict(png)
    as_form = served.client.post("/v1/predict", files={"image": ("C:\\photos\\a.png", png)})
    as_body = served.send(png)
    assert as_form.status_code == as_body.status_code == 200
    assert as_form.json()["image"] == "a.png"
    assert as_body.json()["image"] == "<bytes>"
    for answer in (as_form, as_body):
        (found,) = answer.json()["faces"]
        assert {**found, "latency_ms": 0} == {**face.to_dict(), "latency_ms": 0}
    assert len(found["age_probabilities"]) == len(AGE_GROUPS)


def test_where_no_face_is_found_it_is_said(serve, png):
    from edgeage.testing import FakeDetector

    found = serve(detector=FakeDetector()).send(png).json()
    assert "no face found" in found["note"]
    refused = serve(detector=FakeDetector(), detect="always").send(png)
    assert refused.status_code == 422
    assert "shows no face" in refused.json()["error"]


@pytest.mark.parametrize("kind", ["image/png", "image/x-unknown", "application/octet-stream", ""])
def test_kinds_of_body_that_are_taken(plain, png, kind):
    assert plain.send(png, content_type=kind).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/json", "application/x-www-form-urlencoded", "nonsense"]
)
def test_kinds_of_body_that_are_not(plain, png, kind):
    refused = plain.send(png, content_type=kind)
    assert refused.status_code == 415
    assert "curl -F image=@photo.jpg" in refused.json()["error"]


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (422, "image/png", b""),
        (422, "image/png", b"GIF89a"),
        (422, "image/png", b"\x89PNG\r\n\x1a\n" + bytes(100)),
        (422, "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        (422, "image/png", huge_png(60_000, 60_000)),
        (422, "image/png", huge_png(2, 2)),
        (400, "multipart/form-data", form((FILE, b"x"))),
        (400, FORM, b""),
        (400, FORM, b"no form"),
        (400, FORM, form((FILE, b"x"), end="")),
        (400, FORM, form((FILE, b"x"), end="--x")),
        (422, FORM, form((FILE, b""))),
        (422, FORM, form((FILE, b"x"))),
        (422, FORM, form((FILE, b"x"), (FILE, b"y"))),
        (422, FORM, form(('Content-Disposition: form-data; name="image"', b"x"))),
        (400, FORM, form(*[(FILE, b"x")] * 101)),
        (400, FORM, b"--x\r\n" + b"A: b\r\n" * 10_000),
        (400, FORM, b"--x\r\n" + b"A" * 100_000),
        (400, FORM, b"\r\n--" * 100_000),
        (400, "multipart/form-data; boundary=" + "b" * 300, b"--" + b"b" * 300),
    ],
    ids=[
        "nothing", "cut off", "damaged", "vector", "a bomb", "too small",
        "no boundary", "an empty form", "no form", "no end", "half an end",
        "an empty file", "a file that is no picture", "two files", "a field", "a hundred parts",
        "many headers", "a long header", "nothing but ends", "a long boundary",
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused_in_a_line(plain, png, status, kind, body):
    refused = plain.send(body, content_type=kind)
    assert refused.status_code == status
    error = refused.json()["error"]
    assert error
    assert "\n" not in error
    assert len(error) < 400
    assert plain.send(png).status_code == 200


def test_names_of_files_are_only_names(plain, png):
    for given, shown in [
        ("../../etc/passwd", "passwd"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("x" * 1000, "x" * 255),
        ("", "<bytes>"),
        ("<script>.png", "<script>.png"),
    ]:
        head = f'Content-Disposition: form-data; name="image"; filename="{given}"'
        answer = plain.send(form((head, png)), content_type=FORM)
        assert answer.json()["image"] == shown


def test_a_picture_of_too_many_pixels_is_refused(serve, png):
    assert serve(max_pixels=64 * 80).send(png).status_code == 200
    refused = serve(max_pixels=64 * 80 - 1).send(png)
    assert refused.status_code == 422
    assert "5,119" in refused.json()["error"]


def test_a_large_body_is_refused_before_it_is_read(serve, png):
    served = serve(max_body_bytes=1000)
    refused = served.send(png + bytes(1000))
    assert refused.status_code == 413
    assert "1,000 bytes" in refused.json()["error"]


def test_a_large_body_without_a_length_is_refused_on_the_way(serve):
    def chunks():
        for _ in range(20):
            yield bytes(100)

    served = serve(max_body_bytes=1000)
    refused = served.client.post(
        "/v1/predict", content=chunks(), headers={"content-type": "image/png"}
    )
    assert refused.status_code == 413


def test_too_many_bytes_at_once_are_refused_and_given_back(serve, png):
    served = serve(max_held_bytes=len(png) + 10)
    refused = served.send(png + bytes(100))
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert served.send(png).status_code == 200


def test_an_address_that_sends_too_much_waits(serve, png):
    served = serve(rate=0.1, burst=2)
    answers = [served.send(png) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 8 <= int(answers[-1].headers["retry-after"]) <= 10


def test_nothing_is_written_to_disk(serve, png, tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    served = serve()
    picture = png + bytes(3_000_000)
    assert served.client.post("/v1/predict", files={"image": ("a", picture)}).status_code == 200
    assert served.send(picture).status_code == 200
    assert list(tmp_path.iterdir()) == []


def test_what_is_saved_is_drawn_and_told(serve, png, tmp_path):
    import json

    import cv2

    served = serve(save=tmp_path / "kept")
    told = served.client.post("/v1/predict", files={"image": ("../a.png", png)}).json()
    drawn, document = sorted((tmp_path / "kept").iterdir())
    assert json.loads(document.read_text()) == told
    assert drawn.name.endswith("-1.jpg")
    assert cv2.imread(str(drawn)).shape[2] == 3
    served.send(b"no picture")
    assert len(list((tmp_path / "kept").iterdir())) == 2
