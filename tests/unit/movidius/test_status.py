from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from edgeage.movidius.status import check_toolchain, toolchain_status
from edgeage.movidius.toolchain import Toolchain

pytestmark = pytest.mark.usefixtures("home")

_GOOD: dict[str, Any] = {
    "version": "2021.4.2-3976",
    "devices": ["CPU"],
    "myriad_plugin": {"ok": True, "detail": "2021.4.2-3976"},
    "cpu": {"ok": True, "detail": "a small net runs"},
    "blob": {"ok": True, "detail": "a small net compiles with no stick"},
}
_CAFFE: dict[str, Any] = {"version": "1.0.0", "missing_layers": []}


def tools(folder: Path, openvino: Any = None, caffe: Any = None, *, managed: bool = True) -> Any:
    """A stand-in Python that answers the two questions of the probe; None dies with a word."""
    python = folder / "python"
    # Of the shell's own words, since PATH is empty. The request has no newline at its end.
    lines = ["#!/bin/sh", 'read -r asked < "$2/request.json"', 'case "$asked" in']
    for what, answer in (("openvino", openvino), ("caffe", caffe)):
        said = shlex.quote(json.dumps(answer))
        act = "echo Segmentation fault" if answer is None else f'echo {said} > "$2/reply.json"'
        lines.append(f"*{what}*) {act};;")
    python.write_text("\n".join([*lines, "esac", ""]))
    python.chmod(0o755)
    return Toolchain(python, managed=managed)


def test_all_well(tmp_path):
    status = check_toolchain(tools(tmp_path, _GOOD, _CAFFE))
    assert status.present
    assert status.works
    assert status.remedies == ()
    assert status.devices == ("CPU",)
    document = status.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert [check["name"] for check in document["checks"]] == [
        "openvino", "myriad_plugin", "cpu", "blob", "caffe",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("openvino", "caffe", "name", "words"),
    [
        pytest.param(None, _CAFFE, "openvino", "Segmentation fault", id="openvino dies"),
        pytest.param({"error": "openvino cannot be imported: x"}, _CAFFE, "openvino", "imported",
                     id="no openvino"),
        pytest.param({**_GOOD, "version": "2022.3.0"}, _CAFFE, "openvino", "2022.3.0",
                     id="another version"),
        pytest.param({**_GOOD, "myriad_plugin": {"ok": False, "detail": "libusb-1.0.so.0: no"}},
                     _CAFFE, "myriad_plugin", "libusb", id="no libusb"),
        pytest.param({**_GOOD, "cpu": {"ok": False, "detail": "wrong"}}, _CAFFE, "cpu", "wrong",
                     id="CPU plugin"),
        pytest.param({**_GOOD, "blob": {"ok": False, "detail": "left no blob"}}, _CAFFE, "blob",
                     "no blob", id="no blob"),
        pytest.param(_GOOD, None, "caffe", "Segmentation fault", id="caffe dies"),
        pytest.param(_GOOD, {**_CAFFE, "missing_layers": ["Data"]}, "caffe", "without the layers",
                     id="caffe without LMDB"),
    ],
)  # fmt: skip
def test_what_does_not_work_is_named_with_its_remedy(openvino, caffe, name, words, tmp_path):
    status = check_toolchain(tools(tmp_path, openvino, caffe))
    assert not status.works
    (failed,) = [check for check in status.checks if not check.ok]
    assert failed.name == name
    assert words in failed.detail
    assert "edgeage toolchain install --force" in failed.remedy
    assert status.remedies == (failed.remedy,)


def test_a_missing_libusb_is_mended_by_the_system_too(tmp_path):
    lacking = {**_GOOD, "myriad_plugin": {"ok": False, "detail": "libusb-1.0.so.0: no such file"}}
    (remedy,) = check_toolchain(tools(tmp_path, lacking, _CAFFE)).remedies
    assert remedy.startswith("sudo apt install libusb-1.0-0")


def test_a_python_of_the_users_own_needs_only_what_runs_a_stick(tmp_path):
    arm = {
        **_GOOD,
        "version": "2022.3.2",
        "blob": {"ok": False, "detail": "no such option"},
        "cpu": {"ok": False, "detail": "no such plugin"},
    }
    status = check_toolchain(tools(tmp_path, arm, {"error": "no caffe"}, managed=False))
    assert status.works
    arm["myriad_plugin"] = {"ok": False, "detail": "not in this build"}
    status = check_toolchain(tools(tmp_path, arm, {"error": "no caffe"}, managed=False))
    assert not status.works
    assert "2022.3 archives" in status.remedies[0]


def test_none_at_all(tmp_path):
    status = toolchain_status()
    assert not status.present
    assert not status.works
    assert "not installed" in status.problem
    assert status.remedies == ("edgeage toolchain install",)
    assert status.to_dict()["python"] is None


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "JSON"])
@pytest.mark.parametrize("works", [False, True], ids=["broken", "works"])
def test_the_command(works, as_json, tmp_path, cli):
    python = tools(tmp_path, _GOOD if works else None, _CAFFE).python
    done = cli("toolchain", "status", "--python", python, *(["--json"] if as_json else []))
    assert done.exit_code == (0 if works else 1)
    if as_json:
        assert json.loads(done.stdout)["works"] is works
        assert done.stderr == ""
    else:
        assert done.stdout.splitlines()[-1] == ("works" if works else "does not work")
        assert done.stderr.startswith("To mend it: ") is not works


def test_the_command_where_there_is_nothing(cli, tmp_path):
    done = cli("toolchain", "status")
    assert done.exit_code == 1
    assert "not installed" in done.stdout
    assert done.stderr == "To mend it: edgeage toolchain install\n"
    done = cli("toolchain", "remove")
    assert done.exit_code == 0
    assert done.stdout.startswith("nothing to remove")
    assert json.loads(cli("toolchain", "remove", "--json").stdout)["folders"] == 0
    done = cli("toolchain", "install", "--python", tmp_path / "none")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1
