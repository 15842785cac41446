"""What devices compiled is kept whole, checked, bounded, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from edgeage.errors import DeviceError
from edgeage.manifest import Manifest
from edgeage.runtime import modelcache
from edgeage.runtime.modelcache import ModelCache
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.options import RuntimeOptions


@pytest.fixture
def root(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def cache(root):
    return ModelCache(root)


def fill(cache: ModelCache, what: str, content: bytes = b"compiled") -> bool:
    """Compile unless it is there; whether it was."""
    with cache.folder(what) as folder:
        found = (folder / "1.blob").exists()
        if not found:
            (folder / "1.blob").write_bytes(content)
        return found


def test_what_was_compiled_once_is_found_again(cache):
    assert [fill(cache, "a"), fill(cache, "a"), fill(cache, "b")] == [False, True, False]
    assert cache.place("a") != cache.place("b")


@pytest.mark.parametrize(
    "damage",
    [
        lambda place: (place / "1.blob").write_bytes(b"compileD"),
        lambda place: (place / "1.blob").write_bytes(b""),
        lambda place: (place / "1.blob").unlink(),
        lambda place: (place / "2.blob").write_bytes(b"half written"),
        lambda place: (place / "crc32.json").write_bytes(b"\xff{"),
        lambda place: (place / "crc32.json").unlink(),
        lambda place: ((place / "1.blob").unlink(), (place / "1.blob").mkdir()),
    ],
    ids=["changed", "empty", "gone", "another file", "bad sums", "no sums", "a folder"],
)
def test_a_damaged_entry_is_made_again(damage, cache, root):
    fill(cache, "a")
    damage(cache.place("a"))
    assert [fill(cache, "a"), fill(cache, "a")] == [False, True]
    assert [path for path in root.iterdir() if path.name.startswith(".")] == []


def test_an_error_while_compiling_keeps_nothing(cache, root):
    with pytest.raises(DeviceError), cache.folder("a") as folder:
        (folder / "1.blob").write_bytes(b"half")
        raise DeviceError("it broke")
    assert list(root.iterdir()) == []


def test_two_at_once_both_compile_and_one_is_kept(cache):
    with cache.folder("a") as first, cache.folder("a") as second:
        assert first != second
        (first / "1.blob").write_bytes(b"compiled")
        (second / "1.blob").write_bytes(b"compiled")
    assert fill(cache, "a")


def test_a_cache_that_cannot_be_made_is_none(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cache = ModelCache(tmp_path / "file" / "cache")
    with cache.folder("a") as folder:
        assert folder is None
    assert cache.shared_folder("a") is None


def test_a_full_disk_keeps_nothing_and_fails_nothing(cache, root, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(modelcache, "_put_in_place", full)
    assert [fill(cache, "a"), fill(cache, "a")] == [False, False]
    assert list(root.iterdir()) == []


def test_used_longest_ago_goes_first(root):
    cache = ModelCache(root, limit_bytes=4000)
    for age, what in enumerate("dcba"):
        fill(cache, what, bytes(900))
        os.utime(cache.place(what) / "crc32.json", (time.time() - 1000 + age,) * 2)
    assert fill(cache, "d")  # the oldest, now used
    fill(cache, "e", bytes(900))
    left = {what for what in "abcde" if cache.place(what).exists()}
    assert left == {"a", "b", "d", "e"}


def test_the_last_one_stays_however_large(root):
    cache = ModelCache(root, limit_bytes=10)
    fill(cache, "a", bytes(100))
    assert fill(cache, "a")


def test_what_a_killed_process_left_goes_after_a_day(cache, root):
    for name, age_h in (("old", 25), ("now", 1)):
        (root / f".{name}").mkdir(parents=True)
        os.utime(root / f".{name}", (time.time() - age_h * 3600,) * 2)
    fill(cache, "a")
    assert sorted(p.name for p in root.iterdir() if p.name.startswith(".")) == [".now"]


def test_a_folder_for_several_devices_is_there_at_once(cache):
    folder = cache.shared_folder("AUTO")
    assert folder.is_dir()
    assert cache.shared_folder("AUTO") == folder


class TestOpenVINO:
    """The real thing: networks in the cache of this test."""

    @pytest.fixture(autouse=True)
    def own(self, tmp_path, monkeypatch):
        monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "own"))
        self.root = tmp_path / "own" / "openvino"

    @pytest.fixture
    def manifest(self, compiled_models):
        return Manifest.read(compiled_models / "agenet" / "model.json")

    def blobs(self):
        return sorted(self.root.glob("*/*.blob"))

    def answer(self, manifest, **options) -> np.ndarray:
        batch = np.random.default_rng(0).integers(0, 256, (9, 3, 67, 67), dtype=np.uint8)
        session = OpenVINOBackend("CPU", RuntimeOptions(**options)).load(manifest)
        answer = session.infer(batch).probabilities
        session.close()
        return answer

    def test_one_entry_a_compilation_and_none_when_not_wanted(self, manifest):
        self.answer(manifest, cache=False)
        assert not self.root.exists()
        first = self.answer(manifest)
        assert len(self.blobs()) == 2
        kept = [(blob, blob.stat().st_ino) for blob in self.blobs()]
        np.testing.assert_array_equal(self.answer(manifest), first)
        assert [(blob, blob.stat().st_ino) for blob in self.blobs()] == kept

    @pytest.mark.parametrize("places", [(0,), (100, 200), (-1000,)], ids=["head", "graph", "end"])
    def test_a_changed_byte_changes_no_answer(self, places, manifest):
        first = self.answer(manifest)
        for blob in self.blobs():
            blob.chmod(0o644)
            content = bytearray(blob.read_bytes())
            for place in places:
                content[place] ^= 0x55
            blob.write_bytes(content)
        np.testing.assert_array_equal(self.answer(manifest), first)
        np.testing.assert_array_equal(self.answer(manifest), first)
        assert len(self.blobs()) == 2

    def test_another_mean_is_not_kept(self, manifest):
        mean = np.load(manifest.file("mean"))
        OpenVINOBackend("CPU").load(manifest, mean=mean + 1).close()
        assert not self.root.exists()

    def test_two_processes_at_once(self, manifest):
        program = (
            "import sys; from edgeage.manifest import Manifest; from pathlib import Path;"
            "from edgeage.runtime.openvino import OpenVINOBackend;"
            "OpenVINOBackend('CPU').load(Manifest.read(Path(sys.argv[1]))).close()"
        )
        path = str(manifest.folder / "model.json")
        running = [subprocess.Popen([sys.executable, "-c", program, path]) for _ in range(2)]
        assert [process.wait(60) for process in running] == [0, 0]
        assert len(self.blobs()) == 1
        assert [path for path in self.root.iterdir() if path.name.startswith(".")] == []
