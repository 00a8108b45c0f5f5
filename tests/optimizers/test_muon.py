"""Muon with AdamW for the rest, against torch's two by hand."""

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from optimizers.errors import UnfitError
from optimizers.muon import Muon
from tests.optimizers.test_composite import HIDDEN, both, built, pair, train


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_muon_is_torchs_with_adamw_for_the_rest() -> None:
    ours, theirs = pair()
    named = dict(theirs.named_parameters())
    matrices = {
        name: nn.Parameter(named[name].detach().view(len(named[name]), -1)) for name in HIDDEN
    }
    muon = torch.optim.Muon(matrices.values(), lr=0.03, weight_decay=0.1, momentum=0.8)
    rest = [p for name, p in named.items() if name not in HIDDEN]
    adamw = AdamW(rest, lr=0.004, betas=(0.8, 0.9), weight_decay=0.2)

    def step() -> None:
        for name, matrix in matrices.items():
            gradient = named[name].grad
            assert gradient is not None
            matrix.grad = gradient.view(matrix.shape)
        both(muon, adamw)()

    settings = {
        "lr": 0.03, "weight_decay": 0.1, "momentum": 0.8,
        "adamw_lr": 0.004, "adamw_betas": (0.8, 0.9), "adamw_weight_decay": 0.2,
    }  # fmt: skip
    optimizer = built(ours, factory=Muon, **settings)
    assert train(ours, optimizer.step) == train(theirs, step)


def test_muon_without_torchs_is_not_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    with pytest.raises(UnfitError, match=r"has no torch.optim.Muon; torch 2.9 and newer have it"):
        built(pair()[0], factory=Muon)
