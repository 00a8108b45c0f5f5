"""Flipped bits of real records: none lies, and one that would is told from one that does not."""

import math

import pytest

from bench.evidence import bit_flips
from bench.runs import store
from tests.bench.evidence.scripts import call, help_of
from tests.bench.records import made_record


def test_no_flip_changes_a_record_silently(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(bit_flips.main, monkeypatch, "--flips", "600", "--seed", "1")
    assert capsys.readouterr().out == (
        "600 random bit flips over 3 records: 600 refused, 0 harmless, 0 silent\n"
    )


def test_the_records_are_of_the_kinds_that_they_are_called() -> None:
    completed, diverged, curved = bit_flips.records()
    assert (completed.status, len(completed.evaluations)) == ("completed", 4)
    assert (diverged.status, diverged.diverged_at) == ("diverged", len(diverged.iterations) - 1)
    assert not math.isfinite(diverged.values["loss"][-1])
    assert (curved.status, bool(curved.curvature)) == ("completed", True)


def test_without_a_checksum_flips_lie_or_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that none was found is no fault of the search."""
    record = made_record(losses=[1.0, math.nan], status="diverged", diverged_at=1)
    content = store.encode(record)
    monkeypatch.setattr(store, "_checksum", lambda *_: store._around_seal(content)[1])
    bits = {name: 8 * content.index(text) for name, text in (("value", b"2.3"), ("seal", b"SHA"))}
    assert bit_flips.outcome(record, content, bits["value"]) == "silent"
    assert bit_flips.outcome(record, content, bits["seal"]) == "refused"
    created_by = 8 * content.rindex(b"parquet-cpp")
    assert bit_flips.outcome(record, content, created_by) == "harmless"


def test_it_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--flips FLIPS" in help_of(bit_flips.main, monkeypatch, capsys)
