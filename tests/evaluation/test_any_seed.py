"""A seed that trains measures too, dreams, is compared and gives out latents."""

import pytest

import dreaming
from dreaming.evaluation.measuring import evaluate
from dreaming.runs.dream_pictures import write_dreams

pytestmark = pytest.mark.usefixtures("shapes_unchecked", "without_drawing", "without_plots")


@pytest.mark.parametrize("seed", [2**32 - 1, 2**32, 2**63 - 1])
def test_every_part_takes_it(seed, tiny_config, dataset_of, tmp_path):
    images = dataset_of(80, 40)
    config = tiny_config(training={"epochs": 1}, networks={"image_channels": 1}, seed=seed)
    run = dreaming.train(config, out=tmp_path, dataset=images)
    measures = "readout,robustness,organisation,projection,knn,few_labels"
    table = evaluate(run, measures=measures, dataset=images)
    assert set(table["seed"]) == {seed}
    compared = dreaming.compare(tmp_path, tmp_path / "comparison")
    assert set(compared.measures["readout_accuracy"].values["seed"]) == {seed}
    assert write_dreams(run, count=2, dataset=images)[0].is_file()
    assert dreaming.latents(run, dataset=images)["latents"].shape == (40, 8)
