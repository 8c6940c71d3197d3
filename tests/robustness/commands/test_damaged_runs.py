"""Run folders with a file missing or damaged: it is named in a sentence, and nothing is changed. Of a damaged
state, training goes on from the one before it, and comes to the very same results."""

import json

import pytest
from tests.cli.tiny_runs import TINY, results

from dreaming.cli.main import main
from dreaming.runs.folder import RunFolder

ALL = ("missing", "empty", "half", "noise", "folder")


def damage(path, how):
    whole = path.read_bytes()
    if how in ("missing", "folder"):
        path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "half":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "last line":
        path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    elif how == "noise":
        path.write_bytes(bytes((7 * i + 131) % 256 for i in range(300)))
    elif how == "one bit":
        path.write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    elif how == "words":
        path.write_text(
            whole.decode().replace("\n2,", "\ntwo,").replace("\ndigits", "\n").replace("0.", "x.")
        )


def words(verb, out):
    run = out / "digits/pad/seed-0"
    return {
        "train": ("train", *TINY, "--epochs", "2", "--out", out),
        "train on": ("train", *TINY, "--epochs", "3", "--out", out),
        "evaluate": ("evaluate", run),
        "dream": ("dream", run, "--count", "4"),
        "compare": ("compare", run),
    }[verb]


NEEDED = {
    "config.yaml": ("train on", "evaluate", "dream", "compare"),
    "environment.json": ("train on", "evaluate"),
    "losses.csv": ("train", "train on"),
    "snapshots/0002.safetensors": ("evaluate", "dream"),
}
DAMAGES = {
    "config.yaml": (*ALL, "last line"),
    "environment.json": ALL,
    "losses.csv": (*ALL, "last line", "words"),
    "snapshots/0002.safetensors": ("empty", "half", "noise", "folder", "one bit"),
}


@pytest.mark.parametrize(
    ("verb", "file", "how"),
    [(verb, file, how) for file, verbs in NEEDED.items() for verb in verbs for how in DAMAGES[file]],
)
def test_a_file_that_is_missing_or_damaged_is_named(verb, file, how, trained, dreaming_refuses):
    damage(trained / "digits/pad/seed-0" / file, how)
    # What `evaluate` measured before it came to the damage is kept.
    may_add = ("measures.csv",) if verb == "evaluate" else ()
    dreaming_refuses(*words(verb, trained), because=file, may_add=may_add)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """What three epochs come to that nothing disturbs."""
    out = tmp_path_factory.mktemp("three")
    assert main([str(word) for word in words("train on", out)]) == 0
    return results(out / "digits/pad/seed-0")


@pytest.mark.parametrize("how", ["missing", "empty", "half", "noise", "one bit"])
def test_training_repairs_a_damaged_state_and_comes_to_the_same(how, trained, three, dreaming_does):
    damage(trained / "digits/pad/seed-0/state.safetensors", how)
    said = dreaming_does(*words("train on", trained))
    assert "state.safetensors is" in said
    assert "repaired from state.before.safetensors" in said
    assert results(trained / "digits/pad/seed-0") == three


def test_a_finished_run_is_repaired_too(trained, dreaming_does):
    run = trained / "digits/pad/seed-0"
    before = results(run)
    damage(run / "state.safetensors", "half")
    assert "state.safetensors is damaged" in dreaming_does(*words("train", trained))
    assert results(run) == before


def test_without_any_good_state_the_first_is_named(trained, dreaming_refuses):
    for name in ("state.safetensors", "state.before.safetensors"):
        damage(trained / "digits/pad/seed-0" / name, "one bit")
    dreaming_refuses(*words("train on", trained), because=r"state\.safetensors is damaged")


def test_a_folder_where_the_state_should_be_is_named(trained, dreaming_refuses):
    damage(trained / "digits/pad/seed-0/state.safetensors", "folder")
    dreaming_refuses(*words("train on", trained), because=r"state\.safetensors")


@pytest.mark.parametrize("left", [[0], [1], []], ids=["the untrained cortex", "an epoch", "none"])
def test_a_training_goes_on_without_snapshots_that_somebody_threw_away(left, trained, three, dreaming_does):
    run = trained / "digits/pad/seed-0"
    for epoch in {0, 1, 2} - {*left}:
        (run / f"snapshots/{epoch:04d}.safetensors").unlink()
    dreaming_does(*words("train", trained))
    dreaming_does(*words("train on", trained))
    assert RunFolder(run).snapshots() == [*left, 3]
    assert {name: three[name] for name in results(run)} == results(run)


