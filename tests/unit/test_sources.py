"""Words become sources one at a time; a bad one is an item with its error."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeage import Predictor, sources
from edgeage.errors import ImageError
from edgeage.fetching import FetchLimits
from edgeage.sources import Source, as_source, find_sources
from edgeage.testing import FakeBackend


def png(level: int = 7) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 12), (level,) * 3).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.png", "deep/c.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png())
    return tmp_path


class Pipe:
    """Standard input as a pipe of some bytes, or as a terminal."""

    def __init__(self, data: bytes, *, terminal: bool = False) -> None:
        self.buffer, self.isatty = io.BytesIO(data), lambda: terminal


def test_every_kind_of_word_in_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Pipe(png()))
    array = np.zeros((9, 9, 3), np.uint8)
    given = Source("mine", png())
    words = [
        folder / "notes.txt", str(folder), f"{folder}/*.png", "-", png(), bytearray(png()), array,
        given,
    ]  # fmt: skip
    found = list(find_sources(words))
    a, b, c = (str(folder / name) for name in ("a.png", "b.png", "deep/c.png"))
    assert [source.name for source in found] == [
        str(folder / "notes.txt"), a, b, c, a, b,
        "<stdin>", "<bytes>", "<bytes>", "<array>", "mine",
    ]  # fmt: skip
    assert found[-1] is given
    assert {source.read().shape for source in found} == {(12, 16, 3), (9, 9, 3)}


@pytest.mark.parametrize(
    "kind", [str, Path, bytes, np.array, Source], ids=lambda kind: kind.__name__
)
def test_one_word_needs_no_list(kind: type, folder: Path) -> None:
    path = folder / "a.png"
    word = {
        str: str(path), Path: path, bytes: png(), np.array: np.full((12, 16, 3), 7, np.uint8),
        Source: Source("mine", path),
    }[kind]  # fmt: skip
    (source,) = find_sources(word)
    assert (source.read() == 7).all()


def test_bad_words_are_items_with_their_error(folder: Path) -> None:
    (folder / "empty").mkdir()
    bad = [
        str(folder / "none.png"), folder / "empty", f"{folder}/*.gif", "ftp://127.0.0.1/a.png",
        "nul\0byte.png", str(folder / ("x" * 300)), 5,
    ]  # fmt: skip
    found = list(find_sources([*bad, folder / "a.png"]))  # type: ignore[list-item]
    reasons = []
    for source in found[:-1]:
        with pytest.raises(ImageError) as caught:
            source.read()
        reasons.append(str(caught.value))
    assert all("\n" not in reason for reason in reasons)
    for reason, expected in zip(
        reasons,
        ["none.png does not exist; expected a picture or a folder of pictures",
         "empty holds no picture; expected files ending in .avif", "*.gif matches no file",
         "«ftp» is not http or https", "does not exist", "File name too long",
         "expected a picture's path, address, bytes or array, got int"],
        strict=True,
    ):  # fmt: skip
        assert expected in reason
    assert found[-1].read().shape == (12, 16, 3)
    results = Predictor(backend=FakeBackend()).predict_batch(found)
    assert [str(result.error) for result in results[:-1]] == reasons
    assert [result.image for result in results] == [source.name for source in found]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder: Path) -> None:
    (folder / "[a].png").write_bytes(png(200))
    (source,) = find_sources(str(folder / "[a].png"))
    assert source.read().max() == 200


def test_a_path_object_is_never_a_pattern_an_address_or_standard_input(folder: Path) -> None:
    for word in (folder / "*.png", Path("-"), Path("http://127.0.0.1/a.png")):
        (source,) = find_sources(word)
        assert source.error is None or "exist" in str(source.error) or "match" in str(source.error)
        with pytest.raises(ImageError):
            source.read()


def test_sources_are_found_as_they_are_asked_for(folder: Path) -> None:
    def words():
        yield str(folder / "a.png")
        yield str(folder)
        raise AssertionError("nobody asked for this one")

    first = list(itertools.islice(find_sources(words()), 3))
    assert [Path(source.name).name for source in first] == ["a.png", "a.png", "b.png"]


class TestStandardInput:
    def test_is_read_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", Pipe(png()))
        first, second = find_sources(["-", "-"])
        assert first.read().shape == (12, 16, 3)
        with pytest.raises(ImageError, match=r"^<stdin> is empty \(0 bytes\)"):
            second.read()

    def test_can_be_held(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", Pipe(png()))
        (source,) = find_sources("-")
        held = source.held()
        assert held.name == "<stdin>"
        np.testing.assert_array_equal(held.read(), held.read())

    @pytest.mark.parametrize(
        ("stdin", "reason"),
        [
            (Pipe(b""), "is empty (0 bytes)"),
            (Pipe(b"no picture at all" * 9), "is not a picture in a known format"),
            (Pipe(b"", terminal=True), "is no pipe; expected one picture: … < picture.jpg"),
            (Pipe(bytes(2000)), "holds more than 1,000 bytes"),
            (None, "is no pipe"),
        ],
        ids=["empty", "text", "terminal", "endless", "none"],
    )
    def test_that_is_no_picture(
        self, stdin: Pipe | None, reason: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", stdin)
        (source,) = find_sources("-", limits=FetchLimits(max_bytes=1000))
        with pytest.raises(ImageError) as caught:
            source.read()
        assert str(caught.value).startswith(f"<stdin> {reason}")
        assert str(source.held().error or caught.value).startswith(f"<stdin> {reason}")


class TestHeld:
    def test_an_address_is_fetched_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[object] = []
        limits = FetchLimits(seconds=3)
        monkeypatch.setattr(sources, "fetch", lambda *words: asked.append(words) or png())
        (source,) = find_sources("http://127.0.0.1/a.png", limits=limits)
        assert asked == []
        held = source.held()
        np.testing.assert_array_equal(held.read(), held.read())
        assert asked == [("http://127.0.0.1/a.png", limits)]
        assert held.name == source.name

    def test_what_cannot_be_fetched_is_its_error(self) -> None:
        (source,) = find_sources("ftp://127.0.0.1/a.png")
        assert "«ftp»" in str(source.held().error)

    def test_the_rest_stays_as_it_is(self, folder: Path) -> None:
        for source in find_sources([folder, png(), folder / "none.png"]):
            assert source.held() is source


def test_the_pixel_limit_is_the_callers(folder: Path) -> None:
    for source in (as_source(folder / "a.png"), as_source(png()), as_source(bytearray(png()))):
        assert source.read(max_pixels=192).shape == (12, 16, 3)
        with pytest.raises(ImageError, match="more than the limit of 191"):
            source.read(max_pixels=191)
