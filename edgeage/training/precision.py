"""What PyTorch computes a training in: float32, or bfloat16 where the processor is quick in it."""

from __future__ import annotations

from typing import Any

import torch

from edgeage.errors import UsageError
from edgeage.processor import single_is_quicker

__all__ = ["PRECISIONS", "autocast", "chosen_precision", "has_fast_bf16"]

PRECISIONS = ("auto", "fp32", "bf16")


def has_fast_bf16() -> bool:
    """Return whether this CPU multiplies bfloat16 in hardware, faster than float32."""
    if single_is_quicker():
        return False
    # torch before 2.7 cannot tell: full precision is the safe answer there.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def chosen_precision(asked: str) -> str:
    """Return ``fp32`` or ``bf16``, which ``auto`` becomes on this processor.

    Raises:
        UsageError: for any other word.
    """
    if asked not in PRECISIONS:
        raise UsageError(f"unknown precision «{asked}»; expected one of {', '.join(PRECISIONS)}")
    if asked == "auto":
        return "bf16" if has_fast_bf16() else "fp32"
    return asked


def autocast(precision: str) -> torch.autocast:
    """Compute in ``fp32`` or ``bf16`` inside the block what PyTorch holds to be safe in it."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16")
