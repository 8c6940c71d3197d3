"""A whole life on house_digits, which are drawn anew for every verb: the images must be the same each time."""

import json

from tests.cli.tiny_runs import SMALL

from dreaming.data import load_dataset


def test_a_run_on_house_digits_is_trained_gone_on_with_measured_and_dreams(tmp_path, dreaming_does):
    words = ("train", "--dataset", "house_digits", "--limit", "70", *SMALL, "--out", tmp_path)
    dreaming_does(*words, "--epochs", "1")
    dreaming_does(*words, "--epochs", "2")
    run = tmp_path / "house_digits/pad/seed-0"
    dreaming_does("evaluate", run, "--epochs", "last")
    dreaming_does("dream", run, "--count", "4")
    recorded = json.loads((run / "environment.json").read_text())["sessions"][-1]["dataset"]
    assert recorded["fingerprint"] == load_dataset("house_digits", limit=70).fingerprint
    assert "readout_accuracy,latent" in (run / "measures.csv").read_text()
    assert (run / "dreams/sheet-0002.png").exists()


def test_a_run_on_house_digits_is_described_without_drawing_any(dreaming_does, monkeypatch):
    monkeypatch.delattr("dreaming.data.readers.house_digits.draw_block")
    assert "name: house_digits" in dreaming_does("describe", "--yaml", "--dataset", "house_digits")
