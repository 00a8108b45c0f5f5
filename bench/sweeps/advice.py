"""What a sweep found and recommends, for people, in sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.comparison import summary
from bench.recommend import recommendation, wording
from bench.recommend.recommendation import Recommendation
from bench.recommend.rivals import Rival, rivals
from bench.recommend.swept import Swept
from bench.runs import settings
from bench.runs.record import RunRecord
from bench.support import numbers
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
        curvature: Its curvature, first and last; see ``bench.comparison.summary.Row``.
            Empty without one.
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
        said = [wording.sentence(self.found)]
        if self.curvature:
            shares = {name: numbers.change(*self.curvature[name]) for name in self.curvature}
            said.append(
                f"There the effective curvature share is {shares['share']} plain and "
                f"{shares['weighted_share']} weighted by squared gradient, from the first to the "
                "last iteration (0: plain gradient descent with lr / damping, 1: undamped)."
            )
        return [*said, *wording.rivalry(self.rivals)]

    @property
    def warnings(self) -> list[str]:
        """What to know before relying on it; where there is no recommendation, that is said."""
        return self.found.warnings if self.found.chosen else []

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        chosen = self.found.chosen
        return self.found.to_json() | {
            "sentences": self.sentences,
            "set": settings.assignments(chosen.settings) if chosen else None,
            "curvature": dict(self.curvature),
            "rivals": [rival.to_json() for rival in self.rivals],
        }


def advise(outcome: Outcome) -> list[Advice]:
    """Recommend a setting for every label, and compare labels that have curvature with the rest.

    Where all labels have curvature, or none, the first is compared with the others.
    """
    several = len(outcome.swept) + len(outcome.refused) > 1
    found = [recommendation.recommend(swept, with_label=several) for swept in outcome.swept]
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
