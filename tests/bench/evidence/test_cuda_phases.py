"""Phases of a run on CUDA against the wall time of the loop."""

import pytest
import torch

from bench.evidence import cuda_phases


def test_without_a_device_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="needs a CUDA device; there is none here"):
        cuda_phases.main()


@pytest.mark.gpu
@pytest.mark.parametrize("optimizer", ["sgd", "diag_ggn_mc"])
def test_phases_do_not_overlap(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that together they are no longer than the loop, but for what events resolve."""
    monkeypatch.setattr(cuda_phases, "ITERATIONS", 60)
    monkeypatch.setattr(cuda_phases, "SKIPPED", 10)
    assert 0 < cuda_phases.ratio(optimizer) < 1.01
