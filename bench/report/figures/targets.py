"""Time to target, and performance profiles over comparisons, targets and seeds."""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawn

from bench.comparison.analysis import Analysis, Profiles
from bench.report.document import Figure, Scale, Series, Variant
from bench.report.figures import axes as drawing
from bench.report.figures import style
from bench.report.figures.axes import AXES, Items
from bench.statistics.intervals import Spread
from bench.statistics.profiles import Profile
from bench.support.text import short

Spreads = Mapping[int, Mapping[int, Spread]]


def times_to_targets(one: Analysis, items: Items, stem: str) -> list[Figure]:
    """What it took to reach each target, in iterations, seconds and gradient-equivalents.

    Args:
        one: The group.
        items: The optimizers that are drawn.
        stem: What the names of the files begin with.
    """
    found = []
    metric = f"{one.split} {one.metric}"
    for unit in AXES:
        spreads = {
            index: {
                position: spread
                for position, level in enumerate(one.targets)
                if (spread := one.spread_to(level, item.label, unit)) is not None
            }
            for index, item in items
        }
        medians = [spread.median for own in spreads.values() for spread in own.values()]
        if not any(0 < median < math.inf for median in medians):
            continue
        name = drawing.axis_name(unit)
        draw = partial(_draw_times, one=one, items=items, spreads=spreads, name=name)
        found.append(
            Figure(
                stem=f"{stem}-target-{unit}",
                title=f"{name[0].upper()}{name[1:]} to a {metric}",
                alt=_alt(one, items, spreads, f"Median {name} until {metric} reaches a target"),
                variants=[Variant(draw=partial(draw, y=y), y=y) for y in ("log", "linear")],
            )
        )
    return found


def _alt(one: Analysis, items: Items, spreads: Spreads, what: str) -> str:
    said = []
    for index, item in items:
        times = [
            f"{one.targets[position]:g} "
            + (f"after {spread.median:.3g}" if spread.median < math.inf else "never")
            for position, spread in spreads[index].items()
        ]
        if times:
            said.append(f"{item.label} reaches {', '.join(times)}")
    return f"{what}: {'; '.join(said)}."


def _draw_times(*, one: Analysis, items: Items, spreads: Spreads, name: str, y: Scale) -> Drawn:
    """Targets side by side, each optimizer's median with its interval; misses at the top."""
    everything = [spread for own in spreads.values() for spread in own.values()]
    ends = [value for s in everything for value in (s.low, s.median, s.high)]
    finite = [value for value in ends if 0 < value < math.inf]
    missed = max(finite) * (1.7 if y == "log" else 1.15)
    lowest = min(finite) / 1.5 if y == "log" else 0.0
    width = 0.8 / len(items)
    with mpl.rc_context(style.STYLE):
        figure, axes = drawing.empty([item.label for _, item in items])
        for order, (index, item) in enumerate(items):
            shift = (order - (len(items) - 1) / 2) * width
            for number, (position, spread) in enumerate(spreads[index].items()):
                low, middle, high = np.clip(
                    [spread.low, spread.median, spread.high], lowest, missed
                )
                x = position + shift
                lines = axes.plot([x, x], [low, high], color=item.colour, lw=1.4)
                lines += axes.plot(
                    x, middle, item.marker, color=item.colour, ms=6, mew=1.4,
                    mfc=item.colour if spread.median < math.inf else "none",
                    label=drawing.KEY if number == 0 else None,
                )  # fmt: skip
                drawing.mark(lines, index)
        _targets_axis(axes, one)
        axes.set_ylabel(name)
        if y == "log":
            axes.set_ylim(lowest, missed * 1.4)
            style.log_scale(axes)
        else:
            axes.set_ylim(0, missed * 1.1)
        if max(ends) == math.inf:
            axes.axhline(missed, color="#8a8a8a", lw=0.8, ls="--", zorder=0)
            axes.annotate(
                "never (∞)", (0.01, missed), xycoords=("axes fraction", "data"), xytext=(0, 3),
                textcoords="offset points", fontsize=8,
            )  # fmt: skip
        drawing.legend(figure, axes, {index: item.label for index, item in items})
    return figure


def _targets_axis(axes: Axes, one: Analysis) -> None:
    axes.set_xticks(range(len(one.targets)), [f"{level:g}" for level in one.targets])
    axes.set_xlim(-0.6, len(one.targets) - 0.4)
    axes.set_xlabel(short(f"{one.split} {one.metric}"))
    axes.grid(visible=False, axis="x")


def performance_profiles(found: Profiles, known: Sequence[Series]) -> list[Figure]:
    """Performance profiles in iterations and in seconds.

    Args:
        found: The profiles; labels that are not drawn are left out.
        known: All optimizers of the report.
    """
    index = {item.label: number for number, item in enumerate(known)}
    drawn = [(column, index[label]) for column, label in enumerate(found.labels) if label in index]
    figures = []
    for unit, profile in found.by_unit.items():
        ends = "; ".join(
            f"{known[number].label} is the fastest in {100 * profile.shares[0, column]:.0f} % and "
            f"gets there in {100 * profile.shares[-1, column]:.0f} %"
            for column, number in drawn
        )
        items = [(number, known[number]) for _, number in drawn]
        shares = [profile.shares[:, column] for column, _ in drawn]
        figures.append(
            Figure(
                stem=f"profile-{unit}",
                title=f"Performance profile, {unit}",
                alt=f"Share of instances against the ratio to the fastest, in {unit}: {ends}.",
                variants=[Variant(draw=partial(_draw_profile, profile, items, shares), x="log")],
            )
        )
    return figures


def _draw_profile(profile: Profile, items: Items, shares: Sequence[drawing.Array]) -> Drawn:
    end = max(2.0, 1.15 * float(profile.ratios[-1]))
    x = np.append(profile.ratios, end)
    with mpl.rc_context(style.STYLE):
        figure, axes = drawing.empty([item.label for _, item in items])
        for (number, item), share in zip(items, shares, strict=True):
            lines = axes.step(
                x, 100 * np.append(share, share[-1]), where="post", color=item.colour,
                ls=item.dash, label=drawing.KEY, marker=item.marker, ms=4,
                markevery=max(1, len(x) // 6),
            )  # fmt: skip
            drawing.mark(lines, number)
        axes.set_xscale("log")
        axes.set_xlim(1, end)
        style.log_ticks(axes.xaxis, 1, end)
        axes.set_ylim(-3, 103)
        axes.set_xlabel("at most so many times the fastest")
        axes.set_ylabel("% of targets and seeds")
        drawing.legend(figure, axes, {index: item.label for index, item in items})
    return figure
