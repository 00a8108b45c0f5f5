"""``optbench list``, ``show`` and ``query``."""

import json
import re
from pathlib import Path

import pytest

from bench.runs import store
from tests.bench.commands.typed import optbench
from tests.bench.records import made_record, made_refusal

pytestmark = pytest.mark.usefixtures("here")


def test_list_names_optimizers_and_problems() -> None:
    result = optbench("list")
    for name in ("diag_ggn_mc", "diag_ggn_exact", "adam", "sgd", "mnist_cnn", "quadratic"):
        assert name in result.stdout


def test_list_runs_and_show_one() -> None:
    store.save(made_record(), Path("results"))
    assert "0123456789abcdef" in optbench("list", "runs").stdout
    shown = optbench("show", "0123456789").stdout
    assert "completed" in shown
    assert "data 1.00, forward 2.00, backward 3.00, step 4.00" in shown
    assert json.loads(optbench("show", "0123", "--json").stdout)["status"] == "completed"


def test_show_of_an_unknown_run_names_those_there_are() -> None:
    store.save(made_record(), Path("results"))
    result = optbench("show", "9")
    assert result.exit_code == 2
    assert "Unknown run '9'. Known: 0123456789abcdef-2026" in result.stderr


def test_query_prints_a_table_or_json() -> None:
    store.save(made_record(), Path("results"))
    sql = "select label, count(*) as n from iterations join runs using (run) group by label"
    assert re.search(r"sgd +3", optbench("query", sql).stdout)
    assert json.loads(optbench("query", sql, "--json").stdout) == [{"label": "sgd", "n": 3}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["query", "selec 1"], "The query failed"),
        (["query", ";"], "The query is empty"),
        (["query", "select 1", "--results", "nowhere"], "Results folder 'nowhere' does not exist"),
        (["list", "optimisers"], "Unknown list 'optimisers'. Did you mean 'optimizers'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_other_commands_bad_input(arguments: list[str], message: str) -> None:
    Path("results").mkdir()
    result = optbench(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_run_that_is_not_applicable_is_called_so_by_people_and_programs() -> None:
    store.save(made_refusal(), Path("results"))
    assert "not applicable (0)" in optbench("list", "runs").stdout
    shown = optbench("show", "0123").stdout
    assert "status:           not applicable\n" in shown
    assert "no rule for Tanh" in shown
    asked = optbench("query", "select label from runs where status = 'not_applicable'", "--json")
    assert json.loads(asked.stdout) == [{"label": "refused"}]
