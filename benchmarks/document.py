"""The JSON file a benchmark leaves behind."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from edgeage.paths import atomic_file
from edgeage.speed import machine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["write_document"]


def write_document(path: Path | None, tools: Sequence[str], **fields: Any) -> None:
    """Write figures with the machine and the tools' versions, if there is a path to write to."""
    if path is None:
        return
    versions = {tool: version(tool) for tool in tools}
    document = {"machine": machine(), "versions": versions, **fields}
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
