"""What is in a report: from results folders, from one comparison, or from one sweep."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from bench.comparison.analysis import Analysis, Target, analyse, profiles
from bench.errors import unknown
from bench.recommend import wording
from bench.regress import history
from bench.report.document import Figures, Paragraph, Report, Section, Series
from bench.report.figures import axes, targets
from bench.report.material import Material, selected
from bench.report.sections import answer, comparison, main_table, sweeps, throughput
from bench.report.sections.caveats import caveats
from bench.runs.record import RunRecord
from bench.support.text import plural
from bench.sweeps import advice as advising
from bench.sweeps.advice import Advice
from bench.sweeps.outcome import Outcome


def of_results(
    material: Material,
    command: str,
    *,
    problems: Sequence[str] = (),
    labels: Sequence[str] = (),
    wanted: Sequence[Target] = (),
    sigma: float | None = None,
) -> Report:
    """A report of all that results folders hold.

    Args:
        material: What they hold.
        command: The command line that makes the report.
        problems: Only these; all if empty.
        labels: Only these optimizers, by label; all if empty.
        wanted: Targets as (metric, level); chosen from the runs if there are none.
        sigma: Standard deviation of the metric between seeds, if it is known.

    Raises:
        UsageError: A problem, label or metric that no run has.
    """
    metrics = {name for record in material.records for name in record.metrics}
    for name, _ in wanted:
        if name not in metrics:
            raise unknown("metric", name, sorted(metrics))
    records, found, swept = selected(material, problems, labels)
    analyses = [analyse(group, wanted, sigma=sigma) for group in found]
    advised = [(one, advising.advise(one)) for one in swept]
    suite = {
        phase: history.series([], material.baselines, phase) for phase in throughput.SUITE_PHASES
    }
    extra = [
        throughput.over_time(history.series(records, material.baselines, history.TOTAL)),
        throughput.suite(suite),
        *(throughput.calibration(folder) for folder in material.folders),
    ]
    return _compose(analyses, advised, [part for part in extra if part], command)


def of_comparison(analysis: Analysis, command: str) -> Report:
    """A report of one comparison, as ``optbench run`` makes it."""
    return _compose([analysis], [], [], command)


def of_sweep(outcome: Outcome, advice: Sequence[Advice], command: str) -> Report:
    """A report of one sweep."""
    return _compose([], [(outcome, advice)], [], command)


def _compose(
    analyses: Sequence[Analysis],
    advised: Sequence[tuple[Outcome, Sequence[Advice]]],
    extra: Sequence[Section],
    command: str,
) -> Report:
    known = axes.series(analyses)
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
        warnings=caveats(analyses, [outcome for outcome, _ in advised]),
        table=main_table.table(analyses, known) if analyses else None,
        series=known,
        sections=sections,
        identity=identity,
        cite=_cite(title, identity, [run for run in runs.values() if not run.refusal]),
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
    untimed = (
        ""
        if "seconds" in found.by_unit
        else " None in seconds: there are too few timings that all of them have."
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
                Figures(figures=targets.performance_profiles(found, known)),
                Paragraph(
                    text="For each optimizer, the share of instances (a comparison, a target and a "
                    "seed) that it reached within so many times what the fastest one took: at "
                    "the left how often it is the fastest, at the right how often it gets there at "
                    f"all (Dolan and Moré, 2002). Instances: {counts}.{untimed}{left_out}"
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
        labels = [row.label for row in analyses[0].rows]
        problem = analyses[0].group.first.config["problem"]
        named = ", ".join(labels) if len(labels) <= 5 else f"{len(labels)} optimizers"
        return f"{problem}: {named}"
    if len(advised) == 1 and not analyses:
        return sweeps.title(advised[0][0])
    parts = []
    for count, name in ((len(analyses), "comparison"), (len(advised), "sweep")):
        if count:
            parts.append(plural(count, name))
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
        said += [before + wording.headline(item.found) for item in advice]
        said += [before + text for text in outcome.refused.values()]
    if not said and not extra:
        said.append("There are no finished runs here yet: 'optbench run' makes some.")
    return said


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
    count = plural(len(runs), "run")
    return f"optbench report {identity}. {title}. {count}, {when}, {machines}, torch {torch}."
