"""Solver snapshots."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeage.caffe import SolverState, read_solverstate, write_solverstate
from edgeage.errors import ModelError

STATE = SolverState(
    iter=1000,
    learned_net="agenet_iter_1000.caffemodel",
    history=[np.arange(6, dtype=np.float32).reshape(2, 3), np.float32([0.5])],
    current_step=2,
)
WIRE = (
    b"\x08\xe8\x07\x12\x01n"  # iter 1000, learned_net
    b"\x1a\x0b\x2a\x04\x00\x00\x00\x3f\x3a\x03\x0a\x01\x01"  # history: 0.5, shape 1
    b"\x20\x02"  # current_step
)
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def test_a_state_survives_a_round_trip(tmp_path):
    path = tmp_path / "x.solverstate"
    write_solverstate(path, STATE)
    found = read_solverstate(path)
    assert (found.iter, found.learned_net) == (1000, "agenet_iter_1000.caffemodel")
    assert found.current_step == 2
    for one, other in zip(found.history, STATE.history, strict=True):
        np.testing.assert_array_equal(one, other)
    found.history[0][0, 0] = 9
    assert [one.name for one in tmp_path.iterdir()] == ["x.solverstate"]


def test_the_bytes_are_those_of_the_format(tmp_path):
    path = tmp_path / "x.solverstate"
    write_solverstate(path, SolverState(1000, "n", [np.float32([0.5])], 2))
    assert path.read_bytes() == WIRE


def test_iteration_zero_is_kept(tmp_path):
    write_solverstate(tmp_path / "x.solverstate", SolverState(0, "n"))
    assert read_solverstate(tmp_path / "x.solverstate").iter == 0


REFUSED = {
    "empty": (b"", "is empty; expected a binary .solverstate"),
    "truncated": (WIRE[:-8], "is not a binary .solverstate"),
    "text": (b"iter: 1000\nlearned_net: 1\n", "is not a binary .solverstate: found text"),
    "no iteration": (WIRE[3:], "names no iteration"),
    "a negative iteration": (b"\x08" + b"\xff" * 9 + b"\x01" + WIRE[3:], "names no iteration"),
    "a blob that does not fit": (
        b"\x08\x01\x1a\x05\x3a\x03\x0a\x01\x02",
        "history blob 0: shape",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=list(REFUSED))
def test_a_bad_file_is_refused(data, message, tmp_path):
    path = tmp_path / "x.solverstate"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=message):
        read_solverstate(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match="is missing"):
        read_solverstate(tmp_path / "gone.solverstate")


@given(data=st.binary(max_size=60), at=st.integers(0, len(WIRE)), whole=st.booleans())
@FUZZ
def test_any_bytes_are_a_state_or_a_model_error(only, data, at, whole, tmp_path):
    path = tmp_path / "x.solverstate"
    path.write_bytes(data if whole else WIRE[:at] + data + WIRE[at + len(data) :])
    with only(ModelError):
        assert read_solverstate(path).iter >= 0
