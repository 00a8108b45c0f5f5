"""What the READMEs say holds: links lead somewhere, commands and Python run, with a small budget.

Every line of a ``bash`` block is in ``COMMANDS``, beside a variant of it that is run here, the test
that runs it elsewhere, or why none does. A command that is in no table fails.
"""

import importlib
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from typer.testing import CliRunner

from bench.cli import app
from bench.commands import run, sweep
from bench.comparison import groups
from bench.comparison.analysis import analyse
from bench.regress import configuration
from bench.report import page, writer
from bench.report.document import Report
from bench.runs import store, yardsticks
from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.support import console
from bench.sweeps import worker
from bench.training import loop, memory, processes
from bench.training.prepare import prepare
from optimizers import OPTIMIZERS, REGISTRY
from tests.bench.sweeps.inline import Here
from tests.inprocess import InProcess

ROOT = Path(__file__).resolve().parents[1]


def listed(*patterns: str) -> list[str]:
    """Files that git has, or would have."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()


TRACKED = listed("*.md")
REFERENCE = ROOT / "results" / "reference"
READMES = [name for name in TRACKED if Path(name).name == "README.md"]


@dataclass(frozen=True)
class Small:
    """A variant of a command that takes little time.

    Attributes:
        line: The variant; nothing for the command itself.
        shows: What its output has, in this order; runs of blanks and line ends are one blank.
    """

    line: str
    shows: tuple[str, ...]


@dataclass(frozen=True)
class Elsewhere:
    """The name of the test that runs a command."""

    test: str


@dataclass(frozen=True)
class NotRun:
    """Why no test runs a command."""

    reason: str


HEADER = "optimizer train loss"
COSTS = "Cost of an iteration, times in milliseconds optimizer total cost samples/s"
SHARES = "Effective curvature share, first to last iteration optimizer damping plain share"
END = ("Medians over seeds", "Records: ", "Report: ")
SWEPT = ("setting val_loss: mean (range over seeds) ratio to the best verdict", "Use --set")
REPORTED = ("After ", "An iteration costs from", "Report: ")
TINY = "--seeds 1 --iterations 2"
FOUND = "test_a_sleep_and_needless_copies_are_found_in_the_step_and_an_innocent_change_is_not"
TIMED = "test_it_times_each_phase_and_the_iteration"
FIRST = "test_the_first_command_explains_its_tables_as_the_readme_shows"
CLUSTER = "test_a_sweep_on_a_cluster_survives_the_death_of_a_worker"

COMMANDS = {
    # README.md
    "pip install -e . && optbench run": Elsewhere(FIRST),
    "pip install tox && tox run -e tests": NotRun("it installs, and runs this very test"),
    "optbench run -p mnist_mlp -o adam,sgd --seeds 5 --iterations 500": Small(
        f"optbench run -p mnist_mlp -o adam,sgd {TINY}", (HEADER, COSTS, *END)
    ),
    "optbench run -o adam,torch.optim:NAdam --until accuracy=0.97": Small(
        f"optbench run -p mnist_logreg -o adam,torch.optim:NAdam --until accuracy=0.05 {TINY}",
        (HEADER, "Length of the runs, without evaluation", COSTS, *END),
    ),
    "optbench run -p mnist_logreg -o adam,torch.optim:LBFGS --set LBFGS.lr=0.1 --seconds 2": Small(
        "optbench run -p mnist_logreg -o adam,torch.optim:LBFGS --set LBFGS.lr=0.1 "
        "--seconds 0.02 --seeds 1",
        (HEADER, "Length of the runs, without evaluation", COSTS, *END),
    ),
    "optbench report": Small("optbench report", REPORTED),
    "optbench sweep": Small(
        "optbench sweep -p quadratic --seeds 2 --iterations 2",
        ("diag_ggn_mc on quadratic, 2 iterations: ", *SWEPT),
    ),
    "optbench regress main -o mypkg:MyOptimizer": Elsewhere(FOUND),
    "optbench run -o sgd,mine:SignSGD --set SignSGD.lr=0.0003": Small(
        f"optbench run -p mnist_logreg -o sgd,mine:SignSGD --set SignSGD.lr=0.0003 {TINY}",
        (HEADER, "SignSGD", COSTS, *END),
    ),
    # bench/problems
    "optbench run -p myproblem:two_moons -o diag_ggn_exact,adam": Small(
        f"optbench run -p myproblem:two_moons -o diag_ggn_exact,adam {TINY}",
        ("myproblem:two_moons on cpu, batch size 100: two moons", HEADER, COSTS, SHARES, *END),
    ),
    # bench/recommend
    "optbench recommend": Small("optbench recommend", SWEPT),
    # bench/regress
    "optbench regress v1.2 main -o mypkg:MyOptimizer -p mnist_cnn,mnist_logreg --set lr=0.1": (
        Elsewhere(FOUND)
    ),
    "optbench regress main": Elsewhere(
        "test_a_side_holding_the_optimizers_package_is_measured_with_its_own"
    ),
    "optbench regress --python ~/old-torch/bin/python -o adam": Elsewhere(
        "test_two_interpreters_need_no_repository_and_no_own_code"
    ),
    "optbench regress main --markdown > comment.md": Elsewhere(
        "test_a_benchmark_of_one_side_only_is_listed"
    ),
    "optbench calibrate --budget 40": Elsewhere("test_only_what_is_missing_is_measured_again"),
    "pytest bench/ --benchmark-only --benchmark-json before.json": Elsewhere(TIMED),
    "optbench regress --baseline before.json": Elsewhere(
        "test_the_suite_is_collected_and_run_in_processes_of_its_own"
    ),
    "optbench history": Small(
        "optbench history", ("quadratic/sgd, batch size 64, cpu", "history-total.png")
    ),
    # bench/report
    "optbench report results ~/other/results --output comparison-of-june": Small(
        "optbench report results results --output comparison-of-june",
        (*REPORTED, "comparison-of-june/report.html"),
    ),
    "optbench report -p mnist_cnn -o adam,sgd --target accuracy=0.97": Small(
        "optbench report -p quadratic -o adam,sgd --target distance=0.97", REPORTED
    ),
    # bench/runs
    "optbench list runs": Small(
        "optbench list runs",
        ("Runs in results", "run started (UTC) problem label seed status (iterations)"),
    ),
    "optbench show 27977c8d": Small("optbench show RUN", ("run: ", "status: completed")),
    "optbench list quantities": Small(
        "optbench list quantities", ("quantity title unit better what it is", "train_loss")
    ),
    'optbench query "select label, avg(backward_s) * 1e3 as backward_ms from iterations join runs '
    "using (run) where role = 'training' group by label\"": Small("", ("label backward_ms", "sgd")),
    'optbench query "select label, avg(value) as samples_per_s from quantities join runs using '
    "(run) where quantity = 'samples_per_s' group by label\"": Small(
        "", ("label samples_per_s", "sgd")
    ),
    "optbench query --json \"select * from runs where status = 'diverged'\"": Small("", ("[", "]")),
    "optbench export": Small("", ("runs.csv", "curvature.csv", "summary.csv", "target.csv")),
    "optbench export --format json --output tables": Small("", ("tables/runs.json",)),
    "optbench export --table summary | head": Small(
        "optbench export --table summary", ('"comparison","problem"', "median,low,high")
    ),
    # bench/suite
    "pytest bench/ --benchmark-only": Elsewhere(TIMED),
    "pytest bench/ --benchmark-only --optbench-optimizer mypkg:MyOptimizer": Elsewhere(
        "test_full_adds_optimizers_problems_and_batch_sizes"
    ),
    "pytest $(python -m bench.suite) --benchmark-only --optbench-optimizer mypkg:MyOptimizer": (
        Elsewhere("test_the_users_settings_and_conftest_hold")
    ),
    "pytest bench/ --benchmark-only --optbench-full": Elsewhere(
        "test_full_adds_optimizers_problems_and_batch_sizes"
    ),
    # bench/sweeps
    "optbench sweep -o diag_ggn_mc,sgd,adam": Small(
        "optbench sweep -p quadratic -o diag_ggn_mc,sgd,adam --seeds 2 --iterations 1",
        (*SWEPT, "sgd on quadratic", "adam on quadratic"),
    ),
    "optbench sweep -p mnist_mlp --grid damping=1e-4:1e2:log7 --grid lr=0.01,0.1,1": Small(
        "optbench sweep -p quadratic --grid damping=1e-4:1e2:log7 --grid lr=0.01,0.1,1 "
        "--seeds 2 --iterations 1",
        ("setting val_loss", "of 21"),
    ),
    "optbench sweep -o fixed=diag_ggn_mc,adaptive=diag_ggn_mc --set adaptive.adapt_every=5": Small(
        "optbench sweep -p quadratic -o fixed=diag_ggn_mc,adaptive=diag_ggn_mc "
        "--set adaptive.adapt_every=5 --grid damping=0.1,1 --seeds 2 --iterations 6",
        ("fixed on quadratic", "adaptive on quadratic"),
    ),
    "optbench sweep experiment.yaml": Small(
        "optbench sweep experiment.yaml -p quadratic --seeds 2 --iterations 9",
        ("diag_ggn_mc on quadratic, 9 iterations", "Use --set", "sgd on quadratic"),
    ),
    "dask scheduler": Elsewhere(CLUSTER),
    "dask worker tcp://192.168.1.10:8786 --nworkers 4 --nthreads 1": Elsewhere(CLUSTER),
    "OPTBENCH_DATA=~/mnist dask worker tcp://192.168.1.10:8786 --nworkers 4 --nthreads 1": NotRun(
        "it takes a second machine"
    ),
    "optbench sweep --scheduler tcp://192.168.1.10:8786": Elsewhere(CLUSTER),
    # bench/training
    "optbench doctor": Elsewhere("test_doctor_looks_at_everything"),
    # optimizers
    "optbench run -o diag_ggn_mc --set damping=0.1 --set update_every=5": Small(
        "optbench run -p mnist_logreg -o diag_ggn_mc --set damping=0.1 --set update_every=5 "
        "--seeds 1 --iterations 6",
        (HEADER, COSTS, SHARES, *END),
    ),
    "optbench run -o fast=sgd,slow=sgd --set fast.lr=0.5 --set slow.lr=0.01": Small(
        "optbench run -p mnist_logreg -o fast=sgd,slow=sgd --set fast.lr=0.5 --set slow.lr=0.01 "
        f"{TINY}",
        (HEADER, "fast", "slow", COSTS, *END),
    ),
    "optbench list optimizers": Small(
        "", ("Optimizers (-o) name what it is settings from", "diag_ggn_mc")
    ),
    'optbench run -p mnist_mlp -o torch.optim:AdamW,sgd --group "AdamW=ndim<2: weight_decay=0" '
    '--group "sgd=*.bias: lr=0.01"': Small(
        'optbench run -p mnist_mlp -o torch.optim:AdamW,sgd --group "AdamW=ndim<2: weight_decay=0" '
        f'--group "sgd=*.bias: lr=0.01" {TINY}',
        (HEADER, "AdamW", COSTS, *END),
    ),
    "optbench run -p mnist_mlp -o muon,both=optimizers:Composite --set "
    'both.hidden="torch.optim:SGD(momentum=0.9)" --set both.hidden_lr=0.1 --set both.rest_lr=0.003'
    "": Small(
        "optbench run -p mnist_mlp -o muon,both=optimizers:Composite --set "
        'both.hidden="torch.optim:SGD(momentum=0.9)" --set both.hidden_lr=0.1 '
        f"--set both.rest_lr=0.003 {TINY}",
        (HEADER, "muon", "both", COSTS, *END),
    ),
    "optbench run -p mnist_mlp -o kinds:SAM,kinds:ScheduleFree,kinds:SQUARED,muon "
    "--set SAM.lr=0.1": Elsewhere("test_four_kinds_of_optimizers_are_compared_in_one_command"),
    "optbench run -o sgd,mymodule:MyOptimizer --set MyOptimizer.lr=0.1": Small(
        f"optbench run -p mnist_logreg -o sgd,mymodule:MyOptimizer --set MyOptimizer.lr=0.1 {TINY}",
        (HEADER, "MyOptimizer", COSTS, *END),
    ),
}

ROLES = ("training", "plain_gradient", "memory")

# Python that has a test of its own, which knows what it prints.
PYTHON_ELSEWHERE = {"bench/README.md": "tests/bench/test_public.py"}


def blocks(readme: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    text = (ROOT / readme).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(readme: str) -> list[str]:
    """The command lines of a README, without their comments."""
    lines = (line for block in blocks(readme, "bash") for line in block.splitlines())
    bare = (re.sub(r"(^|\s+)#\s.*$", "", line).strip() for line in lines)
    return [line for line in bare if line]


def prose(path: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them of its headings."""
    headings = re.findall(r"^#+ +(.*)$", prose(path), re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in headings}
    return made | set(re.findall(r'<a (?:id|name)="([^"]+)"', path.read_text()))


