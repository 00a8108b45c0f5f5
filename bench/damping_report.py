"""What a sweep found and recommends, for people: sentences, tables, figures, ``report.md``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import damping, damping_plots, damping_text, plots, summary, tables
from bench.damping import Recommendation, Swept
from bench.markdown import escape, folder_for, origin, table
from bench.markdown import write as write_markdown
from bench.record import RunRecord
from bench.rivals import Rival, rivals
from bench.sweeps.outcome import Outcome

SHARED_NOTE = (
    "These runs shared the machine, several at a time: their times are no timings. 'optbench run' "
    "with the recommended setting measures what it costs."
)


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What is said of one label.

    Attributes:
        found: The recommendation.
        runs: Records of the recommended setting.
        curvature: Its curvature, first and last; see ``bench.summary.Row``. Empty without one.
        rivals: It against labels without curvature, at their recommended settings; the best first.
    """

    found: Recommendation
    runs: Sequence[RunRecord]
    curvature: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    rivals: Sequence[Rival] = ()

    @property
    def label(self) -> str:
        """The label."""
        return self.found.swept.label

    @property
    def sentences(self) -> list[str]:
        """What to take, why, and how it stands against the others."""
        said = [damping_text.sentence(self.found)]
        if self.curvature:
            shares = {name: tables.change(*self.curvature[name]) for name in self.curvature}
            said.append(
                f"There the effective curvature share is {shares['share']} plain and "
                f"{shares['weighted_share']} weighted by squared gradient, from the first to the "
                "last iteration (0: plain gradient descent with lr / damping, 1: undamped)."
            )
        return [*said, *damping_text.rivalry(self.rivals)]

    @property
    def warnings(self) -> list[str]:
        """What to know before relying on it; where there is no recommendation, that is said."""
        return self.found.warnings if self.found.chosen else []

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        chosen = self.found.chosen
        return self.found.to_json() | {
            "sentences": self.sentences,
            "set": tables.assignments(chosen.settings) if chosen else None,
            "curvature": dict(self.curvature),
            "rivals": [rival.to_json() for rival in self.rivals],
        }


def advise(outcome: Outcome) -> list[Advice]:
    """Recommend a setting for every label, and compare labels that have curvature with the rest.

    Where all labels have curvature, or none, the first is compared with the others.
    """
    found = [damping.recommend(s, with_label=len(outcome.swept) > 1) for s in outcome.swept]
    runs = [outcome.of(one.swept.label, one.chosen.settings) if one.chosen else [] for one in found]
    curved = [_curved(outcome, one.swept) for one in found]
    if all(curved) or not any(curved):
        curved = [index == 0 for index in range(len(found))]
    rest = [one for one, has in zip(found, curved, strict=True) if not has]
    return [
        Advice(
            found=one,
            runs=own,
            curvature=summary.curvature(own),
            rivals=rivals(one, rest) if has else [],
        )
        for one, own, has in zip(found, runs, curved, strict=True)
    ]


def _curved(outcome: Outcome, swept: Swept) -> bool:
    """Whether a label has curvature, as its runs tell."""
    return any(run.curvature for cell, run in outcome.full if cell.label == swept.label)


def notes(outcome: Outcome, advice: Sequence[Advice]) -> list[str]:
    """What concerns the sweep as a whole."""
    said = []
    if all(_curved(outcome, one.found.swept) for one in advice):
        labels = ",".join([*outcome.record.experiment.optimizers, "sgd", "adam"])
        said.append(
            "Nothing tells yet whether curvature pays here: sweep SGD and Adam beside it, with as "
            f"many settings each, as in -o {labels}"
        )
    if outcome.shared:
        said.append(SHARED_NOTE)
    return said


def write(folder: Path, outcome: Outcome, advice: Sequence[Advice]) -> Path:
    """Write the report of a sweep.

    Args:
        folder: Where to; ``report.md`` and its figures there are replaced.
        outcome: The sweep.
        advice: What is recommended.

    Returns:
        The path of ``report.md``.

    Raises:
        UsageError: The report cannot be written there.
    """
    folder_for(folder)
    experiment = outcome.record.experiment
    labels = ", ".join(one.label for one in advice)
    parts = [f"# {escape(f'Sweep of {labels} on {experiment.problem}')}"]
    for index, one in enumerate(advice):
        parts += [
            f"## {escape(one.label)}",
            *map(escape, one.sentences),
            *(f"**Note:** {escape(warning)}" for warning in one.warnings),
            table(damping_text.table(one.found)),
            *_figures(folder, one, f"-{index}" if len(advice) > 1 else ""),
        ]
    parts += _comparison(folder, [one.found for one in advice])
    parts += ["## Origin", *notes(outcome, advice), _origin(outcome)]
    return write_markdown(folder / "report.md", parts)


def _figures(folder: Path, one: Advice, suffix: str) -> list[str]:
    """The figures of one label, each if there is something to draw; what refers to them."""
    swept, parts = one.found.swept, []
    if swept.axes and (swept.trials or swept.dropped):
        plots.save(damping_plots.heat_map(one.found), folder / f"map{suffix}")
        parts.append(f"![Score of every setting, with the plateau](map{suffix}.png)")
    numeric = [name for name in swept.numeric_axes if len(swept.axes[name]) > 1]
    if numeric and swept.usable:
        figure = damping_plots.sensitivity([one.found], numeric[0])
        plots.save(figure, folder / f"sensitivity{suffix}")
        parts.append(f"![Score against {escape(numeric[0])}](sensitivity{suffix}.png)")
    if any(run.curvature for run in one.runs):
        plots.save(damping_plots.spectrum(one.runs), folder / f"spectrum{suffix}")
        parts.append(
            f"![Quantiles of the curvature diagonal over training, with the damping]"
            f"(spectrum{suffix}.png)"
        )
    return parts


def _comparison(folder: Path, found: Sequence[Recommendation]) -> list[str]:
    """Several labels in one figure, against damping or else the first number swept."""
    if len(found) < 2 or not any(one.swept.usable for one in found):
        return []
    axes = [name for one in found for name in one.swept.numeric_axes]
    if not axes:
        return []
    axis = "damping" if "damping" in axes else axes[0]
    plots.save(damping_plots.sensitivity(found, axis), folder / "comparison")
    return ["## All of them", f"![Best score of each, against {escape(axis)}](comparison.png)"]


def _origin(outcome: Outcome) -> str:
    record, experiment = outcome.record, outcome.record.experiment
    asked = (
        f"- Sweep: `{experiment.name}`, strategy {experiment.strategy}, objective "
        f"{escape(experiment.objective)}"
    )
    return f"{asked}\n{origin([run for _, run in outcome.full], record.command)}"
