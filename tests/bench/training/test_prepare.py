"""A run is checked before it begins: names, values, model; and known by what decides its losses."""

import copy
import functools
import linecache
import re
import sys
from dataclasses import asdict, replace
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import bench
from bench.errors import NotApplicableError
from bench.problems import PROBLEMS, ProblemOptions, ProblemSpec
from bench.problems.data import DataSource, TensorData
from bench.problems.problem import Problem
from bench.problems.quadratic import quadratic
from bench.training import following
from bench.training.curvature_check import Finding
from bench.training.prepare import check, prepare
from optimizers import OPTIMIZERS, DiagGGN, OptimizerSpec, UsageError
from optimizers.curvature.backpack import exact


def quick(**fields: Any) -> bench.RunSpec:
    defaults: dict[str, Any] = {"problem": "mnist_logreg", "optimizer": "sgd", "iterations": 12}
    return bench.RunSpec(**(defaults | fields))


def test_what_was_asked_and_what_it_became_are_kept_apart() -> None:
    spec = quick(optimizer="adam", hyperparameters={"lr": 0.1})
    prepared = prepare(spec)
    assert prepared.asked is spec
    assert spec.hyperparameters == {"lr": 0.1}
    assert prepared.resolved.hyperparameters.items() > {"lr": 0.1, "betas": (0.9, 0.99)}.items()
    assert (spec.device, spec.batch_size) == ("auto", None)
    assert prepared.resolved.device in ("cpu", "cuda")
    assert prepared.resolved.batch_size == prepared.problem.batch_size
    filled = {"device", "batch_size", "hyperparameters"}
    assert {k: v for k, v in asdict(prepared.resolved).items() if k not in filled} == {
        k: v for k, v in asdict(spec).items() if k not in filled
    }


def test_a_resolved_run_is_the_run_that_was_asked_for() -> None:
    prepared = prepare(quick(optimizer="diag_ggn_mc", hyperparameters={"damping": 0.1}))
    assert prepare(prepared.resolved).run_id == prepared.run_id


class Mine(torch.optim.SGD):
    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, lr=lr)


def least_squares(options: ProblemOptions) -> Problem:
    return quadratic(options)


@pytest.mark.parametrize(
    "fields",
    [{"optimizer": Mine}, {"problem": least_squares}, {"optimizer": OPTIMIZERS["adam"]}],
    ids=["a class", "a builder", "a registered spec"],
)
def test_what_is_given_itself_is_the_run_that_is_given_by_name(fields: dict[str, Any]) -> None:
    prepared = prepare(quick(**fields))
    names = {part: getattr(prepared.resolved, part) for part in fields}
    assert all(isinstance(name, str) for name in names.values())
    assert prepare(quick(**names)).run_id == prepared.run_id


def test_the_spec_of_an_optimizer_with_curvature_is_taken_itself() -> None:
    spec = OptimizerSpec(
        name="mine", factory=DiagGGN, curvature=exact, defaults={"lr": 0.1, "damping": 0.5}
    )
    record = bench.run(quick(optimizer=spec, iterations=2))
    assert (record.status, record.label, record.config["settings"]) == (
        "completed", "mine", {"lr": 0.1, "damping": 0.5},
    )  # fmt: skip
    assert record.curvature
    assert record.config["optimizer"].startswith("mine@")


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that a notebook's cells are run in."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


def run_cell(main: ModuleType, number: int, text: str) -> None:
    """Run a cell as IPython does: its source is known under a name that is no file's."""
    name = f"<ipython-input-{number}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), vars(main))


CELL = """
import torch
class MySGD(torch.optim.SGD):
    scale = 1.0
    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=lr * self.scale)
"""


def test_a_class_that_is_edited_in_a_notebook_is_another_run(main: ModuleType) -> None:
    def found() -> tuple[str, str, float]:
        record = bench.run(quick(optimizer=main.MySGD))
        return record.run_id, record.config["optimizer"], record.values["loss"][-1]

    run_cell(main, 1, CELL)
    first = found()
    run_cell(main, 2, CELL)  # once more, the same
    assert found() == first
    run_cell(main, 3, CELL.replace("scale = 1.0", "scale = 0.1"))
    other = found()
    assert (first[1], other[1]) == ("__main__:MySGD", "__main__:MySGD")
    assert first[0] != other[0]
    assert first[2] < other[2]


