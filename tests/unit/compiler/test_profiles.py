from __future__ import annotations

import pytest

from edgeage.compiler.profiles import Profile, read_profile, targets
from edgeage.errors import EdgeageError, UsageError
from edgeage.movidius.blobs import BlobOptions


def test_the_cpu_computes_full_precision_in_full_precision():
    profile = read_profile("cpu", "fp32")
    assert (profile.target, profile.device, profile.precision) == ("CPU", "CPU", "FP32")
    assert profile.options == {"INFERENCE_PRECISION_HINT": "f32"}
    assert profile.max_difference <= 1e-3


@pytest.mark.parametrize("target", targets())
def test_every_shipped_profile_can_be_read(target):
    assert read_profile(target, None).target == target


def test_half_precision_is_the_usual_one_and_single_that_of_an_onnx_file():
    assert {target: read_profile(target, None).precision for target in targets()} == {
        "CPU": "FP16", "GPU": "FP16", "MYRIAD": "FP16", "NPU": "FP16", "OAK": "FP16",
        "ONNX": "FP32",
    }  # fmt: skip


@pytest.mark.parametrize("target", ["MYRIAD", "OAK"])
@pytest.mark.parametrize("precision", ["FP32", "int8"])
def test_the_myriad_x_is_in_half_precision_only_and_says_why(target, precision):
    with pytest.raises(UsageError) as caught:
        read_profile(target, precision)
    assert str(caught.value).startswith(
        f"target {target} cannot be in {precision.upper()}: the Myriad X computes in half precision"
    )
    assert "use FP16" in str(caught.value)


def test_an_oak_leaves_shaves_to_the_camera():
    assert read_profile("OAK", "FP16").blob == BlobOptions(6, 6, output="FP16")
    assert read_profile("MYRIAD", "FP16").blob == BlobOptions()
    assert read_profile("CPU", "FP16").blob is None


@pytest.mark.parametrize("target", targets())
def test_what_may_compute_in_half_precision_keeps_squares_within_it(target):
    assert read_profile(target, None).lrn_scale == 16


def test_an_npu_has_no_single_precision_and_says_so():
    with pytest.raises(UsageError, match="target NPU cannot be in FP32: an NPU computes in half"):
        read_profile("NPU", "FP32")
    assert read_profile("GPU", "FP32").options == {"INFERENCE_PRECISION_HINT": "f32"}


@pytest.mark.parametrize(
    ("target", "precision", "reason"),
    [
        (
            "CPX",
            "FP32",
            "«CPX»; expected CPU or GPU or MYRIAD or NPU or OAK or ONNX; did you mean «CPU»?",
        ),
        ("../cpu", "FP32", "unknown target «../cpu»"),
        ("CPU", "INT3", "target CPU has no precision «INT3»; expected FP32 or FP16 or INT8"),
    ],
)
def test_names_what_there_is(target, precision, reason):
    with pytest.raises(UsageError) as caught:
        read_profile(target, precision)
    assert reason in str(caught.value)


def test_a_cpu_may_lose_half_a_point_in_eight_bits():
    assert read_profile("CPU", "int8").max_accuracy_drop == 0.5
    assert read_profile("CPU", "FP16").max_accuracy_drop is None


@pytest.mark.parametrize(("drop", "reason"), [(None, "got None"), (-1, "got -1"), (101, "got 101")])
def test_int8_says_how_much_may_be_lost(drop, reason):
    with pytest.raises(ValueError, match=reason):
        Profile("X", "X", "INT8", 1.0, 1.0, max_accuracy_drop=drop)


BASE = 'target = "X"\ndevice = "X"\n[precision.FP32]\nmax_difference = 1\nmean_difference = 1\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('device = "X"\n[precision.FP32]\nmax_difference = 1\nmean_difference = 1', "'target'"),
        ('target = "X"\ndevice = "X"\n[precision.FP32]\nmax_difference = 1', "mean_difference"),
        (
            (
                'target = "X"\ndevice = "X"\n[precision.FP32]\nmax_difference = 0.1\n'
                "mean_difference = 0.2"
            ),
            "expected 0 ≤ mean_difference ≤ max_difference ≤ 1",
        ),
        (
            (
                'target = "X"\ndevice = "X"\n[precision.FP32]\nmax_difference = 1\n'
                "mean_difference = 1\nshaves = 7"
            ),
            "shaves",
        ),
        (
            (
                'target = "X"\ndevice = "X"\n[blob]\nshaves = 17\n'
                "[precision.FP32]\nmax_difference = 1\nmean_difference = 1"
            ),
            "expected shaves from 1 to 16, got 17",
        ),
        (BASE + "lrn_scale = 10", "expected lrn_scale of 1, 2, 4, …, got 10"),
        (BASE + "lrn_scale = 0.5", "expected lrn_scale of 1, 2, 4, …, got 0.5"),
        (BASE + "max_accuracy_drop = 0.5", "max_accuracy_drop for INT8 and nothing else, got 0.5"),
    ],
    ids=[
        "no target",
        "no tolerance",
        "tolerances crossed",
        "unknown field",
        "too many shaves",
        "no power of two",
        "less than one",
        "accuracy of FP32",
    ],
)
def test_a_broken_profile_says_where(text, reason, tmp_path):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(EdgeageError, match=r"x\.toml") as caught:
        read_profile("X", "FP32", tmp_path)
    assert reason in str(caught.value)
