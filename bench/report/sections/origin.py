"""Where the numbers of a report come from, and the command that makes them again."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from bench.comparison import groups
from bench.runs import settings
from bench.runs.record import RunRecord

_OPTIONS = (
    "iterations", "seconds", "batch_size", "device", "dtype", "split", "eval_every",
    "curvature_every", "data_root",
)  # fmt: skip


def facts(records: Sequence[RunRecord], command: str) -> list[tuple[str, str]]:
    """Command, data, budget, machine and software behind runs of the same conditions."""
    record = records[0]
    environment, config = record.environment, record.config
    gpu, allocator = environment.get("gpu"), environment["allocator"]
    commits = dict.fromkeys(commit(r) or "not in a git repository" for r in records)
    versions = dict.fromkeys(
        ", ".join(f"{name} {number}" for name, number in r.environment["versions"].items())
        for r in records
    )
    days = sorted(f"{r.started_at:%Y-%m-%d %H:%M}" for r in records)
    return [
        ("Report made by", command),
        ("Data", f"{record.data['detail']} ({record.data['origin']})"),
        (
            "Budget",
            f"{groups.budget(record)}; batch size {config['batch_size']}; {config['dtype']}; "
            f"seeds {', '.join(map(str, sorted({r.config['seed'] for r in records})))}",
        ),
        (
            "Machine",
            f"{environment['cpu']}, {environment['logical_cores']} cores, "
            f"{environment['threads']} threads, "
            + (f"{gpu['name']}, " if gpu else "no GPU, ")
            + f"fingerprint {environment['fingerprint']}",
        ),
        (
            "Allocator",
            f"{allocator['libc']}, " + ("tuned (mallopt)" if allocator["tuned"] else "as it comes"),
        ),
        ("Versions", "; ".join(versions)),
        ("Commit", ", ".join(commits)),
        ("Run (UTC)", days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"),
    ]


def rerun(records: Sequence[RunRecord]) -> str:
    """The command line that makes these runs again, where the command line can.

    Labels that the report gave itself are made fit for it. Optimizers that ran with different seeds
    get a command each.
    """
    labels: dict[str, list[RunRecord]] = {}
    for record in records:
        labels.setdefault(record.label, []).append(record)
    by_seeds: dict[tuple[int, ...], dict[str, Mapping[str, Any]]] = {}
    for position, (label, own) in enumerate(labels.items()):
        short = label if label.isidentifier() else f"optimizer{position + 1}"
        seeds = tuple(sorted({record.config["seed"] for record in own}))
        by_seeds.setdefault(seeds, {})[short] = own[0].config
    return " && ".join(_command(seeds, configs) for seeds, configs in by_seeds.items())


def _command(seeds: Sequence[int], configs: Mapping[str, Mapping[str, Any]]) -> str:
    """The command for optimizers of the same seeds, by label."""
    config = next(iter(configs.values()))
    names = [
        str(own["optimizer"]) if own["optimizer"] == label else f"{label}={own['optimizer']}"
        for label, own in configs.items()
    ]
    words = ["optbench", "run", "-p", str(config["problem"]), "-o", ",".join(names)]
    for label, own in configs.items():
        step, group = own.get("step") or "", own.get("groups") or ()  # older records have none
        words += settings.options(label, own["settings"], step, group)
    words += ["--seeds", _seeds(seeds)]
    for name in _OPTIONS:
        if config.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(config[name])]
    if config["until"]:
        words += ["--until", "{}={!r}".format(*config["until"])]
    return shlex.join(words)


def _seeds(seeds: Sequence[int]) -> str:
    """Seeds as ``--seeds`` reads them."""
    if list(seeds) == list(range(len(seeds))):
        return str(len(seeds))
    if len(seeds) == 1:  # alone, a number says how many
        return f"{seeds[0]}-{seeds[0]}"
    return ",".join(map(str, seeds))


def commit(record: RunRecord) -> str | None:
    """The commit of a run, shortened; ``None`` outside a repository."""
    commit = record.environment["commit"]
    if not commit:
        return None
    return f"{str(commit)[:10]}{'-dirty' if str(commit).endswith('-dirty') else ''}"