def test_two_classes_of_one_name_are_two_runs(main: ModuleType) -> None:
    run_cell(main, 1, CELL)
    first = main.MySGD
    run_cell(main, 2, CELL.replace("scale = 1.0", "scale = 0.1"))
    older, newer = (prepare(quick(optimizer=one)) for one in (first, main.MySGD))
    assert older.optimizer.load_factory() is first
    assert older.run_id != newer.run_id
    assert older.resolved.optimizer != newer.resolved.optimizer == "__main__:MySGD"


def test_a_problem_is_built_again_where_what_it_uses_has_changed(main: ModuleType) -> None:
    run_cell(
        main, 1,
        "from dataclasses import replace\n"
        "from bench.problems.quadratic import quadratic\n"
        "SIZE = 16\n"
        "def mine(options):\n    return replace(quadratic(options), batch_size=SIZE)\n",
    )  # fmt: skip
    first = prepare(quick(problem=main.mine))
    main.SIZE = 8  # type: ignore[attr-defined]
    second = prepare(quick(problem=main.mine))
    assert (first.resolved.batch_size, second.resolved.batch_size) == (16, 8)
    assert first.run_id != second.run_id


def registered(monkeypatch: pytest.MonkeyPatch, *layers: nn.Module) -> None:
    """Have a problem of some layers, 'refused'."""
    model = nn.Sequential(*layers)
    problem = replace(layer_norm_problem(ProblemOptions()), make_model=lambda: copy.deepcopy(model))
    spec = ProblemSpec(name="refused", build=lambda options: problem)
    monkeypatch.setitem(PROBLEMS, "refused", spec)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)],
            "cannot be computed on refused: layer '1' (BatchNorm1d) is in training mode: have "
            "BatchNorm in evaluation mode, by its eval(). Optimizers without curvature can run: "
            "-o adam,sgd.",
        ),
        (
            [shared := nn.Linear(4, 4), shared, nn.Linear(4, 3)],
            "cannot be computed on refused: layers '0' and '1' are one Linear: give each place an "
            "instance of its own. Optimizers",
        ),
        (
            [nn.Linear(4, 4), nn.ReLU(inplace=True), nn.Linear(4, 3)],
            "layer '1' (ReLU) works in place: build it with inplace=False. Optimizers",
        ),
        ([nn.Unflatten(1, (1, 4)), nn.Linear(4, 3)], "cannot extend model.0: it has no rule for"),
    ],
    ids=["batch normalisation in training", "a layer used twice", "in place", "no rule"],
)
def test_what_backpack_refuses_only_while_it_runs_is_told_before(
    layers: list[nn.Module], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(monkeypatch, *layers)
    with pytest.raises(NotApplicableError, match=re.escape(message)):
        bench.run(quick(problem="refused", optimizer="diag_ggn_mc"))


def of_two_sets(matrices: Any, params: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD([*matrices, *params], lr=0.1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"optimizer": "muon"}, r"'muon' is not for this model: .*no matrix|no torch.optim.Muon"),
        ({"optimizer": "muon", "hyperparameters": {"lr": 0.1}}, "'muon' is not for this model"),
        (
            {"optimizer": of_two_sets},
            "'.*test_prepare.*:of_two_sets' is not for this model: of_two",
        ),
    ],
)
def test_what_no_setting_makes_possible_is_not_applicable(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(NotApplicableError, match=message):
        prepare(quick(problem="mnist_logreg", **fields))


def test_a_curvature_that_is_wrong_is_refused_with_what_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    registered(monkeypatch, first, nn.Tanh(), second, nn.Tanh(), nn.Linear(4, 3))
    message = (
        r"The curvature of 'diag_ggn_exact' is wrong on refused: it differs .* in 0\.weight \(sum "
        r".* where .* is right, entries off by .*; '0.weight' and '2.weight' are one parameter"
    )
    with pytest.raises(NotApplicableError, match=message):
        bench.run(quick(problem="refused", optimizer="diag_ggn_exact"))


def test_a_curvature_is_examined_once_for_each_setting_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registered(monkeypatch, nn.Linear(4, 3))
    examined: list[torch.dtype] = []

    def examine(*given: Any) -> Finding:
        examined.append(given[-1])
        return Finding(unchecked="it was not looked at")

    monkeypatch.setattr("bench.training.curvature_check.examine", examine)
    for fields in (
        {"hyperparameters": {"lr": 0.1}},
        {"hyperparameters": {"lr": 0.2, "damping": 0.3}, "seed": 3},
        {"hyperparameters": {"mc_samples": 2}},
        {"hyperparameters": {"mc_samples": 2}, "dtype": "float64"},
    ):
        plan = prepare(quick(problem="refused", optimizer="diag_ggn_mc", **fields), checked=False)
        note = "The curvature of 'diag_ggn_mc' is unchecked: it was not looked at."
        assert check(plan) == note
    assert examined == [torch.float32, torch.float32, torch.float64]


def test_what_passes_passes_in_the_runs_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 3)]
    registered(monkeypatch, *layers)
    for dtype in ("float32", "float64"):
        record = bench.run(quick(problem="refused", optimizer="diag_ggn_exact", dtype=dtype))
        assert record.status == "completed"


