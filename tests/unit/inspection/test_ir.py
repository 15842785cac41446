"""An IR is explained from its XML alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgeage.errors import ModelError
from edgeage.inspection import inspect_file, safexml


def _notes(path):
    return " | ".join(inspect_file(path).notes)


def test_says_what_is_in_it(write_ir):
    finding = inspect_file(write_ir())
    assert finding.summary == "OpenVINO IR version 10, f16 weights"
    assert finding.facts["read_by_openvino"].startswith("2020.1 and later")
    assert finding.facts["operation_sets"] == ["opset1"]
    assert finding.facts["weights_by_type"] == {"f16": 120}
    assert finding.facts["bin_fits"] is True
    ends, operations = finding.tables
    assert ends.rows == (
        ("input", "data", [1, 3, 4, 5], "u8"),
        ("output", "prob", [1, 2], "f32"),
    )
    assert ("SoftMax", "opset1", 1) in operations.rows
    assert finding.notes == ()


def test_of_the_compiler_itself(compiled_models):
    finding = inspect_file(compiled_models / "agenet" / "agenet.xml")
    assert finding.facts["info"]["edgeage/task"] == "age"
    assert finding.facts["bin_bytes"] == finding.facts["bin_bytes_needed"]
    assert finding.tables[0].rows == (
        ("input", "data", [1, 3, 67, 67], "u8"),
        ("output", "prob", [1, 9], "f32"),
    )


@pytest.mark.parametrize(
    ("version", "readers"),
    [
        (7, "releases up to 2021.4 only"),
        (11, "2022.1 and later (of the Movidius releases 2022.3, not 2021.4)"),
        (12, "unknown: newer than edgeage knows"),
    ],
)
def test_which_releases_read_it(version, readers, write_ir):
    assert inspect_file(write_ir(version=version)).facts["read_by_openvino"] == readers


def test_newer_operation_sets_are_named(write_ir):
    assert "it uses opset8, OpenVINO 2021.4 knows up to opset7" in _notes(write_ir(opset="opset8"))
    both = _notes(write_ir(opset="opset13"))
    assert "2022.3 knows up to opset10" in both


@pytest.mark.parametrize(
    ("bin_bytes", "note", "fits"),
    [
        (None, "small.bin is missing", False),
        (119, "has 119 bytes, the IR needs 120: it is cut short", False),
        (125, "has 5 bytes more than the IR uses", True),
    ],
)
def test_whether_the_bin_fits(bin_bytes, note, fits, write_ir):
    path = write_ir(bin_bytes=bin_bytes)
    assert note in _notes(path)
    assert inspect_file(path).facts["bin_fits"] is fits


def test_a_preprocess_section_is_warned_of(write_ir):
    more = '<pre-process mean-precision="FP32"><channel id="0"/></pre-process>'
    assert "OpenVINO 2022 and later do not read" in _notes(write_ir(more=more))


def test_telling_options_of_model_optimizer(write_ir):
    more = (
        '<meta_data><MO_version value="2021.4"/><cli_parameters><data_type value="FP16"/>'
        '<log_level value="ERROR"/></cli_parameters></meta_data>'
    )
    info = inspect_file(write_ir(more=more)).facts["info"]
    assert info == {"MO_version": "2021.4", "cli_parameters/data_type": "FP16"}


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    + ']><net name="&a9;" version="10"/>'
)
EXTERNAL = (
    '<?xml version="1.0"?><!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    '<net name="&x;" version="10"/>'
)
UNSAFE = {
    "entity bomb": (BOMB, "it has a document type"),
    "external entity": (EXTERNAL, "it has a document type"),
    "depth": ('<net version="10">' + "<a>" * 100 + "</a>" * 100 + "</net>", "more than 64 deep"),
    "version": ('<net version="ten"/>', "expected «net» with a version"),
    "huge version": (f'<net version="{"9" * 5000}"/>', "expected «net» with a version"),
}


@pytest.mark.parametrize(("text", "reason"), UNSAFE.values(), ids=UNSAFE)
def test_unsafe_xml_is_refused(text, reason, tmp_path):
    path = tmp_path / "x.xml"
    path.write_text(text)
    with pytest.raises(ModelError, match=reason):
        inspect_file(path)


def test_a_huge_file_is_not_read(write_ir, monkeypatch):
    monkeypatch.setattr(safexml, "MAX_BYTES", 1000)
    with pytest.raises(ModelError, match="more than the limit of 1,000"):
        inspect_file(write_ir())


def test_no_foreign_library_is_loaded(write_ir):
    program = (
        "import sys, pathlib; from edgeage.inspection import inspect_file;"
        f"inspect_file(pathlib.Path({str(write_ir())!r}));"
        "print(sorted({'openvino', 'cv2', 'torch', 'google.protobuf'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"
