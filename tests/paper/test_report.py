"""The report in a real browser: it renders, fetches nothing, prints, and serves keyboard and phone."""

import itertools
import re

import pytest
from playwright.sync_api import sync_playwright
from tests.paper import made_up
from tests.paper.browser import launched

from dreaming.paper import reproduction
from dreaming.paper.claims.numbers import numbers_table
from dreaming.paper.figures import FIGURES
from dreaming.paper.plan.plan import make_plan
from dreaming.paper.plan.profile import Profile
from dreaming.paper.report import report
from dreaming.paper.reproduction import make_figures
from dreaming.paper.results import Attempts
from dreaming.system.progress import NoProgress

PROFILE = Profile(
    name="made-up",
    datasets=("cifar10", "svhn"),
    seeds=4,
    epochs=50,
    long_epochs=100,
    every=10,
    schedules=("pad:10,without_rem:20,pad",),
    sweeps=("phases.rem.dose=0,1",),
    measures=("knn",),
)
FAILED = "svhn/without_nrem/seed-2"
ATTACK = "<img src=x onerror=document.title='attacked'>"


def made(dataset_of, folder):
    """The report of made-up runs, of which one seed stopped."""
    tables = made_up.tables(
        dataset_of,
        PROFILE,
        lambda t: (
            (t["condition"] == "without_nrem")
            & (t["seed"] == 2)
            & (t["epoch"] >= 10)
            & (t["dataset"] == "svhn")
        ),
    )
    plan = make_plan(PROFILE, (), folder)
    attempts = Attempts(NoProgress())
    attempts.note(FAILED, f"wake.image became nan in epoch 5 {ATTACK}")
    drawn = make_figures(plan, tables, attempts)
    found = numbers_table({figure.name: figure.table for figure in drawn}, PROFILE)
    path = folder / "report.html"
    path.write_text(report(plan, tables, drawn, found, attempts.failures), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page_of(dataset_of, tmp_path_factory):
    """Opens the report in a window of a size; remembers each address that is asked for, and what goes wrong.

    Tests that only look share a page; who types wants a fresh one.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reproduction, "FILE_KINDS", ("png",))  # what the page holds
        path = made(dataset_of, tmp_path_factory.mktemp("report"))
    with sync_playwright() as playwright:
        browser = launched(playwright)

        pages = {}

        def open_page(width=1280, fresh=False):
            if width in pages and not fresh:
                return pages[width]
            page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
            page.asked, page.wrong = [], []
            page.on("request", lambda request: page.asked.append(request.url))
            page.on("console", lambda message: page.wrong.append(message.text))
            page.on("pageerror", lambda error: page.wrong.append(str(error)))
            page.goto(path.as_uri())
            page.wait_for_load_state("networkidle")
            if not fresh:
                pages[width] = page
            return page

        yield open_page
        browser.close()


def test_nothing_is_asked_of_any_network_and_nothing_goes_wrong(page_of):
    page = page_of()
    assert [url for url in page.asked if not url.startswith("data:")] == [page.url]
    assert page.url.startswith("file:")
    assert page.wrong == []


def test_every_figure_is_there_and_was_decoded_and_has_words_for_who_cannot_see_it(page_of):
    images = page_of().eval_on_selector_all(
        "figure img", "all => all.map(i => [i.naturalWidth, i.clientWidth, i.alt])"
    )
    assert len(images) == len(FIGURES) - 1  # table 1 is a table
    assert all(natural > 800 and shown > 300 and len(alt) > 40 for natural, shown, alt in images)


def test_the_numbers_come_first_then_the_claims_then_the_figures_then_the_runs(page_of):
    page = page_of()
    heads = [head for head in page.locator("h2").all_inner_texts() if head != "What failed"]
    assert heads[0].startswith("Numbers")
    assert heads[1:] == ["Claims", "Figures", "What was run, and where", "Runs"]
    row = page.locator("tr", has_text="58.25 ± 0.70").first.inner_text()
    assert "PAD" in row
    assert any(verdict in row for verdict in ("agrees", "higher", "lower"))


def test_a_failed_run_and_the_gap_that_it_leaves_are_said(page_of):
    page = page_of()
    assert FAILED in page.locator("ul.gap").first.inner_text()
    assert "incomplete" in page.locator("#numbers ~ .region").first.inner_text()
    gap = page.locator("section[aria-labelledby=figure-5] .gap").inner_text()
    assert f"{FAILED} lacks readout_accuracy_occluded" in gap


def test_what_runs_say_is_shown_and_not_executed(page_of):
    page = page_of()
    assert page.title() != "attacked"
    assert ATTACK in page.locator("ul.gap").first.inner_text()


def test_own_conditions_stand_in_the_table_and_in_figures(page_of):
    page = page_of()
    numbers = page.locator("#numbers ~ .region").first.inner_text()
    assert "PAD to 10, w/o REM to 20, PAD" in numbers
    assert "PAD, rem.dose 0" in numbers
    assert page.locator("section[aria-labelledby=doses] img").count() == 1


def test_every_link_leads_to_something(page_of):
    page = page_of()
    targets = page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
    assert targets
    assert all(
        target.startswith("#") and page.locator(f"[id='{target[1:]}']").count() == 1 for target in targets
    )


def test_it_is_used_with_the_keyboard_alone(page_of):
    page = page_of(fresh=True)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the numbers"
    box = page.locator(".skip").bounding_box()
    assert box["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content"
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details[open] pre").first.is_visible()
    assert "networks:" in page.locator("details[open] pre").inner_text()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
    assert {"SUMMARY", "PRE"} & reached


def test_whatever_has_the_focus_is_seen_to_have_it(page_of):
    page = page_of(fresh=True)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_width_makes_the_page_scroll_sideways_and_words_stay_readable(page_of, width):
    page = page_of(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.eval_on_selector_all(
        "td, p, li", "all => all.map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 12


def test_it_prints_to_a_pdf_of_some_pages_with_its_pictures(page_of, tmp_path):
    path = tmp_path / "report.pdf"
    page_of(fresh=True).pdf(path=path, format="A4")
    content = path.read_bytes()
    assert content.startswith(b"%PDF")
    assert 5 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", content)) <= 60
    assert len(re.findall(rb"/Subtype\s*/Image", content)) >= len(FIGURES) - 1


def test_heads_are_in_order_and_tables_have_heads(page_of):
    page = page_of()
    levels = page.eval_on_selector_all("h1, h2, h3", "all => all.map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.locator("table:not(:has(th[scope=col]))").count() == 0
    assert page.evaluate("document.documentElement.lang") == "en"
