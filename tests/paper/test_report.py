"""The report in a real browser: it renders, fetches nothing, prints, and serves keyboard and phone."""

import itertools
import re
import zlib
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from playwright.sync_api import sync_playwright
from tests.paper import made_up
from tests.paper.browser import launched

from dreaming.paper import reproduction
from dreaming.paper.figures import FIGURES
from dreaming.paper.plan.plan import make_plan
from dreaming.paper.plan.presets import PROFILES
from dreaming.paper.plan.profile import Profile
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


def one_stopped(table):
    """The values that a run which stopped at epoch 10 lacks."""
    stopped = (table["condition"] == "without_nrem") & (table["seed"] == 2) & (table["dataset"] == "svhn")
    return stopped & (table["epoch"] >= 10)


def made(dataset_of, folder, profile, failures, **lacking):
    """The report of made-up runs."""
    attempts = Attempts(NoProgress())
    for name, why in failures.items():
        attempts.note(name, why)
    tables = made_up.tables(dataset_of, profile, **lacking)
    reproduction.write_results(make_plan(profile, (), folder), tables, attempts)
    return folder / "report.html"


@pytest.fixture(scope="module")
def page_of(dataset_of, tmp_path_factory):
    """Opens a report in a window of a size; remembers each address that is asked for, and what goes wrong.

    One is of the whole paper, with a seed that stopped; the other is the demo's. Tests that only look share a page;
    who types wants a fresh one.
    """
    failures = {FAILED: f"wake.image became nan in epoch 5 {ATTACK}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reproduction, "FILE_KINDS", ("png",))  # what the page holds
        paths = {
            "whole": made(
                dataset_of, tmp_path_factory.mktemp("whole"), PROFILE, failures, lacking=one_stopped
            ),
            "demo": made(dataset_of, tmp_path_factory.mktemp("demo"), PROFILES["demo"], {}),
        }
    with sync_playwright() as playwright:
        browser = launched(playwright)

        pages = {}

        def open_page(width=1280, fresh=False, of="whole", height=900):
            if (of, width, height) in pages and not fresh:
                return pages[of, width, height]
            page = browser.new_context(viewport={"width": width, "height": height}).new_page()
            page.asked, page.wrong = [], []
            page.on("request", lambda request: page.asked.append(request.url))
            page.on("console", lambda message: page.wrong.append(message.text))
            page.on("pageerror", lambda error: page.wrong.append(str(error)))
            page.goto(paths[of].as_uri())
            page.wait_for_load_state("networkidle")
            if not fresh:
                pages[of, width, height] = page
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
        "section figure img", "all => all.map(i => [i.naturalWidth, i.clientWidth, i.alt])"
    )
    assert len(images) == len(FIGURES) - 1  # table 1 is a table
    assert all(natural > 800 and shown > 300 and len(alt) > 40 for natural, shown, alt in images)


SCREENS = [(1280, 800), (390, 844)]


def bottom(page, selector):
    """The lower edge of the first element, in pixels from the top of the page."""
    box = page.locator(selector).first.bounding_box()
    return box["y"] + box["height"]


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_the_first_screen_is_the_answer(page_of, width, height):
    page = page_of(width, of="demo", height=height)
    said = page.locator(".answer").inner_text()
    assert said.startswith("On Digits, these runs ")
    assert re.fullmatch(r"[^.]*\. 0 of 20 runs finished\.", said)  # one sentence, and what is wrong
    assert bottom(page, ".answer") < height
    assert bottom(page, ".strips") < height
    assert page.locator(".strips").first.inner_text().split("\n") == [
        "seen, last day",
        "NREM, epoch 1",
        "REM, epoch 1",
        "NREM, epoch 12",
        "REM, epoch 12",
    ]
    assert page.locator(".grid").bounding_box()["y"] < height


def test_on_a_desk_the_first_screen_holds_the_whole_grid_of_claims(page_of):
    assert bottom(page_of(1280, of="demo", height=800), ".grid") <= 800


def test_each_mark_of_the_grid_leads_to_the_row_of_its_verdict(page_of):
    page = page_of()
    heads = page.locator(".grid thead th").all_inner_texts()
    assert heads == ["Claim", "CIFAR-10", "SVHN"]
    marks = page.locator(".grid td a:has(.said)")
    assert marks.count() > 20
    for mark in marks.all():
        row = page.locator(f"[id='{mark.get_attribute('href')[1:]}']")
        assert mark.get_attribute("title") in row.locator(".verdict").text_content()


def test_a_mark_opens_the_folded_table_that_it_leads_to(page_of):
    page = page_of(fresh=True)
    [folded, *_] = [row.get_attribute("id") for row in page.locator("details tr[id]").all()]
    assert not page.locator(f"[id='{folded}']").is_visible()
    page.locator(f".grid a[href='#{folded}']").click()
    assert page.locator(f"[id='{folded}']").is_visible()


def test_what_differs_from_the_paper_is_folded_and_printed(page_of):
    page = page_of(of="demo", fresh=True)
    assert page.locator(".differs summary").inner_text() == "What differs from the paper: 6 points"
    points = page.locator(".differs li")
    assert points.count() == 6
    assert not points.first.is_visible()
    page.locator(".differs summary").click()
    assert points.first.is_visible()
    assert points.all_inner_texts()[:2] == ["images of Digits", "12 epochs in place of 50"]
    assert "Nothing differs" in page_of().locator(".differs").inner_text()


