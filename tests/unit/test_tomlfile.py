from __future__ import annotations

from pathlib import Path

import pytest

from edgeage.errors import EdgeageError
from edgeage.tomlfile import read_toml


def test_tables_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('[a]\nb = "ä"\n', encoding="utf-8")
    assert read_toml(tmp_path / "x.toml") == {"a": {"b": "ä"}}


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xff"], ids=["syntax", "encoding"])
def test_what_is_no_toml_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(EdgeageError, match="x.toml is not readable TOML"):
        read_toml(tmp_path / "x.toml")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgeageError, match="x.toml is missing"):
        read_toml(tmp_path / "x.toml")
