"""A schedule's dreams: after each epoch those of the phases that it had."""

import pytest

import dreaming
from dreaming.data import load_dataset
from dreaming.paper.figures import pictures
from dreaming.runs import dream_pictures
from dreaming.runs.folder import RunFolder

RECIPES = {1: dreaming.REM().replay, 2: dreaming.Replay(noise=1)}


@pytest.fixture(scope="module")
def run(tmp_path_factory, without_drawing, shapes_unchecked):
    """PAD for an epoch, and then an epoch whose REM is of noise alone; REM's weight is 0 in the third."""
    config = dreaming.configure(
        schedule="pad:1,rem_noise_only:2,rem_memories_only",
        networks={"base_channels": 2, "latent_dim": 8},
        dataset={"limit": 64},
        training={"batch_size": 32, "epochs": 3, "device": "cpu"},
    )
    off = dreaming.REM(weight=0, replay={"past": 1})
    third = config.schedule[1].model_copy(update={"phases": (dreaming.Wake(), off)})
    config = config.model_copy(update={"schedule": (config.schedule[0], third)})
    return dreaming.train(config, out=tmp_path_factory.mktemp("runs"))


@pytest.fixture
def dreamt(monkeypatch):
    """The recipes of the dreams that were dreamt."""
    seen = []
    for module, name in ((dream_pictures, "dream_of_phase"), (pictures, "dream")):
        real = getattr(module, name)
        monkeypatch.setattr(
            module,
            name,
            lambda cortex, phase, *a, real=real: (seen.append(phase.replay), real(cortex, phase, *a))[1],
        )
    return seen


@pytest.mark.parametrize(("epoch", "recipe"), [(0, RECIPES[1]), *RECIPES.items(), (3, dreaming.REM().replay)])
def test_a_sheet_of_dreams_is_by_the_recipe_of_the_epoch_or_by_pads(epoch, recipe, run, dreamt):
    dream_pictures.dream_picture(run, phase="rem", epoch=epoch, count=4)
    assert dreamt == [recipe]


def test_the_last_epoch_is_the_one_by_default(run, dreamt):
    dream_pictures.dream_picture(run, phase="rem", count=4)
    assert dreamt == [dreaming.REM().replay]


def test_figure_3_too(run, dreamt):
    folder = RunFolder(run)
    images = load_dataset("digits", limit=64)
    pictures.seen_and_dreamt(folder, folder.read_config(), images, (1, 2))
    assert dreamt[1::2] == [RECIPES[1], RECIPES[2]]
