"""Two configs that differ in what is learnt have two names, or are refused beside one another; for every field."""

import pytest
from tests.config.test_every_config_field import BASES, CHANGES, LEFT_ALONE, setting

import dreaming
from dreaming import NREM, REM, Config, Occlusion, Stage, Wake
from dreaming.config.config import NAMELESS
from dreaming.config.configure import swept
from dreaming.runs.folder import require_seeds_of_one_config

DECIDES_NOTHING = {"seed", "training.epochs", "training.device", "training.path", "training.snapshots"}
OTHERWISE = {
    "training.device": "cuda",
    "training.path": "captured",
    "training.snapshots": "ends",
    "dataset.name": "svhn",
}


def configs(field):
    """A config, and the same with one field changed."""
    base, value = CHANGES.get(field) or ("pad", OTHERWISE[field])
    name, own = BASES[base]
    return (dreaming.configure(name, settings=[*own, *more]) for more in ((), (setting(field, value),)))


def test_no_field_is_left_out():
    assert {*CHANGES, *LEFT_ALONE} == {*CHANGES, *OTHERWISE, "condition", "schedule"}


@pytest.mark.parametrize("field", [*CHANGES, *OTHERWISE])
def test_a_field_that_decides_what_is_learnt_makes_another_name_or_no_seed_beside(field, tmp_path):
    usual, changed = configs(field)
    if field in DECIDES_NOTHING:
        assert changed.condition == usual.condition
        require_seeds_of_one_config(tmp_path, usual, changed)
        return
    with pytest.raises(dreaming.UserError, match=r"seeds of two configs: .*; use another --name or --out"):
        require_seeds_of_one_config(tmp_path, usual, changed)
    named = not {field, field.partition(".")[0]} & NAMELESS
    assert (changed.condition != usual.condition) == named
    if named:
        path, _, value = setting(field, CHANGES[field][1]).removeprefix("phases.").partition("=")
        word = "-".join(part.strip(" []").removesuffix(".0") for part in value.split(","))
        assert f"+{path}-{word}+" in f"{changed.condition}+"


def test_the_difference_is_named_with_both_values(tmp_path):
    one = dreaming.configure(seed=0)
    with pytest.raises(dreaming.UserError, match=r"networks\.base_channels is 64 of one and 8 of the other"):
        require_seeds_of_one_config(tmp_path, one, dreaming.configure(networks={"base_channels": 8}, seed=1))


class Loud(NREM):
    strength: float = 1.0


class Veil(Occlusion):
    """Occludes as the paper does, under another name."""


CONFIGS = [
    *(lambda name=name: dreaming.configure(name) for name in dreaming.conditions()),
    lambda: dreaming.configure(schedule="pad:1,without_rem"),
    lambda: dreaming.configure(schedule="pad:2,without_rem"),
    lambda: dreaming.configure(schedule="pad:1,without_rem", settings=["phases.nrem.weight=0.7"]),
    lambda: dreaming.configure(schedule="pad:1,without_rem", phases=Loud),
    lambda: dreaming.configure(schedule="pad:1,without_rem", phases=Loud(strength=2)),
    lambda: dreaming.configure(phases=Loud),
    lambda: dreaming.configure(phases=Loud(strength=2)),
    lambda: dreaming.configure(phases=Loud(name="louder")),
    lambda: dreaming.configure(phases=[Wake(), Loud(name="nrem"), REM()]),
    lambda: dreaming.configure(phases=[Wake(), NREM(), REM(weight=0.5)]),
    lambda: dreaming.configure(phases=[Wake(), NREM(occlusion=Veil()), REM()]),
    lambda: dreaming.configure(phases=[Wake(), NREM(name="rem")]),
    lambda: dreaming.configure(optimizer={"learning_rate": 1e-5}),
    lambda: dreaming.configure("wake_only", optimizer={"learning_rate": 1e-5}),
    lambda: dreaming.configure(hippocampus={"capacity": 5}),
    lambda: dreaming.configure(networks=of_my_own),
    lambda: dreaming.configure(networks=of_my_own, settings=["networks.hidden=3"]),
    lambda: Config(phases=(Wake(), NREM(weight=0.7))),
    lambda: Config(phases=(Wake(), NREM(), REM(replay={"noise": 0.2}))),
    lambda: Config(schedule=(Stage(after=1, condition="x", phases=(Wake(), REM())),)),
    lambda: Config(schedule=(Stage(after=1, condition="x", phases=(Wake(), REM(weight=2))),)),
    *(lambda config=config: config for config in swept(dreaming.configure(), "phases.rem.dose=0,0.5")),
]


def of_my_own(latent_dim=8, hidden: int = 2):
    return dreaming.Encoder(latent_dim, hidden), dreaming.Generator(latent_dim, hidden)


def test_conditions_schedules_own_classes_and_python_all_have_names_of_their_own():
    made = [make() for make in CONFIGS]
    names = [config.condition for config in made]
    assert sorted(set(names)) == sorted(names)
    assert names[: len(dreaming.conditions())] == list(dreaming.conditions())


