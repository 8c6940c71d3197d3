"""The worked example of a phase of one's own: by the command line it is run in the README's first hour."""

import importlib.util
from pathlib import Path

import pandas as pd
import torch
import yaml

import dreaming
from dreaming.model import losses

EXAMPLE = Path(__file__).parents[2] / "examples" / "lucid_dreaming.py"


def example():
    spec = importlib.util.spec_from_file_location("lucid_dreaming", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_fits_one_screen_and_needs_only_the_public_names():
    text = EXAMPLE.read_text()
    assert len(text.splitlines()) <= 60
    assert "from dreaming." not in text


def test_the_example_trains_through_the_api_and_its_terms_are_recorded(tmp_path):
    lucid = example()
    config = dreaming.Config(
        condition="lucid",
        phases=(*dreaming.condition("pad"), lucid.LucidDream(weight=0.5)),
        networks={"base_channels": 2, "latent_dim": 8},
        dataset={"limit": 128},
        training={"epochs": 2, "batch_size": 32},
    )
    run = dreaming.train(config, out=tmp_path)
    table = pd.read_csv(run / "losses.csv")
    assert {"lucid.externality", "lucid.latent", "rem.externality"} <= set(table.columns)
    own = yaml.safe_load((run / "config.yaml").read_text())["phases"]["lucid"]
    assert (own["kind"], own["source"]["file"]) == ("LucidDream", "LucidDream.py")
    without = dreaming.train(
        dreaming.Config(**{**dict(config), "phases": dreaming.condition("pad"), "condition": "pad"}),
        out=tmp_path,
    )
    assert not torch.equal(
        dreaming.load(run).encoder.latent_head.weight, dreaming.load(without).encoder.latent_head.weight
    )


def test_the_objective_of_the_example_is_the_one_it_states():
    lucid = example()
    cortex = dreaming.Cortex(8, 2, 3, torch.Generator().manual_seed(0))
    random = torch.Generator().manual_seed(1)
    days = dreaming.Hippocampus()
    for _ in range(2):
        days = days.store(torch.randn(4, 8, generator=random))
    outcome = lucid.LucidDream().objective(cortex, torch.zeros(4, 3, 32, 32), days, {})
    mixed = (days.today + days.yesterday) / 2
    z, d_logit = cortex.encoder(cortex.generator(mixed))
    expected = losses.externality(d_logit, external=False) + (mixed - z).square().mean()
    torch.testing.assert_close(outcome.loss, expected)
    assert outcome.memory is None
