"""Configs and profiles of any values: valid, and the same when they are written and read again; or refused."""

import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.robustness.fuzz.targets import TARGETS, same_config

from dreaming.config.config import Config, validated
from dreaming.config.configure import configure
from dreaming.errors import UserError
from dreaming.model.conditions import conditions
from dreaming.paper.plan.profile import Profile, profile_of

PLAIN = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates()),
        st.sampled_from(["wake", "nrem", "rem", "kind", "replay", 1, 2, 0.5, -1, 2**63]),
        st.just(5000).map(lambda digits: 10**digits),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.sampled_from(["wake", "rem", "kind", "after", "phases", "weight"]), st.text(max_size=3)
            ),
            inner,
            max_size=3,
        ),
        st.dictionaries(st.integers(), inner, max_size=1),
    ),
    max_leaves=6,
)


def paths(content, prefix=()):
    """Every place of a nested mapping."""
    for key, value in content.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from paths(value, (*prefix, key))


def changed(content, path, value):
    *above, last = path
    inner = content
    for key in above:
        inner = inner[key]
    inner[last] = value
    return content


@pytest.fixture
def plain():
    """A config as plain values, anew each time."""
    return lambda: configure("pad").model_dump(mode="json")


PLACES = sorted(set(paths(configure("pad").model_dump(mode="json"))))


@given(path=st.sampled_from(PLACES), value=PLAIN)
def test_any_value_in_any_field_is_taken_for_good_or_refused(path, value, plain):
    config = made_or_refused(lambda: validated(changed(plain(), path, value), "config"), "config: ")
    if config is not None:
        assert same_config(config.to_yaml().encode()) == config


@given(path=st.sampled_from(PLACES), value=PLAIN)
def test_a_config_file_with_any_value_is_taken_for_good_or_refused(path, value, plain):
    TARGETS["configs"](written(changed(plain(), path, value)))


def made_or_refused(make, begins):
    """What is made; None if it was refused in a sentence that begins so and is not too long to be read."""
    try:
        return make()
    except UserError as error:
        refusal = str(error)
    assert refusal.startswith(begins)
    assert len(refusal) < 2000
    return None


def written(content):
    """YAML, as a user may have written it; numbers that Python does not write out are left in hexadecimal."""

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data):
            return True

    Dumper.add_representer(int, lambda dumper, n: dumper.represent_scalar("tag:yaml.org,2002:int", hex(n)))
    return yaml.dump(content, Dumper=Dumper, sort_keys=False).encode()


@given(field=st.sampled_from(sorted(Profile.model_fields)), value=PLAIN)
def test_a_profile_of_any_values_is_made_or_refused(field, value):
    content = {"name": "own", "datasets": ("digits",), field: value}
    profile = made_or_refused(lambda: profile_of(content, "own.yaml"), "own.yaml: ")
    assert profile is None or isinstance(profile, Profile)


@given(
    path=st.one_of(st.sampled_from([".".join(path) for path in PLACES]), st.text(max_size=20)),
    equals=st.sampled_from(["=", ""]),
    value=st.one_of(
        st.text(max_size=20),
        st.text(alphabet="[]{}&*!?:-,0123456789ex._'\"\n ", max_size=20),
        PLAIN.map(lambda value: written(value).decode().removesuffix("...\n").strip()),
    ),
)
def test_any_setting_is_taken_for_good_or_refused(path, equals, value):
    config = made_or_refused(lambda: configure("pad", settings=[f"{path}{equals}{value}"]), "--set")
    if config is not None:
        assert same_config(config.to_yaml().encode()) == config


@given(
    name=st.sampled_from(sorted(conditions())),
    seed=st.integers(0, 2**63 - 1),
    rate=st.floats(1e-6, 1, exclude_min=True),
    latents=st.integers(1, 4096),
    epochs=st.integers(0, 2**40),
    label=st.text(alphabet=string.ascii_letters + string.digits + "_.+-", min_size=1, max_size=20),
)
def test_a_valid_config_goes_round_and_is_as_it_was_asked_for(name, seed, rate, latents, epochs, label):
    label = f"a{label}"
    settings = [f"optimizer.learning_rate={rate!r}", f"networks.latent_dim={latents}", f"condition={label}"]
    config = configure(name, settings=settings, seed=seed, training={"epochs": epochs})
    again = same_config(config.to_yaml().encode())
    assert again == config
    assert again.identity() == config.identity()
    assert (again.seed, again.condition, again.networks.latent_dim) == (seed, label, latents)
    assert again.optimizer.learning_rate == rate
    assert again.training.epochs == (0 if name == "untrained" else epochs)
    assert isinstance(again, Config)
