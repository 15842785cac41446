"""Checkpoints: what is kept, and what never is."""

from __future__ import annotations

import numpy as np
import pytest

from edgeage.training.joint.state import read_state, write_state


def test_what_is_written_is_read_and_nothing_else(tmp_path) -> None:
    arrays = {"weight_0": np.arange(6, dtype=np.float32).reshape(2, 3), "best": np.array([0.5, 2])}
    write_state(tmp_path / "state.npz", 7, arrays)
    iteration, found = read_state(tmp_path / "state.npz")
    assert iteration == 7
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_what_only_a_pickle_could_hold_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        write_state(tmp_path / "state.npz", 7, {"name": np.array([{}])})
    assert not list(tmp_path.iterdir())
