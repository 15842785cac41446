"""What a training is computed in."""

from __future__ import annotations

import pytest
import torch

from edgeage.errors import UsageError
from edgeage.training import precision


@pytest.mark.parametrize(("fast", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_bf16_where_the_processor_is_quick_in_it(monkeypatch, fast, expected) -> None:
    monkeypatch.setattr(precision, "has_fast_bf16", lambda: fast)
    assert precision.chosen_precision("auto") == expected
    assert precision.chosen_precision("fp32") == "fp32"
    assert precision.chosen_precision("bf16") == "bf16"


@pytest.mark.parametrize(
    ("capabilities", "slower", "fast"),
    [
        ({"avx512_bf16": True}, False, True),
        ({"amx_bf16": True}, False, True),
        ({"avx512_f": True}, False, False),
        ({"avx512_bf16": True}, True, False),
    ],
)
def test_which_processors_are_quick(monkeypatch, capabilities, slower, fast) -> None:
    monkeypatch.setattr(precision, "single_is_quicker", lambda: slower)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert precision.has_fast_bf16() is fast


def test_a_torch_that_cannot_tell_is_given_full_precision(monkeypatch) -> None:
    monkeypatch.setattr(precision, "single_is_quicker", lambda: False)
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not precision.has_fast_bf16()


def test_another_word_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown precision «fp16».*auto, fp32, bf16"):
        precision.chosen_precision("fp16")


@pytest.mark.parametrize(("word", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_a_block_computes_in_what_was_chosen(word, dtype) -> None:
    with precision.autocast(word):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
