"""The example of a history: half of the sessions before a commit that slows the step down."""

from pathlib import Path

import pytest

from bench.evidence import history_example as example
from bench.evidence import scratch
from tests.bench.evidence.scripts import call, help_of, stepped


def test_the_slow_optimizer_takes_the_same_step() -> None:
    assert example.SLOW != scratch.OPTIMIZER
    assert stepped(example.SLOW) == stepped(scratch.OPTIMIZER)


def test_half_of_the_sessions_come_before_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What they leave behind is kept."""
    order: list[str] = []

    def called(folder: Path, *command: str) -> str:
        order.append(" ".join(word for word in command if word in ("commit", "run", "history")))
        if "run" in command:
            for part in ("runs", "report"):
                (folder / "results" / part).mkdir(parents=True, exist_ok=True)
                (folder / "results" / part / f"{len(order)}").touch()
        return "what history printed" if "history" in command else ""

    monkeypatch.setattr(scratch, "call", called)
    call(example.main, monkeypatch, "--sessions", "4", "--output", str(tmp_path))
    assert [word for word in order if word] == [
        "commit", "run", "run", "commit", "run", "run", "history",
    ]  # fmt: skip
    assert len(list((tmp_path / "runs").iterdir())) == 4
    assert (tmp_path / "report").is_dir()
    said = capsys.readouterr().out
    assert said.splitlines()[-2:] == ["session 4 of 4", "what history printed"]


def test_it_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--sessions SESSIONS" in help_of(example.main, monkeypatch, capsys)
