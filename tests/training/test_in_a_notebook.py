"""What a user of Jupyter does: classes of cells trained, stopped, and gone on with after its kernel's end."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

COLOURS = re.compile("\x1b\\[[0-9;]*m")

TOOLS = """\
import os, signal
from typing import ClassVar
import dreaming

TINY = {"networks": {"base_channels": 2, "latent_dim": 8}, "dataset": {"limit": 128}}
"""
CALM = """\
class Calm(dreaming.Phase):
    plasticity: ClassVar = dreaming.Plasticity(encoder=+1, generator=0)
    terms: ClassVar = ("square",)
    strength: float = 0.5

    def objective(self, cortex, images, hippocampus, draws):
        square = cortex.latents(images).square().mean()
        return dreaming.Outcome(self.strength * square, {"square": square})
"""
TRAIN = """\
def calm(epochs, seed=0):
    return dreaming.configure("wake_only", phases=Calm(), training={"epochs": epochs}, seed=seed, **TINY)

"""
INTERRUPT = """\
def interrupt(done):
    os.kill(os.getpid(), signal.SIGINT)

dreaming.train(calm(2), on_epoch=interrupt)
"""
MANY = """\
def narrow(latent_dim=8, image_channels=3):
    return dreaming.Encoder(latent_dim, 2, image_channels), dreaming.Generator(latent_dim, 2, image_channels)

configs = [
    dreaming.configure(networks=narrow, dataset={"limit": 128}, training={"epochs": 1}, seed=seed)
    for seed in (0, 1)
]
dreaming.train_all(configs, workers=2)
"""
BROKEN = """\
class Broken(Calm):
    def objective(self, cortex, images, hippocampus, draws):
        return cortex.encoder("no images")

number = 1
dreaming.train(dreaming.configure(phases=Broken(), **TINY))
"""
MEASURE = """\
def spread(cortex, dataset):
    return cortex.infer(dataset.test.images).std()

table = dreaming.evaluate("runs/digits/wake_only+Calm/seed-0", measures=spread)
print(table["epoch"].tolist(), set(table["measure"]))
"""
AS_RECORDED = """\
config = dreaming.Config.from_yaml("runs/digits/wake_only+Calm/seed-0/config.yaml")
dreaming.train(config.but(["training.epochs=3"]))
"""


def shown(folder, cells):
    """What each cell shows in a kernel of its own: its text, the text of an error, and what is drawn below."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, allow_errors=True, resources=resources).execute()
    found = []
    for cell in notebook.cells:
        texts = []
        for output in cell.outputs:
            if output.output_type == "stream":
                texts.append(output.text)
            elif output.output_type == "error":
                texts.append("\n".join(output.traceback))
            else:
                texts.append(output.data.get("text/html", output.data["text/plain"]))
        found.append(COLOURS.sub("", "\n".join(texts)))
    return found


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """A notebook, and after a restart of its kernel another one."""
    folder = tmp_path_factory.mktemp("notebooks")
    first = {
        "tools": TOOLS,
        "phase": f"%%time\n{CALM}",
        "interrupted": TRAIN + INTERRUPT,
        "gone on": "dreaming.train(calm(2))",
        "many": MANY,
        "broken": BROKEN,
    }
    second = {
        "tools": TOOLS,
        "measured": MEASURE,
        "gone on as recorded": AS_RECORDED,
        "phase": CALM,
        "gone on": f"{TRAIN}dreaming.train(calm(4))",
        "other phase": CALM.replace("square()", "abs()"),
        "refused": "dreaming.train(calm(5))",
        "described": "dreaming.describe(calm(5))",
    }
    return tuple(dict(zip(each, shown(folder, each.values()), strict=True)) for each in (first, second))


def test_training_shows_its_epochs_and_counts_its_cycles(sessions):
    said = sessions[0]["gone on"]
    assert "wake_only+Calm/seed-0: 2 epochs of 2 cycles, 2 cycles done" in said
    assert "epoch 2/2  reconstruction" in said
    assert "█ 4 of 4 cycles" in said


def test_what_interrupts_a_cell_saves_the_run_and_leaves_one_sentence(sessions):
    said = sessions[0]["interrupted"]
    assert "epoch 1/2" in said
    *_, line, sentence = said.splitlines()
    assert line == "line 7: dreaming.train(calm(2), on_epoch=interrupt)"
    assert sentence.startswith("Stopped: stopped in epoch 2 of 2, after 0 of 2 cycles; all is saved in ")


def test_runs_in_processes_of_their_own_take_networks_of_a_cell_along(sessions):
    said = sessions[0]["many"]
    for seed in (0, 1):
        assert f"pad+narrow/seed-{seed}: epoch 1/1" in said
        assert f"pad+narrow/seed-{seed}: {'█' * 32} 2 of 2 cycles" in said


def test_a_mistake_shows_the_lines_of_the_user_and_a_sentence(sessions):
    line, sentence = sessions[0]["broken"].splitlines()
    assert line == "line 6: dreaming.train(dreaming.configure(phases=Broken(), **TINY))"
    assert sentence.startswith("UserError: --phases: phase 'broken' fails with ")
    assert sentence.endswith('(line 3: return cortex.encoder("no images"))')


def test_after_a_restart_a_run_is_measured_and_goes_on(sessions):
    said = sessions[1]
    assert "[0, 1, 2] {'spread'}" in said["measured"]
    for epoch, cell in ((3, "gone on as recorded"), (4, "gone on")):
        assert f"{2 * (epoch - 1)} cycles done" in said[cell]
        assert f"epoch {epoch}/{epoch}" in said[cell]


def test_a_cell_that_was_changed_is_another_run(sessions):
    *_, sentence = sessions[1]["refused"].splitlines()
    assert "holds a run of another config: its phases.calm.source.sha256 is " in sentence


def test_a_description_is_a_table(sessions):
    assert "<td>calm</td>" in sessions[1]["described"]
    assert "generator: 1,777 weights" in sessions[1]["described"]
