"""``Predictor.stream`` and ``predict_batch``: order, bounds, errors, closing, many threads."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from edgeage import ImageError, Predictor
from edgeage.errors import DeviceError, NoFaceError, UsageError
from edgeage.faces import Detection
from edgeage.testing import FakeBackend, FakeDetector, FakeSession


def grey(level: int, hw: tuple[int, int] = (60, 80)) -> np.ndarray:
    return np.full((*hw, 3), level, np.uint8)


def by_brightness(picture: np.ndarray) -> list[Detection]:
    """As many faces as the picture's level modulo four says."""
    count = int(picture[0, 0, 0]) % 4
    return [Detection((10 * n, 10, 10 * n + 20, 30), 0.9 - n / 10) for n in range(count)]


@pytest.fixture
def predictor():
    with Predictor(backend=FakeBackend(), detector=FakeDetector(by_brightness)) as predictor:
        yield predictor


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    end = time.monotonic() + 5
    while (names := [t.name for t in threading.enumerate() if t.name.startswith("edgeage ")]) and (
        time.monotonic() < end
    ):
        time.sleep(0.002)
    assert names == []


def answers(results) -> list[list[tuple]]:
    return [[(f.box, f.age, f.gender_probability) for f in result.faces] for result in results]


@pytest.mark.parametrize("ahead", [1, 2, 16, 200])
def test_results_are_those_of_one_after_the_other(ahead, predictor):
    pictures = [grey(level) for level in range(0, 250, 7)]
    expected = [predictor.predict(picture) for picture in pictures]
    results = list(predictor.stream(pictures, ahead=ahead))
    assert answers(results) == [
        [(f.box, f.age, f.gender_probability) for f in faces] for faces in expected
    ]
    assert [len(faces) for faces in answers(results)] == [max(n * 7 % 4, 1) for n in range(36)]


def test_bad_pictures_keep_their_place(tmp_path, predictor):
    cv2.imwrite(str(tmp_path / "good.png"), grey(1))
    (tmp_path / "bad.png").write_bytes(b"junk")
    images = [tmp_path / "bad.png", tmp_path / "good.png", b"", grey(2), 5, grey(3).astype(float)]
    results = list(predictor.stream(images * 5))
    assert len(results) == 30
    for number, result in enumerate(results):
        assert isinstance(result.error, ImageError) == (number % 6 in {0, 2, 4, 5})
        assert len(result.faces) == (0, 1, 0, 2, 0, 0)[number % 6]
    assert str(results[4].error).startswith("expected a picture")


def test_an_error_that_is_kept_keeps_no_half_decoded_picture(tmp_path, predictor):
    encoded = cv2.imencode(".jpg", grey(9))[1].tobytes()
    images = [encoded[:-300], tmp_path / "none.png", b"junk"]
    for result in predictor.predict_batch(images):
        error = result.error
        while error is not None:
            assert error.__traceback__ is None
            error = error.__cause__ or error.__context__
    with pytest.raises(ImageError) as caught:
        predictor.predict(encoded[:-300])
    assert caught.value.__cause__ is not None


def test_frames_are_taken_no_further_than_allowed(predictor):
    taken = []
    frames = (taken.append(n) or grey(n % 200) for n in itertools.count())
    stream = predictor.stream(frames, ahead=4)
    assert taken == []
    for given in range(1, 20):
        next(stream)
        assert len(taken) <= given + 4
    stream.close()
    assert len(taken) <= 19 + 4


def test_a_result_holds_its_picture_if_asked(predictor):
    pictures = [grey(level) for level in range(5)]
    for picture, result in zip(
        pictures, predictor.stream(pictures, keep_pictures=True), strict=True
    ):
        assert result.picture is picture
        assert "picture" not in result.to_dict()
    assert [result.picture for result in predictor.stream(pictures)] == [None] * 5


def test_an_error_of_the_source_comes_in_its_place(predictor):
    def frames():
        yield grey(1)
        yield grey(2)
        raise OSError("camera gone")

    stream = predictor.stream(frames())
    assert [len(next(stream).faces) for _ in range(2)] == [1, 2]
    with pytest.raises(OSError, match="camera gone"):
        next(stream)


