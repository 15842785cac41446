"""Which precision a processor is quick in, and which one saturates."""

import pytest

from edgeage.processor import adds_bytes_in_sixteen_bits, single_is_quicker


@pytest.mark.parametrize(
    ("vendor", "flags", "quicker"),
    [
        ("GenuineIntel", "avx512f avx512_bf16", True),
        ("GenuineIntel", "avx512f avx512_bf16 amx_bf16", False),
        ("GenuineIntel", "avx2 avx512f", False),
        ("AuthenticAMD", "avx512f avx512_bf16", False),
    ],
    ids=["Intel without AMX", "Intel with AMX", "no bf16", "AMD"],
)
def test_bf16_is_slow_on_intel_without_its_matrix_unit(vendor, flags, quicker, tmp_path):
    first = f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fpu {flags}\n"
    (tmp_path / "cpuinfo").write_text(f"{first}\nprocessor\t: 1\nflags\t: amx_bf16\n")
    assert single_is_quicker(tmp_path / "cpuinfo") is quicker


@pytest.mark.parametrize(
    ("flags", "saturates"),
    [
        ("ssse3 avx2", True),
        ("ssse3 avx2 avx512f", True),
        ("ssse3 avx2 avx512f avx512_vnni", False),
        ("ssse3 avx2 avx_vnni", False),
        ("sse2", False),
        ("asimd asimddp", False),
    ],
)
def test_sums_of_bytes_saturate_on_x86_without_vnni(flags, saturates, tmp_path):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\n")
    assert adds_bytes_in_sixteen_bits(tmp_path / "cpuinfo") is saturates


def test_a_cpu_that_does_not_tell(tmp_path):
    (tmp_path / "cpuinfo").write_bytes(b"\xff\x00 Features : asimd\n")
    assert not adds_bytes_in_sixteen_bits(tmp_path / "cpuinfo")
    assert not adds_bytes_in_sixteen_bits(tmp_path / "missing")
    assert not single_is_quicker(tmp_path / "cpuinfo")
    assert not single_is_quicker(tmp_path / "missing")
