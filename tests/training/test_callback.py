"""``on_epoch`` sees each epoch that is kept, changes nothing, and stops the run only with all saved."""

import json
import os
from functools import partial

import pytest
import torch
from tests.cli.tiny_runs import results

import dreaming
from dreaming.training import train_together

pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")


def configured(seed=0, epochs=3, **training):
    return dreaming.configure(
        networks={"base_channels": 2, "latent_dim": 8, "image_channels": 1},
        dataset={"limit": 64},
        training={"epochs": epochs, "batch_size": 32, "device": "cpu", **training},
        seed=seed,
    )


@pytest.fixture(scope="module")
def uncalled(tmp_path_factory):
    """A run that calls nobody."""
    return dreaming.train(configured(), out=tmp_path_factory.mktemp("uncalled"))


def test_each_epoch_is_told_when_it_is_kept(tmp_path, uncalled):
    told = []

    def look(done):
        there = dreaming.load(done.run)  # the last that is kept
        same = [torch.equal(a, b) for a, b in zip(there.parameters(), done.cortex.parameters(), strict=True)]
        told.append((done.epoch, all(same), list(done.losses), done.run))
        assert not any(weight.requires_grad for weight in done.cortex.parameters())

    run = dreaming.train(configured(), out=tmp_path, on_epoch=look)
    terms = ["wake.image", "wake.kl", "wake.externality", "nrem.latent", "rem.externality"]
    assert told == [(epoch, True, terms, run) for epoch in (1, 2, 3)]
    assert results(run) == results(uncalled)


@pytest.mark.changes_global_state  # as a careless function does
def test_whatever_it_does_the_run_is_the_same(tmp_path, uncalled):
    def careless(done):
        torch.manual_seed(5)
        torch.rand(7)
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        done.losses.clear()
        for weight in done.cortex.parameters():
            weight.zero_()

    before = torch.get_rng_state()
    run = dreaming.train(configured(), out=tmp_path, on_epoch=careless)
    torch.set_rng_state(before)
    assert results(run) == results(uncalled)
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32


def test_a_run_can_be_measured_as_it_learns(tmp_path, uncalled):
    rows = []

    def measure(done):
        table = dreaming.evaluate(done.run, measures="organisation", epochs="last")
        rows.append(set(table["epoch"].dropna()))

    run = dreaming.train(configured(), out=tmp_path, on_epoch=measure)
    assert rows == [{1}, {1, 2}, {1, 2, 3}]
    assert results(run) == results(uncalled)


def test_one_that_fails_stops_the_run_with_all_saved_and_says_where(tmp_path, uncalled):
    def fails(done):
        if done.epoch == 2:
            raise KeyError("no such thing")

    with pytest.raises(
        dreaming.UserError,
        match=r"^on_epoch raised KeyError: 'no such thing' \(.*test_callback\.py, line \d+\) after epoch 2 of 3; "
        r"all is saved in .*seed-0, and the same call goes on from there$",
    ):
        dreaming.train(configured(), out=tmp_path, on_epoch=fails)
    seen = []
    run = dreaming.train(configured(), out=tmp_path, on_epoch=lambda done: seen.append(done.epoch))
    assert seen == [3]
    assert results(run) == results(uncalled)


def test_after_the_last_epoch_there_is_nothing_to_go_on_with(tmp_path):
    def fails(done):
        raise ValueError

    with pytest.raises(dreaming.UserError, match=r"raised ValueError \(.* after epoch 1 of 1; .*seed-0$"):
        dreaming.train(configured(epochs=1), out=tmp_path, on_epoch=fails)


def test_it_can_wish_to_stop(tmp_path):
    def enough(done):
        raise dreaming.Stopped(f"epoch {done.epoch} is enough")

    with pytest.raises(dreaming.Stopped, match="epoch 1 is enough"):
        dreaming.train(configured(), out=tmp_path, on_epoch=enough)


def noting(folder):
    """Notes each epoch in a file, with the process."""

    def note(done):
        if done.run.name == "seed-1" and done.epoch == 2:
            raise RuntimeError("enough of this one")
        with (folder / f"{done.run.name}.jsonl").open("a") as file:
            file.write(json.dumps([done.epoch, os.getpid()]) + "\n")

    return note


def noted(folder, seed):
    return [json.loads(line) for line in (folder / f"seed-{seed}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("way", ["in processes", "one after another", "side by side"])
def test_it_is_called_for_each_of_several_runs_and_one_that_fails_leaves_the_others(way, tmp_path, uncalled):
    train = {
        "in processes": partial(dreaming.train_all, workers=2),
        "one after another": partial(dreaming.train_all, workers=1),
        "side by side": train_together,
    }[way]
    with pytest.raises(dreaming.UserError, match=r"on_epoch raised RuntimeError: enough .* in .*seed-1, and"):
        train([configured(seed) for seed in (0, 1)], out=tmp_path / "runs", on_epoch=noting(tmp_path))
    assert [epoch for epoch, _ in noted(tmp_path, 0)] == [1, 2, 3]
    assert [epoch for epoch, _ in noted(tmp_path, 1)] == [1]
    assert {process == os.getpid() for _, process in noted(tmp_path, 0)} == {way != "in processes"}


def test_one_that_cannot_travel_is_refused_before_anything_begins(tmp_path):
    with (
        (tmp_path / "log").open("w") as log,
        pytest.raises(
            dreaming.UserError, match=r"on_epoch cannot be sent to a process of its own \(.*workers=1"
        ),
    ):
        dreaming.train_all(
            [configured(seed) for seed in (0, 1)],
            out=tmp_path / "runs",
            workers=2,
            on_epoch=lambda done: log.write(str(done.epoch)),
        )
    assert not (tmp_path / "runs").exists()
