"""``edgeage doctor``: how findings are shown, and the exit status."""

from __future__ import annotations

import json

import pytest

from edgeage import doctor
from edgeage.doctor import NOT_NEEDED, OK, PROBLEM, WARNING, Finding
from edgeage.movidius.udev import RULE

FINE = Finding("Python", OK, "3.13")
SLOW = Finding("1-2", WARNING, "USB 2", "# move it")
MISSING = Finding("tools", NOT_NEEDED, "not installed", "install them")
BROKEN = Finding("udev rule", PROBLEM, "there is none", "first command\nsecond command")


@pytest.fixture
def found(monkeypatch):
    def install(*findings):
        monkeypatch.setattr(doctor, "examine", lambda: iter(findings))

    return install


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([FINE], 0),
        ([FINE, SLOW, MISSING], 0),
        ([FINE, BROKEN], 1),
        ([BROKEN, FINE], 1),
    ],
)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_only_a_problem_fails(options, findings, status, cli, found):
    found(*findings)
    done = cli("doctor", *options)
    assert (done.exit_code, done.stderr) == (status, "")


def test_findings_with_their_remedies_below(cli, found):
    found(FINE, BROKEN, MISSING)
    assert cli("doctor").stdout == (
        "ok          Python: 3.13\n"
        "problem     udev rule: there is none\n"
        "                first command\n"
        "                second command\n"
        "not needed  tools: not installed\n"
        "                install them\n"
    )


def test_json_is_one_document(cli, found):
    found(FINE, BROKEN)
    document = json.loads(cli("doctor", "--json").stdout)
    assert document["healthy"] is False
    assert document["findings"][1] == {
        "check": "udev rule",
        "status": "problem",
        "text": "there is none",
        "remedy": "first command\nsecond command",
    }


def test_the_udev_rule_alone_is_printed_and_nothing_is_checked(cli, found):
    found(BROKEN)
    done = cli("doctor", "--udev")
    assert (done.exit_code, done.stdout, done.stderr) == (0, RULE, "")
