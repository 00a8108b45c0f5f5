"""``optbench regress``: did a change make stepping slower, in which phase, and by how much?"""

import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands import shared
from bench.errors import UsageError
from bench.runs import settings as options
from bench.runs.spec import RunSpec
from bench.support import console
from bench.support.strict_json import with_nulls

if TYPE_CHECKING:
    from bench.regress.configuration import Configuration
    from bench.regress.launch import Side
    from bench.regress.presentation import Account


@shared.in_one_line
def regress(
    base: Annotated[
        str | None,
        typer.Argument(metavar="BASE", help="Git revision to compare with.", show_default=False),
    ] = None,
    head: Annotated[
        str | None,
        typer.Argument(metavar="HEAD", help="Revision to judge; the working tree by default."),
    ] = None,
    problem: Annotated[
        str | None,
        typer.Option(
            "-p",
            "--problem",
            metavar="NAME[,...]",
            help="What is trained (mnist_cnn).",
            show_default=False,
        ),
    ] = None,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--optimizer",
            metavar="[LABEL=]NAME[,...]",
            help="Optimizers: names or package.module:Class; by default the registered ones whose "
            "code is in the repository.",
        ),
    ] = None,
    setting: shared.Setting = None,
    step: shared.Step = None,
    group: shared.Group = None,
    batch_size: shared.BatchSize = None,
    device: shared.Device = "auto",
    data_root: shared.DataRoot = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Seconds per benchmark, launches included (60).", show_default=False),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT", help="Smallest change that counts (2.5).", show_default=False
        ),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(
            metavar="OTHER_PYTHON",
            help="Interpreter of the base: compares two environments, such as two versions of "
            "torch. Without BASE, both run the same code.",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Judge this code against a stored pytest-benchmark file of the suite instead.",
        ),
    ] = None,
    any_machine: Annotated[
        bool,
        typer.Option("--any-machine", help="With --baseline: whatever machine and libraries."),
    ] = False,
    allow_ignored: Annotated[
        bool,
        typer.Option(
            "--allow-ignored",
            help="Compare even if one side loads files that git ignores and the other lacks.",
        ),
    ] = False,
    fail_on_undecided: Annotated[
        bool,
        typer.Option(
            "--fail-on-undecided", help="Exit code 4 if nothing is slower and a line is undecided."
        ),
    ] = False,
    as_json: shared.AsJson = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")
    ] = False,
) -> None:
    """Compare the step throughput of two revisions, or two environments; exit code 3 if slower.

    Both sides are launched anew again and again and take turns on short blocks of iterations,
    until every phase of every optimizer has a verdict or the time budget is spent.
    """
    from bench.commands.progress import LaunchProgress
    from bench.regress import compare as comparing
    from bench.regress import configuration, presentation, sides

    if as_json and as_markdown:
        raise UsageError("--json and --markdown exclude each other: choose one.")
    shared.absolute_data_root(data_root)
    settings = _configuration(configuration.read(Path.cwd()), budget, threshold)
    if baseline is not None:
        clashing = (base, python, optimizer, setting, step, group, problem, batch_size)
        if any(value is not None for value in clashing) or device != "auto":
            raise UsageError(
                "--baseline goes with no revision, --python, -o, -p, --set, --step, --group, "
                "--batch-size or --device: it judges the present code by the benchmarks of the "
                "file."
            )
        with shared.ended_by_signals():
            account = _against_file(baseline, settings, any_machine)
        _conclude(account, fail_on_undecided, as_json=as_json, as_markdown=as_markdown)
        return
    if any_machine:
        raise UsageError("--any-machine goes with --baseline only.")
    if base is None and python is None:
        raise UsageError(
            "There is nothing to compare with: name a git revision (optbench regress main), "
            "another interpreter (--python) or a stored file (--baseline)."
        )
    here, this = Path.cwd(), sys.executable
    other = this if python is None else sides.check_python(python)
    repository = None if base is None and head is None else sides.Repository.around(here)
    with (
        shared.ended_by_signals(),
        sides.side(repository, base, here, other) as base_side,
        sides.side(repository, head, here, this) as head_side,
    ):
        base_side = replace(base_side, others=head_side.paths)
        head_side = replace(head_side, others=base_side.paths)
        wanted = optimizer or _own_optimizers(base_side, head_side)
        specs = _specs(problem or "mnist_cnn", wanted, setting or [], step or [], group or [])
        specs = [replace(spec, batch_size=batch_size, device=device) for spec in specs]
        tree = repository.tree() if repository is not None and head is None else ("", "")
        names = ", ".join(comparing.key(spec) for spec in specs)
        what = f"Measuring {names}: {head_side.name} against {base_side.name}"
        with console.Bar(console.errors()) as bar:
            for pattern in settings.idle(comparing.key(spec) for spec in specs):
                bar.note(f"The threshold of '{pattern}' in pyproject.toml matches no line here.")
            found = comparing.compare(
                base_side,
                head_side,
                specs,
                threshold=settings.of,
                budget_s=settings.budget_s,
                tuned=os.environ.get("OPTBENCH_MALLOC") != "0",
                own=python is None,
                allow_ignored=allow_ignored,
                on_launch=LaunchProgress(bar, what).launched,
                on_notice=bar.note,
            )
    given = {
        "--batch-size": batch_size,
        "--device": None if device == "auto" else device,
        "--data-root": data_root,
        "--budget": budget,
        "--threshold": threshold,
        "--python": python,
    }
    commits = (base_side.commit, head_side.commit or tree[0])
    common = [commit for commit in commits if commit]
    for option, value in given.items():
        common += [] if value is None else [option, str(value)]
    common += ["--allow-ignored"] if allow_ignored else []
    commands = {name: _command(spec, common) for name, spec in found.benchmarks.items()}
    account = presentation.of_sides(found, commands, tree[1])
    _conclude(account, fail_on_undecided, as_json=as_json, as_markdown=as_markdown)