def test_a_failing_device_comes_in_its_place():
    backend = FakeBackend(infer_faults=[None, None, None, None, DeviceError("unplugged")])
    with Predictor(backend=backend, detector=None) as predictor:
        stream = predictor.stream(itertools.repeat(grey(1)), ahead=1)
        assert [len(next(stream).faces) for _ in range(2)] == [1, 1]
        with pytest.raises(DeviceError, match="unplugged"):
            next(stream)
        assert len(predictor.predict(grey(1))) == 1


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda p: p.stream([grey(1)], ahead=0), "expected ahead of at least 1, got 0"),
        (lambda p: p.stream("photo.jpg"), "expected several pictures, got one"),
        (lambda p: p.predict_batch(b"bytes"), "expected several pictures, got one"),
        (lambda p: p.predict_batch(grey(1)), "expected several pictures, got one"),
    ],
    ids=["ahead", "a path", "bytes", "an array"],
)
def test_a_wrong_call_is_refused_at_once(call, reason, predictor):
    with pytest.raises(UsageError, match=reason):
        call(predictor)


def test_a_stack_of_frames_is_several(predictor):
    assert len(predictor.predict_batch(np.stack([grey(1), grey(2), grey(3)]))) == 3


class TestClosing:
    def test_the_stream_ends_its_threads_and_leaves_the_predictor_open(self, predictor):
        stream = predictor.stream(itertools.repeat(grey(2)))
        next(stream)
        stream.close()
        assert len(predictor.predict(grey(3))) == 3

    def test_the_predictor_ends_a_stream_under_way(self, predictor):
        stream = predictor.stream(itertools.repeat(grey(2)))
        next(stream)
        predictor.close()
        with pytest.raises(UsageError, match="this Predictor is closed"):
            next(stream)

    def test_the_predictor_ends_a_stream_that_waits_for_its_source(self, predictor):
        never = threading.Event()
        frames = (never.wait(20) for _ in range(1))
        threading.Timer(0.05, predictor.close).start()
        with pytest.raises(UsageError, match="this Predictor is closed"):
            list(predictor.stream(frames))
        never.set()

    def test_the_predictor_ends_one_that_others_iterate(self):
        """Whatever the networks are at, it is the Predictor that is said to be closed."""
        backend = FakeBackend()
        for _ in range(10):
            predictor = Predictor(backend=backend, detector=None)
            errors = []

            def iterate(predictor=predictor, errors=errors):
                try:
                    for _ in predictor.stream(itertools.repeat(grey(2))):
                        pass
                except UsageError as error:
                    errors.append(str(error))

            def ask(predictor=predictor, errors=errors):
                try:
                    while True:
                        predictor.predict(grey(2))
                except UsageError as error:
                    errors.append(str(error))

            threads = [threading.Thread(target=run) for run in (iterate, iterate, ask)]
            for thread in threads:
                thread.start()
            time.sleep(0.01)
            predictor.close()
            for thread in threads:
                thread.join(10)
            assert errors == ["this Predictor is closed; make a new one"] * 3

    def test_no_stream_begins_after_it(self, predictor):
        stream = predictor.stream([grey(1)])
        predictor.close()
        asked = (
            lambda: next(stream),
            lambda: predictor.stream([]),
            lambda: predictor.predict_batch([]),
        )
        for ask in asked:
            with pytest.raises(UsageError, match="closed"):
                ask()


class TestTiming:
    def test_tells_what_each_step_costs(self, predictor):
        assert predictor.timing.stages_ms == {}
        predictor.predict_batch([grey(level) for level in range(8)])
        timing = predictor.timing
        assert list(timing.stages_ms) == ["decode", "detect", "align", "age", "gender"]
        assert min(timing.stages_ms.values()) > 0
        # 1 + 1 + 2 + 3 faces, twice: where none is found the whole picture is taken.
        assert timing.faces == 14
        assert timing.to_dict()["stages_ms"].keys() == timing.stages_ms.keys()

    def test_leaves_out_the_detector_that_was_not_asked(self):
        with Predictor(backend=FakeBackend(), detector=None) as predictor:
            predictor.predict(grey(1))
            assert list(predictor.timing.stages_ms) == ["decode", "align", "age", "gender"]

    def test_a_latency_is_from_the_decoded_picture_to_the_answer(self, monkeypatch):
        run = FakeSession.infer
        monkeypatch.setattr(FakeSession, "infer", lambda *a: time.sleep(0.02) or run(*a))
        with Predictor(backend=FakeBackend(), detector=FakeDetector(by_brightness)) as predictor:
            began = time.perf_counter()
            faces = predictor.predict(grey(3))
            took_ms = (time.perf_counter() - began) * 1000
        assert len({face.latency_ms for face in faces}) == 1
        assert 40 <= faces[0].latency_ms <= took_ms
        assert predictor.timing.steady_ms == faces[0].latency_ms
        assert predictor.timing.stages_ms["age"] * 3 >= 20


