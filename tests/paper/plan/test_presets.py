"""Profiles and figures by name, and profiles from a file of the user's own."""

import pytest

from dreaming.errors import UserError
from dreaming.paper.plan.presets import PROFILES, chosen, profile


@pytest.fixture
def written(tmp_path):
    """Writes a profile's file."""

    def write(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_a_file_says_what_differs_from_its_base(written):
    mine = profile(written("base: quick\nseeds: 3\n"))
    assert mine == PROFILES["quick"].model_copy(update={"name": "mine", "seeds": 3})


def test_a_file_is_of_the_paper_by_default(written):
    paper = PROFILES["paper"]
    assert profile(written("epochs: 20")) == paper.model_copy(update={"name": "mine", "epochs": 20})


def test_a_file_may_have_any_name(written):
    assert profile(written("seeds: 3", "my profile.yml")).name == "my-profile"


def test_settings_go_on_top_of_a_file(written):
    mine = profile(written("seeds: 3\nsettings: [networks.latent_dim=1]\n"), ["seeds=5"])
    assert (mine.seeds, mine.settings) == (5, ("networks.latent_dim=1",))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("base: [demo]", "there is no profile '"),
        ("base: qick", "did you mean 'quick'"),
        ("seedz: 2", "there is no 'seedz'; did you mean 'seeds'"),
        ("figures: [figure-77]", "there is no 'figure-77' to be drawn; did you mean"),
        ("datasets: []", "datasets is"),
        ("seeds: true", "seeds: it is true"),
        ("settings: [training.epochs=3]", "training.epochs is what the plan decides on"),
        ("- 3", "it should hold fields"),
        ("", "it should hold fields"),
        ("a: [", "is no profile"),
        ("1: 2", "keys should be strings"),
    ],
)
def test_a_wrong_file_is_refused_by_name(written, text, sentence):
    path = written(text)
    with pytest.raises(UserError) as refusal:
        profile(path)
    assert str(refusal.value).startswith(str(path))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no profile .*none.yaml"):
        profile(tmp_path / "none.yaml")


def test_a_profile_or_figure_that_there_is_not_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="there is no profile 'papper'; did you mean 'paper'"):
        profile("papper")
    with pytest.raises(UserError, match="there is no 'figre-5' to be drawn; did you mean 'figure-5'"):
        chosen(PROFILES["demo"], ["figre-5"])


def test_figures_that_are_named_come_in_the_order_of_the_report_even_beyond_the_profile():
    assert chosen(PROFILES["demo"], ["appendix-figure-6", "table-1"]) == ("table-1", "appendix-figure-6")
