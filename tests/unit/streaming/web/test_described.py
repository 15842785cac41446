"""What the server tells of itself: the description, the figures, the page's files, the manual."""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
from pathlib import Path

import numpy as np
import pytest

from edgeage import Face
from edgeage.faceresult import PictureResult
from edgeage.streaming.web import WebSettings
from edgeage.streaming.web.files import PageFiles
from edgeage.streaming.web.openapi import describe
from edgeage.streaming.web.saving import Saver

STATIC = Path(__import__("edgeage.streaming.web", fromlist=["web"]).__file__).parent / "static"


def test_every_route_is_described_and_no_other(plain):
    described = plain.client.get("/openapi.json").json()["paths"]
    assert set(described) == set(plain.server._app._frame._paths) - {"/static/"}
    for path, operations in described.items():
        allowed = plain.client.request("PATCH", path).headers["allow"]
        given = {method.upper() for method in operations}
        assert {*allowed.replace(" ", "").split(",")} - {"HEAD"} <= given


def test_a_face_is_described_field_by_field():
    face = describe(WebSettings())["components"]["schemas"]["Face"]
    assert face["required"] == [field.name for field in dataclasses.fields(Face)]


def test_the_description_names_this_servers_limits_and_lock():
    told = describe(WebSettings(max_body_bytes=12_345_678))
    assert "12,345,678 bytes" in told["paths"]["/v1/predict"]["post"]["description"]
    assert "not stored" in told["paths"]["/v1/predict"]["post"]["description"]
    assert "security" not in told
    locked = describe(WebSettings(token="x" * 16, save=Path("kept")))
    assert locked["security"] == [{"token": []}]
    assert "is stored" in locked["paths"]["/v1/predict"]["post"]["description"]
    assert locked["paths"]["/v1/health"]["get"]["security"] == []


def test_figures_are_what_happened(serve, png):
    served = serve(live=True)
    served.hub.publish(np.zeros((8, 8, 3), np.uint8), {"type": "frame"})
    served.send(png)
    served.send(b"x", content_type="text/plain")
    served.client.get("/v1/nothing")
    served.client.get("/v1/nothing/else")
    served.client.request("BREW", "/v1/predict")
    figures = served.figures()
    counted = {k: v for k, v in figures.items() if k.startswith("edgeage_requests_total")}
    assert counted == {
        "edgeage_requests_total{method=POST,route=/v1/predict,status=200}": 1,
        "edgeage_requests_total{method=POST,route=/v1/predict,status=415}": 1,
        "edgeage_requests_total{method=GET,route=other,status=404}": 2,
        "edgeage_requests_total{method=other,route=/v1/predict,status=405}": 1,
    }
    assert figures["edgeage_request_seconds_count{route=/v1/predict}"] == 3
    assert 0 < figures["edgeage_request_seconds_sum{route=/v1/predict}"] < 20
    assert figures["edgeage_faces_total{device=FAKE}"] == 1
    assert figures["edgeage_stream_frames_total{}"] == 1
    assert figures["edgeage_queue_pictures{}"] == 0
    assert [k for k in figures if k.startswith("edgeage_device_info{device=FAKE,version=")]


def test_the_page_needs_nothing_from_elsewhere():
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//" not in re.sub(r"(?m)^\s*//.*$", "", text).replace("https?:", ""), path.name
        assert not re.search(r"\b(eval|innerHTML|outerHTML|insertAdjacentHTML)\b", text)
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    # The policy refuses both.
    assert " style=" not in page
    assert not re.search(r"\son\w+=", page)


def test_every_id_a_script_asks_for_is_there():
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    asked = {
        name
        for path in STATIC.glob("*.js")
        for name in re.findall(r'byId\("([^"]+)"\)', path.read_text(encoding="utf-8"))
    }
    assert asked
    assert asked <= set(ids)


def test_files_are_kept_by_the_browser_until_they_change(plain):
    first = plain.client.get("/static/page.css")
    assert first.headers["content-type"] == "text/css; charset=utf-8"
    again = plain.client.get("/static/page.css", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert plain.client.get("/static/page.css", headers={"if-none-match": '"x"'}).content


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../app.py", "/etc/passwd", "page.css\0", "PAGE.CSS"]
)
def test_no_other_file_can_be_had(name):
    assert PageFiles().answer(None, name) is None


def result(place=0):
    face = Face((2, 2, 20, 20), age=30.0, gender="Male", gender_probability=0.9)
    return PictureResult("a.png", (face,), picture=np.full((64, 64, 3), place, np.uint8))


def test_pictures_of_one_moment_are_all_kept(tmp_path):
    saver = Saver(tmp_path, now=lambda: datetime.datetime(2030, 1, 2, 3, 4, 5))
    for _ in range(3):
        saver.save(result())
    names = sorted(path.name for path in tmp_path.glob("*.jpg"))
    assert names == [f"20300102-030405-000000-{n}.jpg" for n in (1, 2, 3)]


def test_a_folder_is_not_filled_without_end(tmp_path, caplog):
    Saver(tmp_path, most=2).save(result())
    saver = Saver(tmp_path, most=2)
    for _ in range(5):
        saver.save(result())
    assert len(list(tmp_path.glob("*.jpg"))) == 2
    assert caplog.text.count("no more are stored") == 1


@pytest.mark.skipif(os.name == "nt", reason="a device of Unix")
def test_what_cannot_be_stored_stops_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    saver = Saver(tmp_path / "file" / "below")
    saver.save(result())
    saver.save(result())
    assert len(caplog.records) == 1
