"""The errors of one sentence: what is suggested, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

import dreaming
from dreaming.data.readers.folder import list_folder
from dreaming.errors import UserError, near, nearest
from dreaming.model.occlusion import Occlusion

WORDS = st.text("abcde-_", max_size=12)


@pytest.mark.parametrize(
    ("written", "known", "suggested"),
    [
        ("noise", ["dose", "steps", "replay"], None),  # which means something else altogether
        ("--base-channels", ["--schedule", "--seeds"], None),
        ("wake", ["nrem", "rem"], None),
        ("", ["pad"], None),
        ("x" * 10**6, ["pad"], None),
        ("dosis", ["dose", "steps"], "dose"),
        ("rme", ["wake", "nrem", "rem"], "rem"),
        ("--data_dri", ["--dataset", "--data-dir"], "--data-dir"),
        ("organ", ["readout", "organisation"], "organisation"),
        ("REM", ["nrem", "rem"], "rem"),
    ],
)
def test_a_name_is_suggested_only_a_few_slips_away(written, known, suggested):
    assert near(written, known) == suggested
    assert nearest(written, known) == (
        f"did you mean {suggested!r}?" if suggested else f"there are: {', '.join(known)}"
    )


@given(WORDS, st.lists(WORDS, min_size=1))
def test_a_known_name_is_nearest_to_itself(name, others):
    assert near(name, [*others, name]) in [each for each in [*others, name] if near(name, [each]) is not None]
    if name.strip("-"):
        assert near(name, [*others, name]).strip("-") == name.strip("-")


REFUSED = {
    lambda: dreaming.REM(wieght=2): "REM: there is no 'wieght'; did you mean 'weight'?",
    lambda: dreaming.REM(noise=0.3): "REM: there is no 'noise'; did you mean 'replay.noise'?",
    lambda: dreaming.REM(replay={"nois": 0.3}): "REM: there is no 'replay.nois'; did you mean 'noise'?",
    lambda: dreaming.REM(weight=-1): "REM: weight is -1: input should be greater than or equal to 0",
    lambda: Occlusion(probability=0.5): (
        "Occlusion: probability is 0.5, and should be several values, such as (0.0, 1.0)"
    ),
    lambda: Occlusion(probability=(0.5,)): "Occlusion: probability.1 is missing",
    lambda: dreaming.NREM(occlusion={"tile_size": 3}): (
        "NREM: occlusion.tile_size is 3, and should be several values, such as (1, 8)"
    ),
    lambda: dreaming.Config(training={"learning_rate": 1}): (
        "Config: there is no 'training.learning_rate'; did you mean 'optimizer.learning_rate'?"
    ),
    lambda: dreaming.Config(seed=-1): "Config: seed is -1: input should be greater than or equal to 0",
    lambda: setattr(dreaming.Config(), "seed", 3): (
        "Config is frozen: its seed cannot be changed; make another Config"
    ),
    lambda: dreaming.configure(settings="phases.rem.noise=0.3"): (
        "--set phases.rem.noise: 'phases.rem' has no 'noise'; did you mean 'phases.rem.replay.noise'?"
    ),
    lambda: dreaming.configure(settings="rem.noise=0.3"): (
        "--set rem.noise: the config has no 'rem'; did you mean 'phases.rem.replay.noise'?"
    ),
    lambda: dreaming.configure(settings="rem.dose=0.3"): (
        "--set rem.dose: the config has no 'rem'; did you mean 'phases.rem.dose'?"
    ),
    lambda: dreaming.configure(settings="epochs=3"): (
        "--set epochs: the config has no 'epochs'; did you mean 'training.epochs'?"
    ),
}


@pytest.mark.parametrize(("call", "sentence"), REFUSED.items(), ids=REFUSED.values())
def test_what_does_not_fit_is_refused_from_python_in_one_sentence_too(call, sentence):
    with pytest.raises(UserError) as told:
        call()
    assert str(told.value) == sentence


def test_pydantic_still_says_for_itself_what_it_reads_in_its_own_way():
    with pytest.raises(ValidationError):
        dreaming.REM.model_validate({"wieght": 2})


def test_classes_that_look_the_same_and_differ_in_unicode_form_are_shown_apart(tmp_path):
    for folder in ("train/caf\u00e9", "train/tea", "test/cafe\u0301", "test/tea"):
        (tmp_path / folder).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / folder / "0.png")
    with pytest.raises(UserError, match=r"has a class 'caf\\xe9', of"):
        list_folder(tmp_path)
