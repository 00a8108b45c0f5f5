"""What a sweep found and recommends, in sentences."""

from bench.sweeps import advice
from tests.bench.recommend.cases import SGD, outcome, valley


def test_a_label_with_curvature_is_compared_with_those_without() -> None:
    curved, plain = advice.advise(outcome(valley(), SGD))
    assert [rival.rival for rival in curved.rivals] == ["sgd"]
    assert plain.rivals == []
    said = " ".join(curved.sentences)
    assert "diag_ggn_mc as recommended is worse than sgd as recommended" in said
    assert "sgd was swept with 2 settings, diag_ggn_mc with 21" in said
    assert "the effective curvature share is 0.25 plain and 0.5 weighted" in said


def test_without_rivals_it_says_that_nothing_is_known_of_them() -> None:
    found = outcome(valley())
    (note,) = advice.notes(found, advice.advise(found))
    assert "sweep SGD and Adam beside it" in note
    assert "-o diag_ggn_mc,sgd,adam" in note


def test_where_all_are_alike_the_first_is_compared() -> None:
    first, second = advice.advise(outcome(SGD, valley(label="mine"), curved=()))
    assert [rival.rival for rival in first.rivals] == ["mine"]
    assert not second.rivals


def test_shared_times_are_not_called_timings() -> None:
    found = outcome(SGD, curved=(), shared=True)
    assert advice.notes(found, advice.advise(found)) == [advice.SHARED_NOTE]
