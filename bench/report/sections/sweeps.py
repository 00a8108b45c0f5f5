"""What a report says of a sweep: the recommendation, its table and figures, where it comes from."""

from collections.abc import Sequence
from functools import partial

from bench.recommend import wording
from bench.recommend.recommendation import Recommendation
from bench.report.document import (
    Block,
    Facts,
    Figure,
    Figures,
    Folded,
    Heading,
    Paragraph,
    Section,
    Variant,
)
from bench.report.figures import heat_map, sensitivity, spectrum
from bench.report.sections import origin
from bench.report.sections.cells import plain_table
from bench.sweeps.advice import Advice, notes
from bench.sweeps.outcome import Outcome


def title(outcome: Outcome) -> str:
    """What was swept."""
    experiment = outcome.record.experiment
    labels = ", ".join(swept.label for swept in outcome.swept)
    return f"Sweep of {labels} on {experiment.problem}, {experiment.iterations} iterations"


def section(outcome: Outcome, advice: Sequence[Advice], index: int, command: str) -> Section:
    """All that is said of one sweep.

    Args:
        outcome: The sweep; at least one run of it finished.
        advice: What is recommended.
        index: Its place among the sweeps of the report.
        command: The command line that made the report.
    """
    stem = f"sweep-{index + 1}"
    blocks: list[Block] = [Paragraph(text=note) for note in notes(outcome, advice)]
    blocks += [Paragraph(text=text, warning=True) for text in outcome.refused.values()]
    for position, one in enumerate(advice):
        blocks += [
            Heading(text=one.label),
            *(Paragraph(text=sentence) for sentence in one.sentences),
            *(Paragraph(text=warning, warning=True) for warning in one.warnings),
            *_figures(one, f"{stem}-{position + 1}"),
            plain_table(f"Settings of {one.label}, best first", wording.table(one.found)),
        ]
    blocks += _together([one.found for one in advice], stem)
    runs = [run for _, run in outcome.full]
    experiment = outcome.record.experiment
    own = [
        ("Sweep", f"{experiment.name}, {experiment.strategy}, objective {experiment.objective}"),
        ("Swept by", outcome.record.command or "not recorded"),
    ]
    body = [
        [run.key, cell.label, str(cell.seed), cell.setting, run.status]
        for cell, run in outcome.full
    ]
    blocks += [
        Heading(text="Where this comes from"),
        Facts(pairs=[*own, *origin.facts(runs, command)]),
        Folded(
            summary=f"The runs behind the sweep ({len(runs)})",
            blocks=[
                plain_table(
                    "Runs with the whole budget",
                    (["run", "optimizer", "seed", "setting", "status"], body),
                    numeric=False,
                )
            ],
        ),
    ]
    return Section(title=title(outcome), anchor=stem, blocks=blocks)


def _figures(one: Advice, stem: str) -> list[Figures]:
    """The figures of one label, each if there is something to draw."""
    swept, figures = one.found.swept, []
    said = wording.sentence(one.found)
    if swept.axes and (swept.trials or swept.dropped):
        figures.append(
            Figure(
                stem=f"{stem}-map",
                title=f"{swept.label}: {swept.measure.name} of every setting",
                alt=f"Map of {swept.measure.name} over {', '.join(swept.axes)}. {said}",
                variants=[Variant(draw=partial(heat_map.heat_map, one.found))],
            )
        )
    numeric = [name for name in swept.numeric_axes if len(swept.axes[name]) > 1]
    if numeric and swept.usable:
        figures.append(
            Figure(
                stem=f"{stem}-sensitivity",
                title=f"{swept.label}: {swept.measure.name} against {numeric[0]}",
                alt=f"Lines of {swept.measure.name} against {numeric[0]}. {said}",
                variants=[Variant(draw=partial(sensitivity.sensitivity, [one.found], numeric[0]))],
            )
        )
    if any(run.curvature for run in one.runs):
        figures.append(
            Figure(
                stem=f"{stem}-spectrum",
                title=f"{swept.label}: quantiles of the curvature diagonal, with the damping",
                alt="Quantiles of the curvature diagonal over training by layer, with the damping, "
                f"of {swept.label} at its recommended setting.",
                variants=[Variant(draw=partial(spectrum.spectrum, one.runs))],
                wide=True,
            )
        )
    return [Figures(figures=figures, large=True)] if figures else []


def _together(found: Sequence[Recommendation], stem: str) -> list[Block]:
    """Several labels in one figure, against damping or else the first number swept."""
    axes = [name for one in found for name in one.swept.numeric_axes]
    if len(found) < 2 or not axes or not any(one.swept.usable for one in found):
        return []
    axis = "damping" if "damping" in axes else axes[0]
    figure = Figure(
        stem=f"{stem}-together",
        title=f"All of them against {axis}",
        alt=f"Best score of each optimizer against {axis}. "
        + " ".join(wording.sentence(one) for one in found),
        variants=[Variant(draw=partial(sensitivity.sensitivity, found, axis))],
        wide=True,
    )
    return [Heading(text="All of them"), Figures(figures=[figure])]
