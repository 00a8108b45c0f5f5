"""What cannot begin is known by its reason, and the others go on."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.runs.spec import RunSpec
from bench.training.identification import identify
from bench.training.processes import Processes
from bench.training.tasks import Conditions

UNDER = Conditions(session="s")
SGD = RunSpec(problem="quadratic", optimizer="sgd", iterations=3)


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    with Processes() as made:
        yield made


def spec(name: str, seed: int = 0) -> RunSpec:
    return replace(SGD, optimizer=f"tests.bench.training.plug_in:{name}", label=name, seed=seed)


def test_runs_are_known_in_their_order_each_by_its_own_id(processes: Processes) -> None:
    specs = [replace(SGD, seed=1), spec("Mine"), SGD, spec("Mine", 1)]
    known = identify(processes, specs, UNDER)
    assert len({one.blank.run_id for one in known}) == 4
    assert [one.blank.config["seed"] for one in known] == [1, 0, 0, 1]
    assert [one.blank.error for one in known] == [""] * 4
    assert known[0].start == known[3].start != known[1].start == known[2].start
    assert known[0].yardstick == known[3].yardstick != known[1].yardstick


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("VanishingWhenTried", "failed", "exit code 4"),
        ("StartingElsewhere", "failed", "starts from other parameters than the others"),
        ("NotForThis", "not_applicable", "refuses its settings: it takes no such model"),
    ],
)
def test_what_cannot_begin_says_why_and_is_known_all_the_same(
    processes: Processes, name: str, status: str, reason: str
) -> None:
    sgd, other = (one.blank for one in identify(processes, [SGD, spec(name)], UNDER))
    assert (sgd.error, sgd.status) == ("", "failed")
    assert other.status == status
    assert reason in other.error
    assert (other.label, other.config["optimizer"]) == (name, spec(name).optimizer)
    assert len(other.run_id) == len(sgd.run_id)
    assert other.run_id != sgd.run_id


def test_what_dies_on_import_is_known_by_what_was_asked(processes: Processes) -> None:
    dead = replace(SGD, optimizer="tests.bench.training.plug_in_dead:Mine", label="dead", seed=3)
    (one,) = identify(processes, [dead], UNDER)
    assert one.blank.error == "it ended its own process, with exit code 5"
    assert (one.blank.label, one.blank.config["seed"], one.blank.config["batch_size"]) == (
        "dead", 3, 64,
    )  # fmt: skip


def test_what_the_user_must_mend_ends_everything(processes: Processes) -> None:
    for wrong, said in (("nothing", "Unknown optimizer"), ("no_such:Thing", "Cannot import")):
        with pytest.raises(UsageError, match=said):
            identify(processes, [SGD, replace(SGD, optimizer=wrong)], UNDER)
    with pytest.raises(UsageError, match="refuses its settings"):
        identify(processes, [replace(SGD, hyperparameters={"lr": -1.0})], UNDER)
