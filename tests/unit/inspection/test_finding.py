"""How a finding reads."""

from __future__ import annotations

from pathlib import Path

from edgeage.inspection.finding import Finding, Table, format_finding


def test_facts_tables_and_notes():
    finding = Finding(
        Path("x.bin"),
        "mean",
        "a thing",
        {"parameters": 1234567, "by_type": {"f16": 12, "f32": {"a": 1}}, "none": None},
        (Table("layers", ("name", "size"), (("a", 1000), ("bb", 2))),),
        ("careful",),
    )
    assert format_finding(finding).splitlines() == [
        "x.bin: a thing",
        "",
        "parameters  1,234,567",
        "by type",
        "  f16       12",
        "  f32",
        "    a       1",
        "none        –",
        "",
        "layers:",
        "name   size",
        "a     1,000",
        "bb        2",
        "",
        "Note: careful",
    ]
    assert finding.to_dict()["layers"] == [{"name": "a", "size": 1000}, {"name": "bb", "size": 2}]
