"""Caffe's window arithmetic against what it has to guarantee."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgeage.compiler.pooling import PoolAxis


@st.composite
def axes(draw: st.DrawFn, *, ceil: bool | None = None, least_pad: int = 0) -> PoolAxis:
    """Any axis Caffe accepts: the padding smaller than the kernel, the kernel within it all."""
    kernel = draw(st.integers(least_pad + 1, 9))
    pad = draw(st.integers(least_pad, kernel - 1))
    size = draw(st.integers(max(1, kernel - 2 * pad), 40))
    rounding = draw(st.booleans()) if ceil is None else ceil
    return PoolAxis(size, kernel, draw(st.integers(1, kernel)), pad, rounding)


@given(axes())
def test_explicit_padding_makes_the_same_windows_rounding_down(axis):
    padded = axis.size + axis.pad + axis.pad_end
    assert (padded - axis.kernel) // axis.stride + 1 == axis.windows


@given(axes(least_pad=1))
def test_every_window_of_a_padded_axis_starts_before_the_padding_at_the_end(axis):
    assert (axis.windows - 1) * axis.stride < axis.size + axis.pad


@given(axes(ceil=True))
def test_rounded_up_windows_reach_every_pixel(axis):
    assert (axis.windows - 1) * axis.stride + axis.kernel - axis.pad >= axis.size


@given(axes(ceil=False))
def test_rounded_down_windows_stay_inside(axis):
    assert (axis.windows - 1) * axis.stride + axis.kernel <= axis.size + 2 * axis.pad


@given(axes())
def test_an_average_never_divides_by_nothing(axis):
    assert axis.lengths().min() >= 1
    assert axis.lengths().max() <= axis.kernel