def layer_norm_problem(options: ProblemOptions) -> Problem:
    data = TensorData(torch.randn(8, 4), torch.randint(3, (8,)))
    return Problem(
        make_model=lambda: nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 3)),
        make_loss=nn.CrossEntropyLoss,
        train=data,
        held_out=data,
        source=DataSource(name="random", detail="random", checksum="0"),
        batch_size=4,
        evaluate=lambda model, loss_fn, held_out: {"loss": loss_fn(*_forward(model, held_out))},
    )


def _forward(model: nn.Module, data: TensorData) -> tuple[Tensor, Tensor]:
    inputs, targets = data.batch(torch.arange(len(data)))
    return model(inputs), targets


def test_a_problem_without_accuracy_and_a_model_that_backpack_cannot_extend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = ProblemSpec(name="layer_norm", build=layer_norm_problem)
    monkeypatch.setitem(PROBLEMS, "layer_norm", spec)
    record = bench.run(quick(problem="layer_norm"))
    assert record.status == "completed"
    assert record.iterations["accuracy"].isna().all()
    with pytest.raises(UsageError, match=r"model\.1: it has no rule for torch.*LayerNorm"):
        bench.run(quick(problem="layer_norm", optimizer="diag_ggn_mc"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"optimizer": "agam"}, "Unknown optimizer 'agam'. Did you mean 'adam'"),
        ({"problem": "mnist"}, "Unknown problem 'mnist'. Did you mean 'mnist_"),
        ({"hyperparameters": {"lrr": 1}}, "'lrr'. Did you mean 'lr'"),
        ({"hyperparameters": {"lr": -1}}, "Invalid learning rate: -1"),
        ({"device": "cuda:99"}, "Device 'cuda:99' is not available. Available here: auto, cpu"),
        ({"device": "tpu"}, "Device 'tpu' is not available"),
        ({"batch_size": 4001}, "batch_size=4001 is not valid: mnist_logreg has 4000"),
        ({"curvature_every": -1}, "curvature_every=-1 is not valid: it is a whole number >= 0"),
        ({"until": ("acuracy", 1)}, "'acuracy'. Did you mean 'accuracy'"),
    ],
    ids=str,
)
def test_what_cannot_run_is_told_before_anything_runs(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        bench.run(quick(**fields))


def test_run_id_follows_what_decides_losses_and_nothing_else() -> None:
    base = prepare(quick()).run_id
    same = [quick(label="other"), quick(hyperparameters={"nesterov": False})]
    other = [
        quick(seed=1),
        quick(iterations=13),
        quick(dtype="float64"),
        quick(split="validation"),
        quick(hyperparameters={"lr": 0.123}),
        quick(batch_size=64),
    ]
    assert {prepare(spec).run_id for spec in same} == {base}
    assert base not in {prepare(spec).run_id for spec in other}


def test_a_number_is_its_value_however_it_is_written() -> None:
    def adam(lr: Any, betas: Any) -> str:
        spec = quick(optimizer="adam", hyperparameters={"lr": lr, "betas": betas})
        return prepare(spec, checked=False).run_id

    one = adam(1, (0, 0.5))
    assert {adam(1.0, (0.0, 0.5)), adam(1, [0, 0.5]), adam(1.0, (-0.0, 0.5))} == {one}
    assert adam(1.0, (0.0, 0.25)) != one
    assert prepare(quick(seconds=1)).run_id == prepare(quick(seconds=1.0)).run_id


def test_an_edit_of_this_projects_own_loop_is_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    before, own = prepare(quick()).run_id, following.project()
    monkeypatch.setattr(following, "project", lambda: own | {"bench.training.loop": "edited"})
    assert prepare(quick()).run_id != before


@pytest.mark.parametrize("part", ["train", "held_out", "model"])
def test_other_tensors_are_another_run_whatever_the_checksum_says(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def build(options: ProblemOptions, *, other: str = "") -> Problem:
        data = {name: TensorData(torch.eye(4), torch.zeros(4, 1)) for name in ("train", "held_out")}
        if other in data:
            data[other].inputs[0, 0] = 2.0
        return replace(
            quadratic(options),
            make_model=lambda: nn.Linear(4, 1, bias=other != "model"),
            batch_size=4,
            train=data["train"],
            held_out=data["held_out"],
        )

    ids = []
    for other in ("", part):
        builder = functools.partial(build, other=other)
        monkeypatch.setitem(PROBLEMS, "mine", ProblemSpec(name="mine", build=builder))
        monkeypatch.setattr("bench.training.identity.source_digest", lambda _, of=other: of)
        monkeypatch.setattr("bench.training.identity.sources", lambda _: {})
        ids.append(prepare(quick(problem="mine"), checked=False).run_id)
    assert ids[0] != ids[1]


class OfMatrices(torch.optim.SGD):
    """Takes the matrices among what it is given, as Muon's users do, and forgets the rest."""

    def __init__(self, params: Any) -> None:
        super().__init__([p.detach().view(-1) for p in params if p.ndim > 1], lr=0.1)


def test_parameters_that_nothing_moves_are_named() -> None:
    note = check(prepare(quick(optimizer=OfMatrices), checked=False))
    assert note == "'OfMatrices' moves no 1.bias: no parameter group of its has them."
    assert check(prepare(quick(), checked=False)) == ""


@pytest.mark.parametrize(
    "own", [{"groups": [("ndim<2", {"lr": 0.5})]}, {"step": "closure"}], ids=["groups", "step"]
)
def test_what_a_spec_says_of_groups_and_steps_is_part_of_what_runs(own: dict[str, Any]) -> None:
    plain, other = (OptimizerSpec(name="mine", factory="torch.optim:SGD", **f) for f in ({}, own))
    prepared = prepare(quick(optimizer=other))
    assert prepared.run_id != prepare(quick(optimizer=plain)).run_id
    ((name, value),) = own.items()
    found = getattr(prepared.resolved, name)
    assert (list(found) if name == "groups" else found) == value
    assert prepare(replace(prepared.resolved, optimizer=other)).run_id == prepared.run_id


def test_parameter_groups_are_part_of_what_runs() -> None:
    grouped = prepare(quick(groups=[("ndim<2", {"lr": 0.5})]))
    model, loss_fn = grouped.problem.make_model(), grouped.problem.make_loss()
    rates = [group["lr"] for group in grouped.bind(model, loss_fn).optimizer.param_groups]
    assert rates[1] == 0.5 != rates[0]
    assert grouped.run_id != prepare(quick()).run_id
    assert grouped.run_id == prepare(quick(groups=[("ndim<2", {"lr": 0.50})])).run_id
    with pytest.raises(UsageError, match="setting of a parameter group: 'lrr'"):
        prepare(quick(groups=[("ndim<2", {"lrr": 0.5})]))
