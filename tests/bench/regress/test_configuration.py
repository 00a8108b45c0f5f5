"""``[tool.optbench.regress]``: what a project sets, and how mistakes in it are told."""

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.regress import configuration

HEAD = "[tool.optbench.regress]\n"


def read(folder: Path, text: str) -> configuration.Configuration:
    (folder / "pyproject.toml").write_text(HEAD + text)
    return configuration.read(folder)


def test_without_a_table_the_defaults_hold(tmp_path: Path) -> None:
    assert configuration.read(tmp_path).of("mnist_cnn/sgd", "step") == 0.025


def test_the_last_pattern_that_matches_a_benchmark_or_a_phase_holds(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        'threshold = 4\nbudget = 30\nthresholds = {"mnist_cnn/*" = 6, "*/sgd/step" = 20}\n',
    )
    assert found.budget_s == 30
    assert found.of("mnist_mlp/adam", "total") == pytest.approx(0.04)
    assert found.of("mnist_cnn/sgd", "total") == pytest.approx(0.06)
    assert found.of("mnist_cnn/sgd", "step") == pytest.approx(0.20)


def test_a_pattern_that_matches_no_line_is_idle(tmp_path: Path) -> None:
    found = read(tmp_path, 'thresholds = {"mnist_cn/*" = 6, "*/sgd/step" = 20, "*/adam" = 1}\n')
    assert found.idle(["mnist_cnn/sgd", "mnist_mlp/sgd"]) == ["mnist_cn/*", "*/adam"]
    assert found.idle(["mnist_cnn/adam"]) == ["mnist_cn/*", "*/sgd/step"]


def test_the_file_may_lie_above(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    read(tmp_path, "threshold = 7\n")
    assert configuration.read(tmp_path / "deep").threshold == pytest.approx(0.07)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "thresold = 3\n",
            r"Unknown key in \[tool.optbench.regress\] of '.*': 'thresold'. Did you",
        ),
        ("threshold = 'x'\n", r"threshold=x is not valid: it is a percentage >= 0"),
        ("budget = 0\n", r"budget=0 is not valid"),
        ("thresholds = 3\n", r"thresholds is a table of patterns"),
        ("thresholds = {'a/b/stp' = 3}\n", r"Unknown phase in .* 'stp'. Did you mean 'step'"),
        ("threshold = = 3\n", r"cannot be read"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(tmp_path, text)
