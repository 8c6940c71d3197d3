"""`--phases FILE.py:NAME`: a phase in a file of the user's own."""

import hashlib
import os

import pytest
import yaml
from tests.cli.tiny_runs import SMALL, TINY, results

LITTLE = ("--limit", "16", *SMALL, "--set=training.batch_size=8")

FILE = '''
"""Twenty lines of a user's."""

from typing import ClassVar

from dreaming import NREM, Outcome, Phase, Plasticity, Wake


class Calm(Phase):
    """Pull the latents of what was seen today towards zero."""

    plasticity: ClassVar = Plasticity(encoder=+1, generator=0)
    strength: float = 2.0

    def objective(self, cortex, images, hippocampus, draws):
        """Minimise the mean square of the latents."""
        z, _ = cortex.encoder(images)
        square = z.square().mean()
        return Outcome(self.strength * square, {"square": square})


calm = Calm(strength=3)
days = (Wake(), Calm(name="siesta"), NREM())


def nights():
    """Return a cycle."""
    return [Wake(), Calm()]


number = 3
nothing = ()
mixed = (Wake(), "sleep")
again = (Wake(), Wake())


class Stranger:
    """No phase."""


class Aimless(Phase):
    """A phase without an objective."""

    plasticity: ClassVar = Plasticity(encoder=+1, generator=0)


class Signless(Phase):
    """A phase without signs."""

    def objective(self, cortex, images, hippocampus, draws):
        """Return what Calm does."""
        return Calm().objective(cortex, images, hippocampus, draws)


class Needy(Calm):
    """A phase that cannot be made without a value."""

    depth: float


def breaks():
    """Fail."""
    raise RuntimeError("no dreams\\ntonight")


def wants(something):
    """Want an argument."""
    return (something,)
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def columns(run):
    return (run / "losses.csv").read_text().splitlines()[0].split(",")[3:]


PAD = ["wake.image", "wake.kl", "wake.externality", "nrem.latent", "rem.externality"]


@pytest.mark.parametrize(
    ("name", "condition", "terms", "strength"),
    [
        ("Calm", "pad", [*PAD, "calm.square"], {"calm": 2.0}),
        ("calm", "pad", [*PAD, "calm.square"], {"calm": 3.0}),
        ("Calm", "wake_only", [*PAD[:3], "calm.square"], {"calm": 2.0}),
        ("days", "pad", [*PAD[:3], "siesta.square", PAD[3]], {"siesta": 2.0}),
        ("nights", "pad", [*PAD[:3], "calm.square"], {"calm": 2.0}),
    ],
)
def test_a_phase_of_the_users_own_trains_and_is_recorded(
    name, condition, terms, strength, file, dreaming_does, tmp_path
):
    words = ("train", *LITTLE, "--condition", condition, "--phases", f"{file}:{name}")
    dreaming_does(*words, "--epochs", "1", "--out", tmp_path / "out")
    label = name if condition == "pad" else f"{condition}+{name}"
    run = tmp_path / f"out/digits/{label}/seed-0"
    assert columns(run) == terms
    config = yaml.safe_load((run / "config.yaml").read_text())
    source = {"file": "mine.py", "sha256": hashlib.sha256(FILE.encode()).hexdigest()}
    assert {key: config["phases"][key].get("source") for key in strength} == dict.fromkeys(strength, source)
    assert {key: config["phases"][key]["strength"] for key in strength} == strength
    assert (run / "own/mine.py").read_text() == FILE


@pytest.fixture
def own_run(file, dreaming_does, tmp_path):
    words = ("train", *TINY, "--phases", f"{file}:Calm", "--epochs", "1", "--out", tmp_path / "out")
    dreaming_does(*words)
    return tmp_path / "out/digits/Calm/seed-0"


def test_its_objective_is_what_the_synapses_follow(file, dreaming_does, tmp_path):
    settings = {"calm": ("strength", 2), "silent": ("weight", 0), "strong": ("strength", 50)}
    for label, (field, value) in settings.items():
        words = ("train", *LITTLE, "--phases", f"{file}:Calm", "--set", f"phases.calm.{field}={value}")
        dreaming_does(*words, "--name", label, "--epochs", "1", "--out", tmp_path / "out")
    dreaming_does("train", *LITTLE, "--epochs", "1", "--out", tmp_path / "out")
    weights = {
        label: results(tmp_path / f"out/digits/{label}/seed-0")["snapshots/0001.safetensors"][1]
        for label in ("calm", "silent", "strong", "pad")
    }
    assert weights["silent"] == weights["pad"]  # a phase that is off changes nothing
    assert weights["calm"] != weights["pad"]
    assert weights["strong"] != weights["calm"]


def test_it_goes_on_as_if_never_stopped(file, own_run, dreaming_does, tmp_path):
    words = ("train", *TINY, "--phases", f"{file}:Calm", "--epochs", "2")
    dreaming_does(*words, "--out", tmp_path / "out")
    dreaming_does(*words, "--out", tmp_path / "at once")
    assert results(own_run) == results(tmp_path / "at once/digits/Calm/seed-0")


@pytest.mark.parametrize("epochs", ["1", "2"])
def test_it_does_not_go_on_with_a_file_that_was_edited(epochs, file, own_run, tmp_path, dreaming_refuses):
    words = ("train", *TINY, "--phases", f"{file}:Calm", "--epochs", epochs, "--out", tmp_path / "out")
    file.write_text(FILE.replace("z.square()", "z.abs()"))
    dreaming_refuses(*words, because="its phases.calm.source.sha256 is")
    file.write_text(FILE)
    assert (own_run / "own/mine.py").read_text() == FILE


def test_its_run_is_measured_dreamt_and_loaded_without_the_file(file, own_run, dreaming_does, tmp_path):
    import dreaming

    file.unlink()
    dreaming_does("evaluate", own_run)
    assert "readout_accuracy,latent" in (own_run / "measures.csv").read_text()
    dreaming_does("dream", own_run, "--count", "2")
    dreaming_does("compare", own_run, "--to", tmp_path / "comparison")
    assert dreaming.load(own_run, 1).latent_dim == 8


def test_describe_shows_its_signs(file, dreaming_does):
    said = dreaming_does("describe", *LITTLE, "--phases", f"{file}:Calm")
    (row,) = [line for line in said.splitlines() if "calm" in line and "G" in line]
    assert row.replace("│", " ").replace("|", " ").split()[:3] == ["calm", "+1", "0"]


@pytest.mark.parametrize("verb", ["describe", "train"])
@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("Clam", "'Clam'; did you mean 'Calm'"),
        ("number", "number in .*mine.py is no phase"),
        ("nothing", "nothing in .*mine.py is no phase"),
        ("mixed", "mixed in .*mine.py is no phase"),
        ("again", "two phases have one name"),
        ("Stranger", "Stranger in .*mine.py is no phase"),
        ("Aimless", "Aimless"),
        ("Signless", "Signless"),
        ("Needy", "Needy"),
        ("breaks", "mine.py.*no dreams"),
        ("wants", "mine.py"),
        ("", "FILE.py:NAME"),
        ("not-a-name", "FILE.py:NAME"),
    ],
)
def test_what_is_no_phase_is_refused(verb, name, because, file, dreaming_refuses):
    words = (verb, *LITTLE, "--epochs", "1")
    if verb == "train":
        words = (*words, "--out", "runs")
    dreaming_refuses(*words, "--phases", f"{file}:{name}", because=because)


@pytest.mark.parametrize("spec", ["mine", "mine.py", "mine.txt:Calm", ":Calm", "gone.py:Calm", "dir.py:Calm"])
def test_a_file_that_is_not_there_is_refused(spec, tmp_path, monkeypatch, file, dreaming_refuses):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir.py").mkdir()
    because = "there is no file" if spec in ("gone.py:Calm", "dir.py:Calm") else "FILE.py:NAME"
    dreaming_refuses("train", *LITTLE, "--phases", spec, because=because)


@pytest.mark.parametrize(
    ("content", "because"),
    [
        ("raise ValueError('I am unwell')", "mine.py fails with ValueError: I am unwell"),
        ("raise ValueError('I am\\nvery unwell')", "mine.py fails with ValueError: I am"),
        ("class Calm(:", "mine.py fails with SyntaxError"),
        ("import no_such_module", "mine.py fails with ModuleNotFoundError: .*no_such_module"),
        ("import sys; sys.exit(0)", "mine.py"),
        ("from dreaming import Phase\nclass Calm(Phase):\n    weight: int = -1\ncalm = Calm()", "mine.py"),
        (b"Calm = '\xff'", "mine.py fails with SyntaxError"),
        (b"Calm = '\0'", "mine.py fails with (SyntaxError|ValueError)"),
    ],
)
def test_a_file_that_fails_is_refused_with_what_it_says(content, because, file, dreaming_refuses):
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    dreaming_refuses("train", *LITTLE, "--phases", f"{file}:Calm", because=because)


def test_a_file_is_executed_as_it_stands_and_no_bytecode_is_left_beside_it(file, monkeypatch, dreaming_does):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    assert "strength: 3.0" in dreaming_does("describe", "--yaml", "--phases", f"{file}:calm")
    stands = file.stat()
    file.write_text(FILE.replace("strength=3", "strength=4"))  # as long as before, and no later
    os.utime(file, ns=(stands.st_atime_ns, stands.st_mtime_ns))
    assert "strength: 4.0" in dreaming_does("describe", "--yaml", "--phases", f"{file}:calm")
    assert not (file.parent / "__pycache__").exists()
