"""Reports of stored results in a real browser: of a comparison, of hostile records, of none."""

import hashlib
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest

from bench.report import contents, writer
from bench.report.material import gather
from bench.runs import store
from bench.runs.record import RunRecord
from tests.bench.records import made_curvature, made_record
from tests.browser.conftest import Open
from tests.browser.layout import flaws

if os.environ.get("OPTBENCH_REQUIRE_BROWSER") != "1":
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

HOSTILE = (
    "<script>window.__pwned = 1</script>",
    '"><img src=x onerror="window.__pwned = 1">',
    "../../../etc/passwd",
    "{{ 7 * 7 }}\x00\x1b[31m\u202eabc",
    "javascript:window.__pwned=1",
    "W" * 300,
)
SOME_TEXT = re.compile(r"\S{3}")
SIZES = [(360, 740), (1400, 900)]


def runs(label: str, ends: float, **fields: Any) -> list[RunRecord]:
    """Three seeds of an optimizer, with all that records may hold."""
    found = []
    for seed in range(3):
        evaluations = [
            {"iteration": 10.0 * n, "seconds": 0.1 * n, "loss": 2.3 - 0.5 * n,
             "accuracy": 0.1 + (ends + seed / 500 - 0.1) * n / 3}
            for n in range(4)
        ]  # fmt: skip
        given = {
            "losses": [2.3 * math.exp(-n / 20) for n in range(30)],
            "evaluations": evaluations,
            "curvature": [row for n in (0, 29) for row in made_curvature(n)],
            "run_id": hashlib.sha256(label.encode()).hexdigest()[:16],
            **fields,
        }
        found.append(made_record(label=label, seed=seed, minutes=seed, **given))
    return found


def page_of(folder: Path, records: list[RunRecord]) -> Path:
    """The report of records that were stored and read again."""
    (folder / "results" / "runs").mkdir(parents=True)
    for record in records:
        store.save(record, folder / "results")
    held = gather([folder / "results"])
    return writer.write(folder / "report", contents.of_results(held, "optbench report"))


def comparison() -> list[RunRecord]:
    yardstick = made_record(role="plain_gradient", label="plain gradient", minutes=-1)
    return [*runs("adam", 0.95), *runs("sgd", 0.94), *runs("poor", 0.5), yardstick]


def test_a_comparison_works_from_end_to_end(tmp_path: Path, open_page: Open) -> None:
    page = open_page(page_of(tmp_path, comparison()), viewport={"width": 1400, "height": 900})
    expect(page.locator(".lead")).to_contain_text("has the best test accuracy")
    names = page.locator("#summary tbody th")
    assert names.all_inner_texts() == ["adam", "sgd", "poor"]
    page.locator("#summary thead th").filter(has_text="test accuracy").get_by_role("button").click()
    assert names.all_inner_texts() == ["poor", "sgd", "adam"]
    figures = page.get_by_role("img")
    assert figures.count() >= 12
    for figure in figures.all():
        expect(figure).to_have_accessible_name(SOME_TEXT)
        expect(figure).to_have_accessible_description(SOME_TEXT)
    drawn = page.locator('svg [data-series="2"]:visible').count()
    accuracy = page.locator("figure", has_text="Test accuracy against").locator(".variant:visible")
    for log_y, log_x, scale in ((1, 1, "log"), (0, 1, "log"), (1, 0, "linear")):
        page.get_by_role("checkbox", name="Logarithmic x").set_checked(bool(log_x))
        page.get_by_role("checkbox", name="Logarithmic y").set_checked(bool(log_y))
        shown = [one.get_attribute("data-x") for one in accuracy.all()]
        assert shown == [scale] * 3  # although they have no logarithmic y axis
    assert drawn > 10
    page.get_by_role("checkbox", name="poor", exact=True).uncheck()
    assert names.all_inner_texts()[0] == "sgd" or not names.first.is_visible()
    assert page.locator('svg [data-series="2"]:visible').count() == 0
    page.locator("#summary a.runs:visible").first.click()
    expect(page.locator("dialog table tbody tr")).to_have_count(3)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overlaps(
    tmp_path: Path, open_page: Open, width: int, height: int, scheme: str
) -> None:
    two = [*comparison(), *runs("adam", 0.9, problem="mnist_mlp"), *runs("sgd", 0.8, shared=True)]
    viewport = {"width": width, "height": height}
    page = open_page(page_of(tmp_path, two), viewport=viewport, color_scheme=scheme)
    assert flaws(page) == []
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert flaws(page) == []


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_records_do_no_harm(tmp_path: Path, open_page: Open, text: str) -> None:
    records = runs(
        text, 0.9, problem=text, optimizer=text, settings={text: text}, device=text, session=text,
        data={"name": text, "detail": text, "checksum": text, "origin": text},
        cpu=text, fingerprint=text, commit=text, versions={"torch": text, text: text},
        allocator={"libc": text, "tuned": True}, gpu={"name": text},
    )  # fmt: skip
    lost = made_record(
        label=text, seed=9, problem=text, losses=[], evaluations=[], status="failed", error=text,
        minutes=9,
    )  # fmt: skip
    page = open_page(page_of(tmp_path, [*records, lost]))
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert flaws(page) == []
    assert page.evaluate("window.__pwned") is None
    outside = [path for path in tmp_path.parent.rglob("*") if path.name == "passwd"]
    assert outside == []


@pytest.mark.parametrize(
    "records",
    [
        [],
        [made_record()],
        [made_record(losses=[1.0], evaluations=[])],
        [made_record(seed=n, minutes=n, losses=[2.0, math.inf], status="diverged", diverged_at=1)
         for n in range(3)],
        [made_record(losses=[math.nan], status="diverged", diverged_at=0, evaluations=[])],
        [made_record(evaluations=[{"iteration": 3.0, "seconds": 0.1, "loss": math.inf,
                                   "accuracy": math.nan}])],
        [made_record(label=f"optimizer {n}", run_id=f"{n:016x}", losses=[3.0, 1 + n / 60])
         for n in range(60)],
    ],
    ids=["none", "one", "one iteration", "only diverged", "NaN at once", "not finite", "sixty"],
)  # fmt: skip
def test_odd_records_are_legible(tmp_path: Path, open_page: Open, records: list[RunRecord]) -> None:
    page = open_page(page_of(tmp_path, records))
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator(".lead")).to_be_visible()
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert flaws(page) == []
