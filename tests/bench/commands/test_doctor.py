"""``optbench doctor``: a finding for each thing that it looks at."""

import json

import pytest

from bench.machine import doctor as machine_doctor
from bench.machine.doctor import Finding
from tests.bench.commands.typed import optbench

pytestmark = pytest.mark.usefixtures("here")


def test_doctor_looks_at_everything() -> None:
    findings = json.loads(optbench("doctor", "--json").stdout)
    subjects = [finding["subject"] for finding in findings]
    assert subjects == [
        "load", "steal", "governor", "cores", "threads", "allocator", "memory", "gpu", "noise",
    ]  # fmt: skip
    assert all(finding["message"] for finding in findings)
    (tuned,) = (finding for finding in findings if finding["subject"] == "allocator")
    assert "OPTBENCH_MALLOC=0" in tuned["message"] or "nothing to tune" in tuned["message"]


def test_the_table_says_what_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding that is not fine is one to look at; what cannot be read has a dash."""
    made = [
        Finding("load", True, "idle"),
        Finding("noise", False, "loud"),
        Finding("gpu", None, ""),
    ]
    monkeypatch.setattr(machine_doctor, "examine", lambda: made)
    _, *lines = optbench("doctor").stdout.splitlines()
    words = [line.split() for line in lines if line.strip()]
    assert words[-3:] == [["load", "fine", "idle"], ["noise", "look", "loud"], ["gpu", "–"]]
