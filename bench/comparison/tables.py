"""A summary's rows as cells of text, for the terminal and for Markdown alike."""

from collections.abc import Sequence

from bench.comparison.quantities import Quantity
from bench.comparison.summary import Row, uncovered
from bench.support import numbers

Table = tuple[list[str], list[list[str]]]

OVER_SEEDS = (
    "Medians over seeds, in brackets their 95 % interval; the range of fewer than six seeds."
)

CURVATURE_TITLE = "Effective curvature share, first to last iteration"
CURVATURE_NOTE = (
    "Effective curvature share: mean of d / (d + damping) over parameters, plain and weighted by "
    "squared gradient. Near 0 the method is plain gradient descent with lr / damping, near 1 it is "
    "undamped."
)


def convergence(rows: Sequence[Row]) -> Table:
    """Where each optimizer got to."""
    header, body = _table(rows, "convergence")
    runs = [numbers.statuses(row.statuses) for row in rows]
    return [*header, "runs"], [[*cells, told] for cells, told in zip(body, runs, strict=True)]


def length(rows: Sequence[Row]) -> Table:
    """How long each optimizer trained: worth telling where the budget is not in iterations."""
    header, body = _table(rows, "length")
    for row, cells in zip(rows, body, strict=True):
        told = row.target and row.applies
        reached = f"{row.reached} of {sum(row.statuses.values())}" if told else numbers.MISSING
        cells += [row.target or "–", reached]
    return [*header, "target", "reached it"], body


def lengths_differ(rows: Sequence[Row]) -> bool:
    """Whether runs could end at different iterations."""
    lengths = {value for row in rows for value in row.values["iterations"].values()}
    return len(lengths) > 1 or any(row.target for row in rows)


def cost(rows: Sequence[Row]) -> Table:
    """What an iteration of each optimizer costs."""
    return _table(rows, "cost")


def _table(rows: Sequence[Row], name: str) -> Table:
    """The quantities that the terminal has in one table."""
    found = shown(rows, name)
    body = [
        [
            row.label,
            *(
                (numbers.median if quantity.brief else numbers.spread)(
                    row.spreads.get(quantity.key), quantity.format
                )
                for quantity in found
            ),
        ]
        for row in rows
    ]
    return ["optimizer", *(quantity.title for quantity in found)], body


def shown(rows: Sequence[Row], *names: str) -> list[Quantity]:
    """The quantities of the terminal's tables of these names, in the catalogue's order."""
    known = {key: quantity for row in rows for key, quantity in row.quantities.items()}
    told = {key for row in rows for key in row.spreads}
    return [
        quantity
        for key, quantity in known.items()
        if quantity.table in names and (key in told or not quantity.optional)
    ]


def curvature(rows: Sequence[Row]) -> Table:
    """How much of each optimizer's step is curvature; only optimizers that have some."""
    header = ["optimizer", "damping", "plain share", "gradient-weighted share"]
    names = ("damping", "share", "weighted_share")
    body = [
        [row.label, *(numbers.change(*row.curvature[name]) for name in names)]
        for row in rows
        if row.curvature
    ]
    return header, body


def notes(rows: Sequence[Row]) -> list[str]:
    """What the tables of these rows mean."""
    helps: dict[str, list[str]] = {}
    for quantity in shown(rows, "convergence", "cost"):
        helps.setdefault(quantity.help, []).append(quantity.title)
    told = " ".join(
        f"{', '.join(titles).capitalize()}: {help_[0].lower()}{help_[1:]}"
        for help_, titles in helps.items()
    )
    curved = [CURVATURE_NOTE] if any(row.curvature for row in rows) else []
    said = [*(row.spoilt for row in rows), uncovered(rows)]
    return [OVER_SEEDS, told, *curved, *filter(None, said)]
