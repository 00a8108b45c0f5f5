"""The present code against a stored file: what is judged, and what is refused."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import UsageError
from bench.regress import against_baseline, baseline, presentation
from bench.regress.baseline import Stored
from bench.regress.outcome import Outcome
from tests.bench.regress.baselines import MACHINE, PHASES, document, stored
from tests.packages import installed


class FakeSuite:
    """Stands in for runs of the suite, with costs that scatter by 1 %."""

    def __init__(self, folder: Path, costs: Mapping[str, float], **machine: Any) -> None:
        self._folder, self._costs, self._machine = folder, costs, machine
        self._generator, self.runs, self.data = np.random.default_rng(0), 0, "mnist"
        self.benchmarks = tuple(item["name"] for item in document(costs)["benchmarks"])
        self.unknown = ("Unknown optimizer 'x'.",)

    def run(self, names: Sequence[str], rounds: int) -> Stored:
        self.runs += 1
        assert rounds == 7  # as many as the file has
        path = self._folder / "head.json"
        made = document(self._costs, **self._machine)
        for item in made["benchmarks"]:
            item["extra_info"]["data"] = self.data
            noise = float(np.exp(self._generator.normal(0, 0.01)))
            for of in ("relative_cost", "relative_cost_median"):
                item["extra_info"][of] *= noise
        path.write_text(json.dumps(made))
        return baseline.read(path)


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> Any:
    def compared(base: Stored, suite: FakeSuite, **options: Any) -> Outcome:
        monkeypatch.setattr(against_baseline._Suite, "matching", lambda _: suite)
        monkeypatch.setattr(against_baseline, "_machine", lambda: MACHINE)
        defaults: dict[str, Any] = {
            "threshold": lambda *_: 0.025, "budget_s": 1e-9, "any_machine": False,
            "on_launch": lambda *_: None,
        }  # fmt: skip
        return against_baseline.compare(base, **(defaults | options))

    return compared


def test_a_higher_relative_cost_is_slower_and_an_equal_one_is_not(
    tmp_path: Path, compare: Any
) -> None:
    base = stored(tmp_path, {"sgd": 1.05, "adam": 1.2})
    outcome = compare(base, FakeSuite(tmp_path, {"sgd": 1.05, "adam": 1.5}))
    assert {line.benchmark for line in outcome.slower} == {
        f"test_throughput[mnist_cnn-cpu-adam-{phase}]" for phase in PHASES
    }
    assert outcome.launches == 5
    (first, *_) = outcome.lines
    assert first.base == 1.05
    assert first.head == pytest.approx(1.05, rel=0.02)


def test_what_one_side_lacks_is_listed(tmp_path: Path, compare: Any) -> None:
    base = stored(tmp_path, {"sgd": 1.0, "gone": 1.0})
    outcome = compare(base, FakeSuite(tmp_path, {"sgd": 1.0, "new": 1.0}))
    assert len(outcome.vanished) == len(outcome.appeared) == 4
    appeared, vanished = presentation.of_file(outcome, "x").remarks
    assert appeared.startswith("4 appeared (not in the file): mnist_cnn-cpu-new-forward, ")
    assert vanished.startswith("4 vanished (only in the file): mnist_cnn-cpu-gone-forward, ")


def test_nothing_in_common_is_refused(tmp_path: Path, compare: Any) -> None:
    base, suite = stored(tmp_path, {"sgd": 1.0}), FakeSuite(tmp_path, {"adam": 1.0})
    with pytest.raises(UsageError, match="have no benchmark in common"):
        compare(base, suite)
    assert suite.runs == 0


def test_another_machine_or_library_is_refused_with_the_fields_named(
    tmp_path: Path, compare: Any
) -> None:
    base = stored(tmp_path, {"sgd": 1.0}, threads=8, versions={"torch": "2.13"})
    suite = FakeSuite(tmp_path, {"sgd": 1.0})
    with pytest.raises(
        UsageError, match=r"differ in threads \(8, now 2\); torch \(2.13, now 2.14\)"
    ):
        compare(base, suite)
    assert suite.runs == 0
    outcome = compare(base, suite, any_machine=True)
    differing = [text for text in outcome.complaints if "differ in" in text]
    assert len(differing) == 2
    assert "differ in threads (8, now 2)" in presentation.markdown(
        presentation.of_file(outcome, "x")
    )


def test_other_data_is_refused(tmp_path: Path, compare: Any) -> None:
    base, suite = stored(tmp_path, {"sgd": 1.0}), FakeSuite(tmp_path, {"sgd": 1.0})
    suite.data = "mnist-embedded"
    with pytest.raises(UsageError, match="measured on the data 'mnist', which is not at hand"):
        compare(base, suite)


def test_thresholds_go_by_the_names_that_regress_uses(tmp_path: Path, compare: Any) -> None:
    base = stored(tmp_path, {"mypkg:Mine": 1.0})
    seen: list[tuple[str, str]] = []

    def threshold(benchmark: str, phase: str) -> float:
        seen.append((benchmark, phase))
        return 0.5

    compare(base, FakeSuite(tmp_path, {"mypkg:Mine": 1.2}), threshold=threshold)
    assert seen == [("mnist_cnn/Mine", phase) for phase in ("forward", "backward", "step", "total")]


def test_the_suite_is_collected_and_run_in_processes_of_its_own(tmp_path: Path) -> None:
    """For real, on the smallest benchmark: from a file of the suite back to its own names."""
    name = "test_throughput[mnist_logreg-cpu-sgd-step]"
    made = document({"sgd": 1.0})
    made["benchmarks"] = made["benchmarks"][:1]
    made["benchmarks"][0]["name"] = name
    path = tmp_path / "b.json"
    path.write_text(json.dumps(made))
    suite = against_baseline._Suite.matching(baseline.read(path))
    assert name in suite.benchmarks
    assert len(suite.benchmarks) == 38 or torch.cuda.is_available()
    ran = suite.run([name], 3)
    assert list(ran.costs) == [name]
    assert ran.rounds == 3
    assert baseline.differences(ran.machine, against_baseline._machine()) == []


def test_few_rounds_and_an_overrun_budget_are_said_beside_the_verdict(
    tmp_path: Path, compare: Any
) -> None:
    outcome = compare(stored(tmp_path, {"sgd": 1.0}), FakeSuite(tmp_path, {"sgd": 1.0}))
    text = presentation.markdown(presentation.of_file(outcome, "x"))
    assert "- the file has only 7 rounds of a benchmark: take at least 10" in text
    assert "- the least of 5 runs of the suite took" in text


@pytest.mark.parametrize("release", ["8.3.*", "8.4.*", "9.0.*", ""])
def test_it_lives_with_every_pytest_from_8_3_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    """The last stands for the newest; collecting and running the suite, as ``--baseline`` does."""
    wanted = f"pytest=={release}" if release else "pytest"
    packages = installed(tmp_path / "packages", wanted)
    monkeypatch.setenv("PYTHONPATH", packages["PYTHONPATH"])
    version = against_baseline._python("-c", "import pytest; print(pytest.__version__)").strip()
    assert version.startswith(release.rstrip("*"))
    name = "test_throughput[mnist_logreg-cpu-sgd-step]"
    options = ("--optbench-optimizer=sgd",)
    assert name in against_baseline._collect(options)
    ran = against_baseline._Suite(options, (name,)).run([name], 3)
    assert list(ran.costs) == [name]
