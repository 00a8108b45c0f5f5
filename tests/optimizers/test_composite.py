"""Two optimizers as one, held against both of them by hand; and which matrices are hidden."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from optimizers import OptimizerSpec, UsageError
from optimizers.composite import Composite, hidden_matrices
from optimizers.errors import UnfitError

HIDDEN = {"2.weight", "5.weight"}


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.Tanh(),
        nn.Conv2d(3, 4, 3),
        nn.GroupNorm(2, 4),
        nn.Flatten(),
        nn.Linear(16, 5),
        nn.Tanh(),
        nn.Linear(5, 2),
    )


def pair() -> tuple[nn.Module, nn.Module]:
    """The same model twice."""
    torch.manual_seed(0)
    ours = network().double()
    return ours, copy.deepcopy(ours)


def train(model: nn.Module, step: Callable[[], Any], steps: int = 5) -> list[Tensor]:
    torch.manual_seed(1)
    losses = []
    for _ in range(steps):
        inputs, targets = torch.randn(8, 1, 6, 6).double(), torch.randn(8, 2).double()
        model.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        step()
        losses.append(loss.detach())
    return losses


def built(model: nn.Module, groups: Any = (), factory: Any = Composite, **settings: Any) -> Any:
    spec = OptimizerSpec(name="both", factory=factory)
    return spec.bind(model, nn.MSELoss(), settings, groups).optimizer


def both(*optimizers: Optimizer) -> Callable[[], None]:
    def step() -> None:
        for optimizer in optimizers:
            optimizer.step()

    return step


def test_each_part_steps_as_if_there_were_no_other() -> None:
    ours, theirs = pair()
    named = dict(theirs.named_parameters())
    sgd = SGD([named[name] for name in HIDDEN], lr=0.1, momentum=0.9)
    adamw = AdamW([p for name, p in named.items() if name not in HIDDEN], lr=0.01)
    optimizer = built(ours, hidden=SGD, hidden_lr=0.1, hidden_momentum=0.9, rest_lr=0.01)
    losses = train(ours, optimizer.step)
    assert losses == train(theirs, both(sgd, adamw))
    assert len(set(losses)) == 5


class Rows(Optimizer):
    """Knows matrices alone, and steps each row by its normalised gradient."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                assert p.ndim == 2
                p.sub_(group["lr"] * p.grad / p.grad.norm(dim=1, keepdim=True))


def test_a_convolution_is_a_matrix_of_its_output_channels() -> None:
    ours, theirs = pair()
    named = dict(theirs.named_parameters())
    adamw = AdamW([p for name, p in named.items() if name not in HIDDEN])

    @torch.no_grad()
    def step() -> None:
        for name in HIDDEN:
            gradient = named[name].grad
            assert gradient is not None
            norm = gradient.square().sum(tuple(range(1, gradient.ndim)), keepdim=True).sqrt()
            named[name].sub_(0.1 * gradient / norm)
        adamw.step()

    optimizer = built(ours, hidden=Rows, hidden_lr=0.1)
    torch.testing.assert_close(train(ours, optimizer.step), train(theirs, step), rtol=1e-13, atol=0)


def test_flatten_may_be_declined() -> None:
    model, _ = pair()
    optimizer = built(model, hidden=SGD, flatten=False)
    assert sorted(p.ndim for p in optimizer.param_groups[0]["params"]) == [2, 4]


