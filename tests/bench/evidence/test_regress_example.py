"""The example of regress: three changes of an optimizer that takes the same step."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.evidence import regress_example as example
from bench.evidence import scratch
from bench.support import console
from tests.bench.evidence.scripts import call, help_of, stepped

CHANGES = {
    "innocent": example._INNOCENT,
    "copy": example._COPY,
    "sleep": example._sleeping(1e-6),
}


@pytest.mark.parametrize("source", CHANGES.values(), ids=CHANGES)
def test_a_change_takes_the_same_step(source: str) -> None:
    assert source != scratch.OPTIMIZER
    assert stepped(source) == stepped(scratch.OPTIMIZER)


def document(step_s: float, verdict: str) -> dict[str, Any]:
    lines = [
        {"quantity": name, "base_s": seconds, "verdict": verdict,
         "estimate": {"ratio": 1.1, "low": 1.05, "high": 1.15}}
        for name, seconds in (("forward", 0.008), ("step", step_s))
    ]  # fmt: skip
    return {"lines": lines}


def test_the_sleep_is_a_tenth_of_the_measured_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All three are compared with the same commit, and what was measured is kept."""
    compared: list[str] = []

    def told(folder: Path, *command: str, fine: tuple[int, ...] = (0,)) -> str:
        if "regress" not in command:
            return ""
        assert command[-5:] == ("regress", "main", "-o", "mine:Mine", "--json")
        assert fine == (0, 3)
        compared.append((folder / "mine.py").read_text())
        return json.dumps(document(0.0006, "slower" if len(compared) > 1 else "unchanged"))

    monkeypatch.setattr(scratch, "call", told)
    monkeypatch.setenv("COLUMNS", "100")
    console._console.cache_clear()
    call(example.main, monkeypatch, "--output", str(tmp_path / "new"))
    console._console.cache_clear()
    assert compared == [example._INNOCENT, example._COPY, example._sleeping(0.1 * 0.0006)]
    assert "time.sleep(6e-05)" in compared[-1]
    kept = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "new").iterdir()}
    assert kept.keys() == CHANGES.keys()
    assert kept["copy"] == document(0.0006, "slower")
    shown = capsys.readouterr().out
    assert "1.100 (1.050–1.150)" in shown
    assert example._rows({"copy": kept["copy"]}) == [
        ["copy", "forward", "8", "1.100 (1.050–1.150)", "slower"],
        ["copy", "step", "0.6", "1.100 (1.050–1.150)", "slower"],
    ]


def test_it_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--output OUTPUT" in help_of(example.main, monkeypatch, capsys)