def squeezed(text: str) -> str:
    """Text in one line, without rules."""
    return " ".join(re.sub(r"[─━]+", " ", text).split())


@pytest.mark.parametrize("page_name", TRACKED)
def test_every_link_and_picture_leads_somewhere(page_name: str) -> None:
    folder = (ROOT / page_name).parent
    broken = []
    text = re.sub(r"`[^`\n]*`", "", prose(ROOT / page_name))
    for target in re.findall(r"\]\(([^()\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = folder / name if name else ROOT / page_name
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


def test_every_committed_picture_is_shown() -> None:
    """What a command draws again and nothing shows is not committed."""
    shown = {
        (ROOT / name).parent / target
        for name in TRACKED
        for target in re.findall(r"\]\(([^()\s]+\.png)\)", (ROOT / name).read_text())
    }
    shown = {path.resolve() for path in shown}
    pictures = listed("results/*.png", "results/*.svg", "results/*.pdf")
    assert [name for name in pictures if ROOT / name not in shown] == []


def test_every_command_is_in_the_table_and_the_table_has_no_others() -> None:
    told = {command for readme in READMES for command in commands(readme)}
    assert told - set(COMMANDS) == set()
    assert set(COMMANDS) - told == set()


@pytest.mark.parametrize(
    "test",
    sorted({how.test for how in COMMANDS.values() if isinstance(how, Elsewhere)}),
)
def test_a_test_that_runs_a_command_exists(test: str) -> None:
    files = (ROOT / "tests").rglob("test_*.py")
    assert sum(f"\ndef {test}(" in path.read_text() for path in files) == 1


def _mentioned() -> Iterator[str]:
    """Commands in blocks and in the text."""
    for readme in READMES:
        yield from commands(readme)
        yield from re.findall(r"`([^`\n]+)`", prose(ROOT / readme))


def test_every_option_of_optbench_that_is_mentioned_exists() -> None:
    known: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    wrong = []
    for line in _mentioned():
        found = re.search(r"\boptbench (?:--debug )?([a-z]+)((?: .*)?)$", line)
        if found is None:
            continue
        command = known.get(found[1])
        options = set() if command is None else {o for p in command.params for o in p.opts}
        options |= {"--no-malloc-tuning", "--help"}
        used = re.findall(r"(?<=\s)--?[a-z][a-z-]*", found[2].partition(" > ")[0])
        wrong += [line for option in used if option not in options]
        wrong += [line] if command is None else []
    assert wrong == []


def test_every_script_of_evidence_that_is_mentioned_exists_with_its_options() -> None:
    text = "\n".join((ROOT / readme).read_text() for readme in READMES)
    found = re.findall(r"python -m bench\.(evidence\.\w+)([^`\n]*)", text)
    assert len(found) > 10
    for name, arguments in found:
        source = (ROOT / "bench" / (name.replace(".", "/") + ".py")).read_text()
        for option in re.findall(r"--[a-z-]+", arguments):
            assert f'"{option}"' in source, f"{name} {option}"


def test_what_reference_commands_leave_is_committed() -> None:
    text = (ROOT / "results" / "README.md").read_text()
    folders = re.findall(r"^\| `((?:baselines/)?reference/[^`]*)`", text, re.MULTILINE)
    assert len(folders) > 10
    for folder in folders:
        path = ROOT / "results" / folder
        assert path.is_file() or any(path.iterdir()), folder


# --- running


def _words_only(folder: Path, report: Report, *, jobs: int = 1) -> Path:
    """A report without its figures, which have tests of their own and take long."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(page.markdown(report))
    return folder / "report.html"


def _measured_here(spec: RunSpec, *, session: str) -> RunRecord:
    """A memory run that trains nothing, of a made-up size."""
    record = loop.blank(prepare(spec, checked=False), session=session)
    return replace(record, status="completed", peak_memory_bytes=2**20)


def optbench(arguments: str) -> str:
    """What a command prints to standard output; it has to succeed."""
    console._console.cache_clear()
    result = CliRunner().invoke(app, shlex.split(arguments.removeprefix("optbench ")))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a few results, the files that READMEs show, and an optimizer."""
    here = tmp_path_factory.mktemp("readmes")
    threads = torch.get_num_threads()
    for readme in READMES:
        for block in (*blocks(readme, "python"), *blocks(readme, "yaml")):
            if named := re.match(r"# (\w+\.(?:py|yaml))\n", block):
                (here / named[1]).write_text(block)
    (here / "mymodule.py").write_text("from torch.optim import SGD as MyOptimizer\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.syspath_prepend(str(here))
        patch.setenv("OPTBENCH_MALLOC", "0")
        patch.setenv("COLUMNS", "120")
        patch.setattr(yardsticks, "YARDSTICK_S", 0.01)
        patch.setattr(memory, "is_supported", lambda: True)
        patch.setattr(memory, "measure", _measured_here)
        patch.setattr(processes, "Processes", InProcess)
        patch.setattr(processes, "first", lambda: None)
        patch.setattr(worker, "Processes", InProcess)
        patch.setattr(sweep, "_pool", lambda *_, **__: Here(dies_on=-1.0))
        patch.setattr(writer, "write", _words_only)
        optbench("run -p quadratic -o adam,sgd --seeds 2 --iterations 3")
        optbench("sweep -p quadratic -o sgd --grid lr=0.01,0.1 --seeds 2 --iterations 3")
        yield here
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def recommended(folder: Path) -> str:
    """What ``optbench recommend`` prints of the committed sweep."""
    for part in ("runs", "sweeps"):
        shutil.copytree(REFERENCE / "damping" / part, folder / "damping" / part)
    return squeezed(optbench("recommend --results damping"))


@pytest.mark.parametrize(
    "command", [command for command, how in COMMANDS.items() if isinstance(how, Small)]
)
def test_a_command_prints_what_it_is_shown_to(command: str, folder: Path, tmp_path: Path) -> None:
    how = COMMANDS[command]
    assert isinstance(how, Small)
    line = how.line or command
    if " RUN" in line:
        line = line.replace("RUN", next((folder / "results" / "runs").iterdir()).name[:16])
    if line.startswith(("optbench run", "optbench sweep")):
        line += f" --results {tmp_path}"
    rest = squeezed(optbench(line))
    for words in how.shows:
        _, found, rest = rest.partition(words)
        assert found, f"{words!r} is not in what {line!r} prints: {rest}"


def test_the_first_command_explains_its_tables_as_the_readme_shows(
    folder: Path, tmp_path: Path
) -> None:
    """Headings and notes are word for word those of the README; numbers are another machine's."""
    shown = blocks("README.md", "text")[0]
    notes = squeezed(shown[shown.index("Medians over seeds") : shown.index("Timings ")])
    headings = [
        squeezed(line)
        for line in shown[: shown.index("Medians over seeds")].splitlines()
        if line.strip("─ ") and not re.search(r"\d", line)
    ]
    assert len(headings) == 5
    printed = squeezed(optbench(f"run --seeds 2 --iterations 1 --results {tmp_path}"))
    assert [words for words in (*headings, notes) if words not in printed] == []


def test_numbers_of_the_comparison_are_those_of_the_committed_records(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the README quotes of ``optbench run``, word for word, from the first table on."""
    records = store.load(REFERENCE / "comparison")
    by_role = {role: [one for one in records if one.role == role] for role in ROLES}
    peaks = {one.label: [one.peak_memory_bytes or 0] for one in by_role["memory"]}
    found = analyse(groups.of_comparison(by_role["training"], by_role["plain_gradient"], peaks))
    rows = sorted(found.rows, key=lambda row: list(OPTIMIZERS).index(row.label))
    steadiness = yardsticks.steadiness(by_role["plain_gradient"]).sentence
    console._console.cache_clear()
    run._print_summary(rows, by_role["training"][0], steadiness)
    shown = blocks("README.md", "text")[0].partition("Records: ")[0]
    assert squeezed(shown) == squeezed(capsys.readouterr().out)


@pytest.mark.parametrize(("readme", "number"), [("README.md", 1), ("bench/report/README.md", 0)])
def test_sentences_of_the_report_are_those_of_the_committed_records(
    readme: str, number: int, folder: Path, tmp_path: Path
) -> None:
    shown = blocks(readme, "text")[number].partition("Report: ")[0]
    printed = optbench(f"report {REFERENCE / 'comparison'} --output {tmp_path}")
    assert squeezed(shown) in squeezed(printed)


@pytest.mark.parametrize(("readme", "number"), [("README.md", 2), ("bench/recommend/README.md", 0)])
def test_the_recommendation_is_that_of_the_committed_records(
    readme: str, number: int, recommended: str
) -> None:
    assert squeezed(blocks(readme, "text")[number]) in recommended


@pytest.mark.parametrize("readme", [name for name in READMES if name not in PYTHON_ELSEWHERE])
def test_python_runs(readme: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for block in blocks(readme, "python"):
        if named := re.match(r"# (\w+)\.py\n", block):
            importlib.import_module(named[1])
        else:
            exec(compile(block, readme, "exec"), {})


@pytest.mark.parametrize("readme", sorted(set(READMES) & set(PYTHON_ELSEWHERE)))
def test_python_that_runs_elsewhere_does(readme: str) -> None:
    assert "README.md" in (ROOT / PYTHON_ELSEWHERE[readme]).read_text()


def test_thresholds_are_read_as_the_readme_writes_them(tmp_path: Path) -> None:
    (text,) = blocks("bench/regress/README.md", "toml")
    (tmp_path / "pyproject.toml").write_text(text)
    found = configuration.read(tmp_path)
    assert found.of("mnist_logreg/sgd", "step") == pytest.approx(0.05)
    assert found.of("mnist_cnn/adam", "step") == pytest.approx(0.1)


def test_an_entry_point_is_written_as_pyproject_wants_it() -> None:
    (text,) = blocks("optimizers/README.md", "toml")
    groups = tomllib.loads(text)["project"]["entry-points"]
    assert list(groups) == [REGISTRY.group]
