import math

from bench.recommend.recommendation import recommend
from bench.recommend.rivals import rivals
from bench.recommend.swept import Swept
from bench.recommend.wording import rivalry, sentence, settings_options, table
from tests.bench.recommend import cases as cases


def test_options_are_as_the_command_line_takes_them() -> None:
    settings = {"lr": 0.05, "betas": (0.9, 0.99)}
    assert settings_options(settings) == "--set lr=0.05 --set betas=0.9,0.99"
    assert settings_options(settings, "adam") == "--set adam.lr=0.05 --set adam.betas=0.9,0.99"


def test_the_sentence_says_what_to_take_why_and_how_far_one_can_move() -> None:
    row: dict[float, tuple[float, ...]]
    row = {10.0**k: (0.2, 0.22, 0.21) for k in range(-5, 1)}
    row |= {1e-5: (0.100, 0.102, 0.104), 1e-4: (0.103, 0.098, 0.104), 1e-3: (0.097, 0.104, 0.1)}
    row[0.1] = ()
    found = recommend(cases.line(row, axis="damping", label="ggn", of=3))
    assert sentence(found) == (
        "Use --set damping=0.0001 for ggn: val_loss 0.102 (geometric mean of the 3 seeds that "
        "chose it), the centre of a plateau of 3 settings out of 6 that cannot be told from the "
        "best (damping=0.001: 0.1). Here damping may be 1e-05 to 0.001 (at 0.01, val_loss is 2.09 "
        "times the best; the "
        "grid ends at 1e-05)."
    )


def test_of_two_hyperparameters_each_moves_alone() -> None:
    text = sentence(recommend(cases.valley(halved=True)))
    assert "Moved alone, damping has to stay at 0.1 (at 0.01, val_loss is " in text
    assert "at 1, it was dropped after 22 iterations); lr may be 0.003 to 0.03 (" in text
    assert "the grid ends at 0.003)." in text


def test_lost_runs_end_a_range_with_their_number() -> None:
    text = sentence(recommend(cases.line({0.01: (0.1, 0.11), 0.1: (0.3, 0.33), 1.0: ()}, of=2)))
    assert "lr has to stay at 0.01 (at 0.1, val_loss is 3 times the best" in text
    text = sentence(recommend(cases.line({0.1: (0.1, 0.11), 1.0: (0.2,)}, of=2)))
    assert "how much of that is chance cannot be known" in text


def test_accuracies_are_compared_by_difference() -> None:
    text = sentence(recommend(cases.valley(measure=cases.ACCURACY, noise=0.02)))
    assert "val_accuracy is 0.0" in text
    assert "worse than the best" in text
    assert "(mean of the 3 seeds that chose it)" in text


def test_one_seed_and_a_clear_best_are_said_to_be_so() -> None:
    assert "(the one seed that chose it), the best of 21 settings; how much" in sentence(
        recommend(cases.valley(seeds=1))
    )
    clear = recommend(cases.line({0.1: (0.1, 0.2), 1.0: (0.5, 1.0)}))
    assert "the best of 2 settings, and all others are worse than chance explains" in sentence(
        clear
    )


def test_a_scattered_sweep_has_no_steps_to_move_by() -> None:
    text = sentence(recommend(cases.scattered()))
    assert "The plateau has damping from " in text
    assert "grid" not in text


def test_without_a_recommendation_the_sentence_says_why() -> None:
    found = recommend(cases.line({0.1: (), 1.0: ()}, of=3))
    assert sentence(found) == "All 6 runs of sgd diverged: there is nothing to recommend."
    assert table(found)[1] == [
        ["lr=0.1", "–", "–", "3 of 3 diverged"], ["lr=1", "–", "–", "3 of 3 diverged"]
    ]  # fmt: skip


def test_the_table_has_the_plateau_first_and_says_how_many_more() -> None:
    header, body = table(recommend(cases.valley()))
    assert header == [
        "setting",
        "val_loss: mean (range over seeds)",
        "ratio to the best",
        "verdict",
    ]
    assert len(body) == 13
    assert body[-1][0] == "... and 9 more settings"
    verdicts = [row[3].partition(",")[0] for row in body[:-1]]
    assert verdicts == sorted(verdicts, key=lambda verdict: verdict != "in the plateau")
    assert sum("recommended" in row[3] for row in body) == 1
    assert body[1][2].endswith("×")


def test_the_recommended_setting_is_in_the_table_however_many_are_better() -> None:
    values = [10.0**k for k in range(-10, 10)]
    scores = {v: (1.0 + 0.01 * abs(k - 9.5) * (-1) ** k, 1.05) for k, v in enumerate(values)}
    found = recommend(cases.line(scores))
    assert sum("recommended" in row[3] for row in table(found)[1]) == 1


def test_dropped_settings_come_last() -> None:
    rows = {1.0: (0.2, 0.21), 0.1: (0.1, 0.11)}
    swept = cases.line(rows)
    dropped = [cases.Dropped(settings={"lr": 10.0}, iterations=22, score=math.nan)]
    swept = Swept(label="sgd", optimizer="sgd", axes={"lr": (0.1, 1.0, 10.0)},
                  measure=swept.measure, trials=swept.trials, dropped=dropped)  # fmt: skip
    assert table(recommend(swept))[1][-1] == ["lr=10", "–", "–", "dropped after 22 iterations"]


def test_rivalry_names_cells_and_warns_if_the_best_rival_is_not_beaten() -> None:
    own = recommend(cases.line({0.1: (0.100, 0.120, 0.11)}, label="ggn"))
    sgd = recommend(cases.line({0.1: (0.070, 0.071, 0.07), 1.0: (0.9, 0.9, 0.9)}))
    adam = recommend(cases.line({0.1: (0.5, 0.6, 0.58)}, label="adam"))
    lines = rivalry(rivals(own, [adam, sgd]))
    assert lines[0].startswith("ggn against sgd: val_loss 0.11 against 0.0703 (ratio 1.56, 95 % ")
    assert lines[0].endswith("ggn is worse. sgd was swept with 2 settings, ggn with 1.")
    assert lines[1].endswith("ggn is better.")
    assert lines[2].startswith("ggn as recommended is worse than sgd as recommended: val_loss 0.1")
    assert len(rivalry(rivals(own, [adam]))) == 1
    assert rivalry([]) == []