def test_an_equal_config_has_the_same_name_whichever_way_it_was_made():
    by_setting = dreaming.configure("pad", settings=["phases.rem.replay.noise=0.1"])
    assert by_setting.condition == "pad+rem.replay.noise-0.1"
    for same in (
        Config(phases=(Wake(), NREM(), REM(replay={"noise": 0.1}))),
        Config().but(["phases.rem.replay.noise=0.1"]),
        swept(Config(), "phases.rem.replay.noise=0.1")[0],
    ):
        assert same == by_setting


def test_what_is_as_usual_is_in_no_name():
    assert (
        dreaming.configure(settings=["phases.rem.weight=1", "optimizer.learning_rate=2e-4"]).condition
        == "pad"
    )
    assert Config(phases=(Wake(), REM())).condition == "without_nrem"


def test_a_name_that_is_given_stays():
    noisy = ["phases.rem.replay.noise=0.1"]
    assert dreaming.configure(name="mine", settings=noisy).condition == "mine"
    assert dreaming.configure(settings=[*noisy, "condition=mine"]).condition == "mine"
    assert Config(condition="mine", phases=(Wake(),)).condition == "mine"


def test_a_name_that_grows_too_long_ends_in_a_checksum():
    settings = [
        f"phases.{phase}.{field}=0.3" for phase in ("wake", "nrem", "rem") for field in ("weight", "dose")
    ]
    more = [*settings, "hippocampus.cue_noise=0.3", "hippocampus.beta=3", "optimizer.learning_rate=0.3"]
    names = {
        dreaming.configure(settings=some).condition for some in (more, [*more, "hippocampus.iterations=2"])
    }
    assert len(names) == 2
    assert max(map(len, names)) < 20


class TestInPart:
    """A group that is given in part is else as by default where it stands."""

    def test_of_a_phase(self):
        assert REM(replay={"noise": 0.1}).replay == dreaming.Replay(past=0.5, noise=0.1)
        assert NREM(occlusion={"tile_size": (4, 4)}).occlusion == Occlusion(tile_size=(4, 4))

    def test_of_a_config_file(self):
        content = dreaming.configure().content()
        content["phases"]["rem"]["replay"] = {"noise": 0.1}
        assert Config.model_validate(content).phases[2].replay.past == 0.5

    def test_of_a_class_of_ones_own_with_a_default_of_its_own(self):
        class Dark(NREM):
            occlusion: Occlusion = Veil(probability=(0.5, 0.5))

        given = Dark(occlusion={"mask_per_image": True}).occlusion
        assert given == Veil(probability=(0.5, 0.5), mask_per_image=True)
        plain = Occlusion(probability=(0.2, 0.2))
        assert Dark(occlusion=plain.model_dump()).occlusion == plain  # all of it: as a record has it

    @pytest.mark.parametrize("given", [{"nois": 0.1}, {"noise": 2}])
    def test_what_does_not_fit_is_refused_where_it_stands(self, given):
        content = dreaming.configure().content()
        content["phases"]["rem"]["replay"] = given
        with pytest.raises(dreaming.UserError, match=r"phases\.rem\.replay\.nois"):
            dreaming.config.validated(content, "config")


class TestSeeds:
    @pytest.fixture
    def small(self, tiny_config):
        return lambda **more: tiny_config(training={"epochs": 1}, **more)

    def test_another_config_does_not_begin_beside(self, small, tmp_path, tiny_dataset):
        dreaming.train(small(seed=0), out=tmp_path, dataset=tiny_dataset)
        before = sorted(tmp_path.rglob("*"))
        other = small(seed=1, settings=["networks.latent_dim=4"])
        with pytest.raises(dreaming.UserError, match=r"networks\.latent_dim is 8 of one and 4 of the other"):
            dreaming.train(other, out=tmp_path, dataset=tiny_dataset)
        assert [path for path in sorted(tmp_path.rglob("*")) if path.suffix] == [
            p for p in before if p.suffix
        ]

    def test_other_images_of_one_name_do_not_begin_beside(self, small, tmp_path, dataset_of):
        dreaming.train(small(seed=0), out=tmp_path, dataset=dataset_of(40, 20, 0))
        with pytest.raises(
            dreaming.UserError, match=r"seed-0 was trained on other images than digits has now"
        ):
            dreaming.train(small(seed=1), out=tmp_path, dataset=dataset_of(40, 20, 1))

    def test_several_at_once_are_refused_before_one_begins(self, small, tmp_path, tiny_dataset):
        configs = [small(seed=0), small(seed=1, dataset={"limit": 24})]
        with pytest.raises(
            dreaming.UserError, match=r"dataset\.limit is null of one and 24|limit is None of one"
        ):
            dreaming.train_all(configs, out=tmp_path, dataset=tiny_dataset)
        assert not list(tmp_path.iterdir())

    def test_longer_and_elsewhere_is_a_seed_as_others_are(self, small, tmp_path, tiny_dataset):
        dreaming.train(small(seed=0), out=tmp_path, dataset=tiny_dataset)
        longer = small(seed=1).but(["training.epochs=2", "training.snapshots=all", "training.path=captured"])
        assert dreaming.train(longer, out=tmp_path, dataset=tiny_dataset).name == "seed-1"