def test_each_session_may_keep_other_snapshots(tmp_path, dreaming_does):
    for epochs, kept in ((2, "ends"), (3, "all"), (4, "all")):
        dreaming_does("train", *TINY, "--epochs", epochs, "--snapshots", kept, "--out", tmp_path)
    assert RunFolder(tmp_path / "digits/pad/seed-0").snapshots() == [0, 2, 3, 4]


@pytest.mark.parametrize("verb", ["evaluate", "dream"])
def test_a_run_without_any_snapshot_is_refused(verb, trained, dreaming_refuses):
    for path in (trained / "digits/pad/seed-0/snapshots").iterdir():
        path.unlink()
    dreaming_refuses(*words(verb, trained), because="holds no snapshots; they were thrown away")


@pytest.mark.parametrize("content", [{}, {"sessions": []}, {"sessions": [1]}, {"sessions": [{}]}, []])
@pytest.mark.parametrize("verb", ["evaluate"])
def test_an_environment_that_is_hollow_is_refused(content, verb, trained, dreaming_refuses):
    (trained / "digits/pad/seed-0/environment.json").write_text(json.dumps(content))
    because = "environment.json" if content != {"sessions": [{}]} else "environment.json|other images"
    dreaming_refuses(*words(verb, trained), because=because)


@pytest.mark.parametrize("how", ["empty", "noise", "folder", "words"])
@pytest.mark.parametrize("verb", ["evaluate", "compare"])
def test_measures_that_are_damaged_are_named(verb, how, evaluated, dreaming_refuses):
    damage(evaluated / "digits/pad/seed-0/measures.csv", how)
    dreaming_refuses(*words(verb, evaluated), because=r"measures\.csv")


@pytest.mark.parametrize("verb", ["evaluate", "dream"])
def test_a_snapshot_of_another_epoch_or_another_seed_is_refused(verb, trained, dreaming_refuses):
    place = trained / "digits/pad/seed-0/snapshots/0002.safetensors"
    own = place.read_bytes()
    for stranger in ("seed-0/snapshots/0001", "seed-1/snapshots/0002"):
        place.write_bytes((trained / f"digits/pad/{stranger}.safetensors").read_bytes())
        because = r"0002\.safetensors belongs to another run"
        dreaming_refuses(*words(verb, trained), because=because, may_add=("measures.csv",))
    assert place.read_bytes() != own


@pytest.mark.parametrize("other", ["another size", "another seed"])
def test_the_state_of_another_run_is_never_gone_on_with(other, trained, three, dreaming_does, tmp_path):
    state = trained / "digits/pad/seed-1/state.safetensors"
    if other == "another size":
        size = ("--set", "networks.latent_dim=9")
        dreaming_does("train", *TINY, *size, "--epochs", "0", "--out", tmp_path / "other")
        state = tmp_path / "other/digits/pad/seed-0/state.safetensors"
    (trained / "digits/pad/seed-0/state.safetensors").write_bytes(state.read_bytes())
    said = dreaming_does(*words("train on", trained))
    assert "state.safetensors is not the state of this run: its" in said
    assert "repaired from state.before.safetensors" in said
    assert results(trained / "digits/pad/seed-0") == three


@pytest.mark.parametrize("verb", ["evaluate", "dream", "compare"])
def test_a_folder_that_is_no_run_is_refused_with_a_hint(verb, trained, tmp_path, dreaming_refuses):
    dreaming_refuses(verb, tmp_path / "nowhere", because=f"there is no run folder {tmp_path / 'nowhere'}")
    (tmp_path / "void").mkdir()
    dreaming_refuses(verb, tmp_path / "void", because="is no run folder: config.yaml is missing")
    dreaming_refuses(verb, trained / "digits/pad/seed-0/config.yaml", because="run folder")


def test_a_folder_above_runs_is_refused_with_the_run_that_was_meant(trained, dreaming_refuses):
    dreaming_refuses("dream", trained, because=f"did you mean {trained / 'digits/pad/seed-0'}")


@pytest.mark.parametrize("epochs", ["7", "0,7", "1,2,3", "first", "", "1,", "-1", "²", "1.0"])
def test_epochs_that_are_not_kept_are_refused(epochs, trained, dreaming_refuses):
    part = "kept are 0, 1, 2" if epochs in ("7", "0,7", "1,2,3") else "--epochs"
    dreaming_refuses("evaluate", trained / "digits/pad/seed-0", f"--epochs={epochs}", because=part)


@pytest.mark.parametrize(("epoch", "because"), [("7", "kept are 0, 1, 2"), ("-1", "kept are 0, 1, 2")])
def test_dreams_of_an_epoch_that_is_not_kept_are_refused(epoch, because, trained, dreaming_refuses):
    dreaming_refuses("dream", trained / "digits/pad/seed-0", f"--epoch={epoch}", because=because)
