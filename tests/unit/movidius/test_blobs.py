"""Compiling blobs: the options, and the cache. The compiler itself is played."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgeage.errors import ModelError, ToolchainError, UsageError
from edgeage.movidius import Toolchain, blobs
from edgeage.movidius.blobs import BlobOptions, compile_blob

TINY = Path(__file__).with_name("tiny.blob")
TOOLCHAIN = Toolchain(Path("python"), managed=True)


class FakeCompiler:
    """Stands in for the toolchain: hands out ``tiny.blob`` and counts."""

    def __init__(self) -> None:
        self.requests: list[dict] = []
        self.version, self.makes = "2021.4", TINY

    def __call__(self, _toolchain, script, request):
        assert script == "compile_blob"
        if not request.get("version"):
            self.requests.append(request)
            shutil.copyfile(self.makes, request["output"])
        return {"version": self.version}, {}


@pytest.fixture
def compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    fake = FakeCompiler()
    monkeypatch.setattr(blobs, "run_job", fake)
    return fake


@pytest.fixture
def compile_one(compiler, tmp_path):
    """Compile an IR: ``compile_one(options) → BlobInfo``."""
    (tmp_path / "a.xml").write_text("<net/>")
    (tmp_path / "a.bin").write_bytes(b"weights")

    def run(**options):
        return compile_blob(
            TOOLCHAIN,
            tmp_path / "a.xml",
            tmp_path / "a.bin",
            BlobOptions(**options),
            tmp_path / "out.blob",
        )

    return run


class TestCache:
    def test_compiles_once(self, compiler, compile_one, tmp_path):
        first = compile_one()
        (tmp_path / "out.blob").unlink()
        assert compile_one() == first
        assert (tmp_path / "out.blob").read_bytes() == TINY.read_bytes()
        assert len(compiler.requests) == 1

    def test_whatever_makes_a_difference_is_compiled_again(self, compiler, compile_one, tmp_path):
        compile_one()
        compile_one(shaves=6)
        compile_one(hw=False)
        compile_one(output="FP16")
        compiler.version = "2022.3"
        compile_one()
        (tmp_path / "a.xml").write_text("<net name='other'/>")
        compile_one()
        (tmp_path / "a.bin").write_bytes(b"other weights")
        compile_one()
        assert len(compiler.requests) == 7

    @pytest.mark.parametrize("damage", [b"cut", None], ids=["truncated", "one byte changed"])
    def test_a_damaged_blob_is_compiled_again(self, damage, compiler, compile_one, tmp_path):
        compile_one()
        (kept,) = (tmp_path / "cache" / "blobs").iterdir()
        kept.write_bytes(damage or TINY.read_bytes()[:-1] + b"\xff")
        assert compile_one().size == TINY.stat().st_size
        assert (tmp_path / "out.blob").read_bytes() == TINY.read_bytes()
        assert len(compiler.requests) == 2

    def test_works_where_the_cache_cannot_be_written(
        self, compiler, compile_one, tmp_path, monkeypatch
    ):
        (tmp_path / "file").write_text("no folder")
        monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "file"))
        assert compile_one().stages == 8
        assert compile_one().stages == 8
        assert len(compiler.requests) == 2

    def test_what_is_no_blob_is_not_kept(self, compiler, compile_one, tmp_path):
        compiler.makes = tmp_path / "a.xml"
        with pytest.raises(ModelError, match="is no MYRIAD blob"):
            compile_one()
        assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("libusb", "; repair it with: edgeage toolchain install"),
        ("no-plugin", "«edgeage toolchain install» installs"),
        ("memory", "; try other --shaves and --cmx-slices, or --no-hw"),
        ("unsupported", "went wrong"),
    ],
)
def test_an_error_of_the_tools_says_what_to_do(kind, remedy, compile_one, monkeypatch):
    def fail(*_arguments):
        raise ToolchainError("it went wrong", kind=kind)

    monkeypatch.setattr(blobs, "run_job", fail)
    with pytest.raises(ToolchainError) as caught:
        compile_one()
    assert str(caught.value).endswith(remedy)
    assert caught.value.kind == kind


class TestOptions:
    def test_slices_follow_the_shaves(self):
        assert BlobOptions(shaves=5).cmx_slices == 5
        assert BlobOptions(shaves=6, cmx_slices=6).chosen(shaves=8).cmx_slices == 8
        assert BlobOptions(shaves=6, cmx_slices=6).chosen(cmx_slices=9).shaves == 6
        assert BlobOptions(shaves=6).chosen(hw=False) == BlobOptions(shaves=6, hw=False)

    @pytest.mark.parametrize(
        ("shaves", "slices", "reason"),
        [
            (0, None, "expected shaves from 1 to 16, got 0"),
            (17, None, "expected shaves from 1 to 16, got 17"),
            (1, 20, "expected cmx_slices from 1 to 19, got 20"),
            (None, 6, "cmx_slices go together with shaves; give both"),
            (8, 5, "expected at least as many cmx_slices as shaves, got 5 for 8"),
        ],
    )
    def test_what_the_chip_does_not_have_is_refused(self, shaves, slices, reason):
        with pytest.raises(UsageError, match=reason):
            BlobOptions().chosen(shaves, slices)

    def test_an_output_of_another_type_is_refused(self):
        with pytest.raises(ValueError, match="expected output FP32 or FP16, got INT8"):
            BlobOptions(output="INT8")

    @pytest.mark.parametrize(
        ("shaves", "slices", "streams"),
        [(8, 8, None), (8, 9, None), (9, 9, "1"), (8, 10, "1"), (16, 19, "1")],
    )
    def test_more_than_half_the_chip_is_for_one_request(self, shaves, slices, streams):
        """The plugin refuses two requests of nine SHAVEs: there are sixteen."""
        config = BlobOptions(shaves, slices).config()
        assert config["MYRIAD_NUMBER_OF_SHAVES"] == str(shaves)
        assert config["MYRIAD_NUMBER_OF_CMX_SLICES"] == str(slices)
        assert config.get("MYRIAD_THROUGHPUT_STREAMS") == streams

    def test_without_a_choice_the_compiler_decides(self):
        assert set(BlobOptions(hw=False).config()) == {
            "VPU_MYRIAD_PLATFORM",
            "MYRIAD_ENABLE_HW_ACCELERATION",
        }
        assert BlobOptions(hw=False).config()["MYRIAD_ENABLE_HW_ACCELERATION"] == "NO"
