"""``optbench doctor``: a finding for each thing that it looks at."""

import json

import pytest

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