def test_a_claims_row_says_what_its_number_means_then_the_interval(page_of):
    page = page_of(of="demo")
    [said] = page.locator("[aria-labelledby='figure-5'] td.reason").all_inner_texts()
    assert re.fullmatch(
        r"PAD is under occlusion read out [\d.]+ points better than w/o NREM; 95 % interval \+[\d.]+ to \+[\d.]+, "
        r"4 seeds, p = .*",
        said,
    )


def test_beside_figures_4_and_5_it_is_shown_which_phase_is_crossed_out(page_of):
    page = page_of(of="demo")
    crossed = {}
    for figure in ("figure-4", "figure-5"):
        for item in page.locator(f"[aria-labelledby='{figure}'] .schemes li").all():
            name = item.locator("b").inner_text()
            crossed[name] = [item.locator(f".{state}").all_inner_texts() for state in ("out", "changed")]
    assert crossed == {
        "PAD": [[], []],
        "w/o REM": [["REM"], ["Wake *", "NREM *"]],
        "w/o memory mix": [[], ["REM *"]],
        "w/o NREM": [["NREM"], []],
    }
    assert page.locator(".schemes").count() == 2


def test_no_caption_says_what_is_not_so(page_of):
    whole, demo = (page_of(of=of).locator("main").inner_text() for of in ("whole", "demo"))
    assert "twice" not in whole + demo
    assert "over 100 epochs of training" in whole
    assert "Appendix 1, figure 3" not in demo


def test_where_pixels_tell_more_than_latents_the_numbers_of_natural_images_stand_beside(page_of):
    note = "CIFAR-10, 50 epochs at full width"
    assert page_of(of="demo").locator("caption", has_text=note).count() == 1
    rows = page_of(of="demo").locator(f"table:has(caption:has-text('{note}')) tbody tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == [
        "PAD",
        "w/o memory mix",
        "w/o REM",
        "w/o NREM",
        "Wake only",
    ]
    assert "58.25 ± 0.70" in rows[0]
    assert all("agrees" in row for row in rows)
    assert page_of().locator("caption", has_text=note).count() == 0


def test_a_phones_page_is_not_endless(page_of):
    assert page_of(390, of="demo", height=844).evaluate("document.documentElement.scrollHeight") < 9000


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_captions_are_wide_enough_to_read(page_of, width, height):
    page = page_of(width, height=height)
    widths = page.eval_on_selector_all(
        "figcaption, caption", "all => all.map(e => e.getBoundingClientRect().width)"
    )
    assert len(widths) > 10
    assert min(widths) > 300


def test_the_numbers_come_after_the_answer_then_the_figures_then_the_runs(page_of):
    page = page_of()
    heads = [head for head in page.locator("h2").all_inner_texts() if head != "What failed"]
    assert heads[0] == "What it saw, and dreamt"
    assert heads[1].startswith("What the paper claims: ")
    assert heads[2].startswith("Numbers")
    assert heads[3:] == ["Figures", "What was run, and where", "Runs"]
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


@pytest.mark.parametrize("of", ["whole", "demo"])
def test_every_link_leads_to_a_place_of_the_page_or_to_a_file_beside_it(page_of, of):
    page = page_of(of=of)
    targets = page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
    folder = Path(unquote(urlparse(page.url).path)).parent
    files = [target for target in targets if not target.startswith("#")]
    assert {"numbers.csv", "claims.csv", "figures/figure-3.png", "figures/figure-3.csv"} <= set(files)
    assert all((folder / target).exists() for target in files)
    assert all(
        page.locator(f"[id='{target[1:]}']").count() == 1 for target in targets if target.startswith("#")
    )


def test_it_is_used_with_the_keyboard_alone(page_of):
    page = page_of(fresh=True)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the numbers"
    box = page.locator(".skip").bounding_box()
    assert box["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content"
    for which in (-len(make_plan(PROFILE).runs) - 1, -1):  # all runs, then the last one's config
        page.locator("summary").all()[which].focus()
        page.keyboard.press("Enter")
    config = page.locator("pre").last
    assert config.is_visible()
    assert "networks:" in config.inner_text()
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
    content = printed(page_of(fresh=True), tmp_path)
    assert content.startswith(b"%PDF")
    assert 5 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", content)) <= 60
    assert len(re.findall(rb"/Subtype\s*/Image", content)) >= len(FIGURES) - 1


def printed(page, folder):
    """The page as a PDF."""
    page.pdf(path=folder / "report.pdf", format="A4")
    return (folder / "report.pdf").read_bytes()


@pytest.mark.parametrize("of", ["whole", "demo"])
def test_no_printed_page_is_empty(page_of, tmp_path, of):
    content = printed(page_of(fresh=True, of=of), tmp_path)
    objects = {
        int(found[1]): found[2] for found in re.finditer(rb"(\d+) 0 obj(.*?)endobj", content, re.DOTALL)
    }
    for page in objects.values():
        if re.search(rb"/Type\s*/Page\b(?!s)", page):
            stream = objects[int(re.search(rb"/Contents (\d+) 0 R", page)[1])]
            drawn = zlib.decompress(stream.split(b"stream", 1)[1].split(b"endstream")[0].lstrip())
            assert len(re.findall(rb"T[jJ]\b| Do\b", drawn)) > 20


def test_heads_are_in_order_and_tables_have_heads(page_of):
    page = page_of()
    levels = page.eval_on_selector_all("h1, h2, h3", "all => all.map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.locator("table:not(:has(th[scope=col]))").count() == 0
    assert page.evaluate("document.documentElement.lang") == "en"
