"""What a comparison found, in words: per iteration, per second, at which cost, and what is tied."""

import math
from collections.abc import Mapping, Sequence

from bench.comparison import groups
from bench.comparison.analysis import Analysis
from bench.comparison.quantities import Quantity
from bench.comparison.summary import Row
from bench.statistics.ranking import Ranking
from bench.support import numbers
from bench.support.numbers import milliseconds, significant, times

NAMED = 4


def sentences(one: Analysis) -> list[str]:
    """The answer of one group, a sentence each."""
    said = [_per_iteration(one), _per_second(one), _cost(one), *_lost(one)]
    said += [row.refusal for row in one.rows]
    return [sentence for sentence in said if sentence]


def _per_iteration(one: Analysis) -> str:
    """Who got furthest with the budget."""
    quantity = one.ranked
    ranking = one.rankings[quantity.key]
    name = quantity.title
    with_value = {row.label: _value(row, quantity) for row in one.rows}
    first = one.group.first
    after = "At the end" if first.config["until"] else f"After {groups.budget(first)}"
    if not any(with_value.values()):
        return "No run completed, so that nothing can be compared."
    if len(one.labels) == 1:
        (label,) = one.labels
        return f"{after}, {label} has a {name} of {with_value[label]}."
    if ranking.best is None:
        leader = ranking.leader
        if leader is None:
            return f"{after}, no optimizer can be called best by {name}: {ranking.reason}"
        value = with_value[leader]
        return f"{after}, {leader} has the best {name}, {value}, but {_lower(ranking.reason)}"
    best = f"{after}, {ranking.best} has the best {name}, {with_value[ranking.best]}"
    return f"{best}; {_against(ranking)}.{_other_loss(one, ranking.best)}"


def _other_loss(one: Analysis, best: str) -> str:
    """Whose held-out loss is at most half of the best one's, which another metric made the best."""
    key = f"{one.split}_loss"
    losses = {row.label: row.spreads[key].median for row in one.rows if key in row.spreads}
    if one.ranked.key == key or best not in losses:
        return ""
    label = min(losses, key=losses.__getitem__)
    if not 2 * losses[label] <= losses[best]:
        return ""
    quantity = one.quantities[key]
    return (
        f" {label} has the lowest {quantity.title}, {quantity.format(losses[label])}, where "
        f"{best} has {quantity.format(losses[best])}."
    )


def _value(row: Row, quantity: Quantity) -> str:
    spread = row.spreads.get(quantity.key)
    return numbers.spread(spread, quantity.format) if spread else ""


def _against(ranking: Ranking) -> str:
    """How the best stands against the rest."""
    if not ranking.others:
        return "it is the only one that lost no run"
    if not ranking.tied and not ranking.behind:
        return "all others are worse" if len(ranking.worse) > 1 else "the other is worse"
    standing = {
        "cannot be told from it (tied)": ranking.tied,
        f"{_are(ranking.behind)} probably behind": ranking.behind,
        f"{_are(ranking.worse)} worse": ranking.worse,
    }
    return ", ".join(f"{_listed(labels)} {how}" for how, labels in standing.items() if labels)


def _per_second(one: Analysis) -> str:
    """Who reached the target first, and who did not get there."""
    if one.target is None:
        return ""
    ranking = one.rankings[one.to(one.target).key]
    target = f"{one.split} {one.metric} {one.target:g}"
    times = {label: one.time_to(one.target, label, "seconds") for label in one.labels}
    times = {label: by_run for label, by_run in times.items() if by_run}
    if not times:
        return ""
    missed = _missed(times)
    first = ranking.best or ranking.leader
    if first is None:
        none = all(math.inf in by_run.values() for by_run in times.values())
        why = "none did in all of its runs" if none else _lower(ranking.reason).rstrip(".")
        return f"Per second, no optimizer can be called the first to reach {target}: {why}.{missed}"
    spread = one.spread_to(one.target, first, "seconds")
    assert spread is not None
    took = f"in {significant(spread.median)} s{_between(one, one.target, first)}"
    if len(one.labels) == 1:
        return f"{first} reaches {target} {took}."
    said = f"Per second, {first} is the first to reach {target}, {took}"
    if ranking.best is None:
        why = ranking.reason
        if len(times) < 2:
            why = "The others have no timings."
        return f"{said}, but {_lower(why)}{missed}"
    against = f"; {_against(ranking)}" if ranking.others else ""
    return f"{said}{against}.{missed}"


def _between(one: Analysis, target: float, label: str) -> str:
    """Which evaluations a time to a target lies between; nothing if it is one of them."""
    low, high = one.bracket_to(target, label, "seconds") or (0.0, 0.0)
    if low == high:
        return ""
    return f" (between evaluations at {significant(low)} and {significant(high)} s)"


def _missed(times: Mapping[str, Mapping[str, float]]) -> str:
    """Who missed the target, in some runs or in all; each sentence begins with a space."""
    partly, never = [], []
    for label, by_run in times.items():
        reached = sum(value < math.inf for value in by_run.values())
        if not reached:
            never.append(label)
        elif reached < len(by_run):
            partly.append(f"{reached} of {len(by_run)} runs of {label}")
    said = f" Only {_listed(partly)} reached it." if partly else ""
    return said + (f" {_listed(never)} never did." if never else "")


def _cost(one: Analysis) -> str:
    """What an iteration costs, from the cheapest to the dearest."""
    costs = _medians(one, "plain_gradients")
    if costs:
        low, high = min(costs), max(costs)
        if len(costs) == 1:
            return f"An iteration of {low[1]} costs as much as {low[0]:.2f} plain gradients."
        return (
            f"An iteration costs from {times(low[0])} ({low[1]}) to {times(high[0])} ({high[1]}) "
            "a plain gradient."
        )
    timed = _medians(one, "iteration_s")
    if len(timed) < 2:
        return ""
    low, high = min(timed), max(timed)
    return (
        f"An iteration takes from {milliseconds(low[0])} ms ({low[1]}) to {milliseconds(high[0])} "
        f"ms ({high[1]})."
    )


def _medians(one: Analysis, key: str) -> list[tuple[float, str]]:
    """Of labels with a run that completed: others may have been timed over one iteration."""
    return [
        (row.spreads[key].median, row.label)
        for row in one.rows
        if key in row.spreads and row.statuses.get("completed")
    ]


def _lost(one: Analysis) -> list[str]:
    """Which optimizers lost runs."""
    said = []
    for status in ("diverged", "failed", "interrupted"):
        lost = [(row.label, row.statuses[status]) for row in one.rows if row.statuses.get(status)]
        if lost:
            total = {row.label: sum(row.statuses.values()) for row in one.rows}
            parts = [f"{count} of {total[label]} runs of {label}" for label, count in lost[:NAMED]]
            more = f" and runs of {len(lost) - NAMED} more optimizers" if len(lost) > NAMED else ""
            said.append(f"{', '.join(parts)}{more} {status}.")
    return said


def _listed(labels: Sequence[str]) -> str:
    if len(labels) > NAMED + 1:
        return f"{', '.join(labels[:NAMED])} and {len(labels) - NAMED} more"
    return " and ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))


def _are(labels: Sequence[str]) -> str:
    return "are" if len(labels) > 1 else "is"


def _lower(sentence: str) -> str:
    """A sentence as the end of another one."""
    return sentence[:1].lower() + sentence[1:]