class Replacing(Optimizer):
    """Puts other numbers in place of a parameter's, as some optimizers do."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {})

    def step(self, closure: Any = None) -> Any:
        for p in self.param_groups[0]["params"]:
            p.data = p.data - 0.1 * p.grad


def test_numbers_that_a_part_replaces_reach_the_model() -> None:
    ours, theirs = pair()
    replacing = built(ours, hidden=Replacing, rest=SGD, rest_lr=0.1)
    sgd = SGD(theirs.parameters(), lr=0.1)
    torch.testing.assert_close(train(ours, replacing.step), train(theirs, sgd.step))


def test_numbers_that_others_replace_are_those_that_are_stepped() -> None:
    ours, theirs = pair()
    optimizer = built(ours, hidden=SGD, rest=SGD, hidden_lr=0.1, rest_lr=0.1)
    sgd = SGD(theirs.parameters(), lr=0.1)

    def halved(model: nn.Module, step: Callable[[], Any]) -> Callable[[], None]:
        def both_of_it() -> None:
            step()
            for p in model.parameters():
                p.data = p.data / 2

        return both_of_it

    mine = train(ours, halved(ours, optimizer.step))
    torch.testing.assert_close(mine, train(theirs, halved(theirs, sgd.step)), rtol=1e-13, atol=0)


class Averaging(SGD):
    """Notes the modes that it enters."""

    modes: list[str]

    def train(self) -> None:
        self.modes = [*getattr(self, "modes", []), "train"]

    def eval(self) -> None:
        self.modes = [*getattr(self, "modes", []), "eval"]


def test_modes_reach_the_parts_that_have_them() -> None:
    model, _ = pair()
    optimizer = built(model, hidden=Averaging)
    optimizer.train(), optimizer.eval()
    assert [getattr(part, "modes", None) for part in optimizer._parts] == [["train", "eval"], None]
    plain = built(pair()[0], hidden=SGD)
    assert not hasattr(plain, "train")
    assert not hasattr(plain, "eval")


def test_gradients_are_zeroed_and_a_closure_is_called_once() -> None:
    model, _ = pair()
    optimizer = built(model, hidden=SGD)
    train(model, optimizer.step, steps=1)
    optimizer.zero_grad(set_to_none=False)
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    called = list[bool]()

    def closure() -> float:
        called.append(torch.is_grad_enabled())
        return 3.0

    with torch.no_grad():
        assert optimizer.step(closure) == 3.0
    assert called == [True]


def test_state_and_defaults_are_those_of_the_parts() -> None:
    model, other = pair()
    optimizer = built(model, hidden=SGD, hidden_momentum=0.9)
    assert {"momentum", "betas"} <= optimizer.defaults.keys()
    before = train(model, optimizer.step)
    assert [len(state) for state in optimizer.state.values()] == [2, 8]
    other.load_state_dict(model.state_dict())
    again = built(other, hidden=SGD, hidden_momentum=0.9)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert train(model, optimizer.step) == train(other, again.step) != before


def test_groups_reach_the_parts_that_have_their_parameters() -> None:
    model, _ = pair()
    groups = [("ndim<2", {"betas": (0.5, 0.5)}), ("2.*", {"lr": 0.5})]
    optimizer = built(model, groups, hidden=SGD)
    told = [
        ([tuple(p.shape) for p in group["params"]], group["lr"], group.get("betas"))
        for group in optimizer.param_groups
    ]
    assert told == [
        ([(5, 16)], 0.001, None),
        ([(4, 27)], 0.5, None),
        ([(3, 1, 3, 3), (2, 5)], 0.001, (0.9, 0.999)),
        ([(3,), (4,), (4,), (4,), (5,), (2,)], 0.001, (0.5, 0.5)),
    ]
    with pytest.raises(UsageError, match="Unknown setting of a parameter group: 'betas'"):
        built(pair()[0], [("2.weight", {"betas": (0.5, 0.5)})], hidden=SGD)


class Sharpness(SGD):
    step_protocol = "backward_then_closure"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_rate": 1}, r"Unknown setting of hidden: 'hidden_rate'.*hidden_lr"),
        ({"lr": 1}, r"Unknown setting of a Composite: 'lr'.*hidden_…, rest_…"),
        ({"select": "nothing*"}, r"select='nothing\*' is not valid: it takes none of 0.weight"),
        ({"hidden": lambda model: None}, "is given the whole model: it cannot step a part."),
        ({"rest": torch.optim.LBFGS}, "rest=LBFGS is not valid: its step takes more than the grad"),
        ({"hidden": Sharpness}, "hidden=Sharpness is not valid: its step takes more than the"),
        ({"rest": "here"}, "rest='here' is not valid: it is package.module:Class"),
    ],
)
def test_a_bad_setting_is_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        built(pair()[0], **{"hidden": SGD} | settings)


def test_what_is_not_contiguous_is_refused() -> None:
    model = network().to(memory_format=torch.channels_last)
    with pytest.raises(UsageError, match=r"'2.weight' is no matrix without a copy"):
        built(model, hidden=SGD)
    built(model, hidden=SGD, flatten=False)


def test_no_more_groups_are_taken() -> None:
    with pytest.raises(UsageError, match="takes no further parameter groups"):
        built(pair()[0], hidden=SGD).add_param_group({"params": [torch.zeros(2)]})


def test_what_is_selected_may_be_all() -> None:
    model = nn.Linear(3, 2)
    optimizer = built(model, hidden=SGD, select="*", hidden_lr=0.5, rest_lr=0.1)
    assert [(len(g["params"]), g["lr"]) for g in optimizer.param_groups] == [(2, 0.5)]


class Transformer(nn.Module):
    def __init__(self, *, tied: bool) -> None:
        super().__init__()
        self.tokens = nn.Embedding(7, 4)
        self.cls = nn.Parameter(torch.zeros(1, 1, 4))
        self.scale = nn.Parameter(torch.zeros(4, 1, 1))
        self.block = nn.TransformerEncoderLayer(4, 2, 8)
        self.head = nn.Linear(4, 7)
        if tied:
            self.head.weight = self.tokens.weight


IN_BLOCK = [
    "block.self_attn.in_proj_weight",
    "block.self_attn.out_proj.weight",
    "block.linear1.weight",
    "block.linear2.weight",
]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (network(), ["2.weight", "5.weight"]),
        (nn.Linear(3, 2), []),
        (nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)), []),
        (Transformer(tied=False), IN_BLOCK),
        (Transformer(tied=True), IN_BLOCK),
    ],
    ids=["convolutions", "one", "two", "embeddings", "tied"],
)
def test_hidden_are_matrices_between_input_and_output(
    model: nn.Module, expected: list[str]
) -> None:
    assert hidden_matrices(model) == expected


def test_a_model_without_hidden_matrices_is_not_for_it() -> None:
    with pytest.raises(UnfitError, match=r"'both' is not for this model: no matrix is between"):
        built(nn.Linear(3, 2), hidden=SGD)