def _against_file(path: Path, settings: "Configuration", any_machine: bool) -> "Account":
    from bench.commands.progress import LaunchProgress
    from bench.regress import against_baseline, baseline, presentation

    stored = baseline.read(path)
    with console.Bar(console.errors()) as bar:
        outcome = against_baseline.compare(
            stored,
            threshold=settings.of,
            budget_s=settings.budget_s,
            any_machine=any_machine,
            on_launch=LaunchProgress(bar, f"Running the suite against {path}").launched,
        )
    return presentation.of_file(outcome, shared.command_line())


def _configuration(
    found: "Configuration", budget: float | None, threshold: float | None
) -> "Configuration":
    """What the command line says goes before what ``pyproject.toml`` says."""
    from bench.regress import configuration

    if budget is not None:
        found = replace(found, budget_s=configuration.seconds("budget", budget))
    if threshold is not None:
        found = replace(found, threshold=configuration.share("threshold", threshold), thresholds={})
    return found


def _own_optimizers(base: "Side", head: "Side") -> list[str]:
    """Registered optimizers whose code lies on either side."""
    from bench.regress import compare as comparing

    own = [name for side in (base, head) for name in comparing.own_optimizers(side)]
    if not own:
        raise UsageError(
            "No registered optimizer has its code in this repository: name your own with "
            "-o package.module:Class."
        )
    return list(dict.fromkeys(own))


def _specs(
    problems: str,
    optimizers: Sequence[str],
    settings: Sequence[str] = (),
    steps: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> list[RunSpec]:
    """The benchmarks. Nothing is imported here: a name may exist on one side only."""
    entries = options.parse_optimizers(optimizers)
    labelled = []
    for setting in settings:
        if "." not in setting.partition("=")[0]:
            if len(entries) > 1:
                raise UsageError(
                    f"Setting '{setting}' needs a label when there are several optimizers, as in "
                    f"{entries[0].label}.{setting}."
                )
            setting = f"{entries[0].label}.{setting}"
        labelled.append(setting)
    chosen = options.parse_settings(labelled, entries)
    taken = options.parse_steps(steps, entries)
    grouped = options.parse_groups(groups, entries)
    return [
        RunSpec(
            problem=problem,
            optimizer=entry.optimizer,
            label=entry.label,
            hyperparameters=chosen[entry.label],
            step=taken[entry.label],
            groups=grouped[entry.label],
            eval_every=0,
        )
        for problem in dict.fromkeys(part.strip() for part in problems.split(","))
        for entry in entries
    ]


def _command(spec: RunSpec, common: Sequence[str]) -> str:
    """What measures one benchmark again."""
    from bench.runs import settings

    words = ["optbench", "regress", *common, "-p", str(spec.problem)]
    words += ["-o", f"{spec.label}={spec.optimizer}"]
    words += settings.options(spec.label, spec.hyperparameters, spec.step, spec.groups)
    return shlex.join(words)


def _conclude(
    account: "Account", fail_on_undecided: bool, *, as_json: bool, as_markdown: bool
) -> None:
    """Print what was found; a regression ends the command with a code of its own.

    So does code that failed, and, if that is asked for, a line that could not be decided.
    """
    from bench.regress import presentation

    outcome = account.outcome
    if as_json:
        print(json.dumps(with_nulls(account.document), allow_nan=False))
    elif as_markdown:
        print(presentation.markdown(account), end="")
    else:
        console.print_table(f"{outcome.head} against {outcome.base}", account.table)
        console.out().print(account.note, style="dim", highlight=False, markup=False)
        spoilt = (f"Timings may be spoilt: {text}." for text in outcome.complaints)
        for text in (account.answer, *account.worst, *account.remarks, *spoilt):
            console.say(text)
    if outcome.failed:
        raise typer.Exit(shared.FAILED)
    if outcome.slower:
        raise typer.Exit(shared.REGRESSION)
    if fail_on_undecided and any(line.verdict == "undecided" for line in outcome.lines):
        raise typer.Exit(shared.INCONCLUSIVE)