class TestManyThreads:
    def mixed(self, predictor, pictures):
        """The answers of eight threads, some asking one by one and some streaming."""

        def one_by_one(_):
            return [predictor.predict(picture) for picture in pictures]

        def streaming(ahead):
            return [list(result.faces) for result in predictor.stream(pictures, ahead=ahead)]

        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit((one_by_one, streaming)[n % 2], n) for n in range(8)]
            return [one.result(60) for one in asked]

    def test_give_what_one_gives(self, predictor):
        pictures = [grey(level) for level in range(1, 250, 11)]
        expected = [
            [(f.box, f.age, f.gender) for f in predictor.predict(picture)] for picture in pictures
        ]
        for found in self.mixed(predictor, pictures):
            assert [[(f.box, f.age, f.gender) for f in faces] for faces in found] == expected

    @pytest.mark.parametrize("mode", ["latency", "throughput"])
    def test_give_what_one_gives_on_real_networks(self, mode, compiled_models):
        rng = np.random.default_rng(0)
        pictures = [rng.integers(0, 256, (60, 80, 3), np.uint8) for _ in range(5)]
        detector = FakeDetector(by_brightness)
        with Predictor(compiled_models, "CPU", detector=detector, mode=mode) as predictor:
            expected = [predictor.predict(picture) for picture in pictures]
            for found in self.mixed(predictor, pictures):
                for one, other in zip(found, expected, strict=True):
                    assert [f.box for f in one] == [f.box for f in other]
                    for face, same in zip(one, other, strict=True):
                        # A batch is rounded otherwise than a single face.
                        assert face.age_probabilities == pytest.approx(
                            same.age_probabilities, abs=5e-3
                        )


def test_no_face_is_an_error_in_a_stream_where_one_must_be():
    detector = FakeDetector(by_brightness)
    with Predictor(backend=FakeBackend(), detector=detector, detect="always") as predictor:
        results = list(predictor.stream([grey(4), grey(5), grey(8)]))
    assert [type(result.error) for result in results] == [NoFaceError, type(None), NoFaceError]


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_a_stream_at_once_and_cleanly():
    program = (
        "import itertools, signal, threading, time\n"
        # A runner in the background hands SIGINT down as ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import numpy as np\n"
        "from edgeage import Predictor\n"
        "from edgeage.testing import FakeBackend\n"
        "frame = np.zeros((60, 60, 3), np.uint8)\n"
        "frames = (frame for n in itertools.count() if n < 40 or time.sleep(0.02) is None)\n"
        "with Predictor(backend=FakeBackend(), detector=None) as predictor:\n"
        "    try:\n"
        "        for number, _ in enumerate(predictor.stream(frames)):\n"
        "            if number == 20: print('going', flush=True)\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
        "    print(*{t.name for t in threading.enumerate()} - {'edgeage idle'})\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout.readline() == "going\n"
        child.send_signal(signal.SIGINT)
        try:
            out, err = child.communicate(timeout=60)
        finally:
            child.kill()
    assert (child.returncode, out, err) == (0, "MainThread\n", "")


@pytest.mark.parametrize(("mode", "most"), [("latency", 16), ("throughput", 64)])
def test_the_mode_says_how_far_ahead_unless_told(mode, most):
    taken = []
    frames = (taken.append(n) or b"junk" for n in itertools.count())
    with Predictor(backend=FakeBackend(), detector=None, mode=mode) as predictor:
        stream = predictor.stream(frames)
        next(stream)
        end = time.monotonic() + 10
        while len(taken) < most + 1 and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(0.05)
        assert len(taken) == most + 1
        stream.close()
