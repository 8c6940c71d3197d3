"""Words that make a run small enough for a test, and a look at everything on the disk."""

from pathlib import Path

from dreaming.runs import RunFolder, read_tensors

SMALL = (
    "--set=networks.base_channels=2",
    "--set=networks.latent_dim=8",
    "--set=networks.image_channels=1",  # one channel keeps the principal components of `evaluate` cheap
    "--set=training.batch_size=16",
    "--device=cpu",
)
TINY = ("--limit", "80", *SMALL)


def tree(folder):
    """Every file and folder below, with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(Path(folder).rglob("*"))
    }


def reseal(path):
    """Give a file that a test wrote by hand the checksum of its content."""
    RunFolder(path.parent).write(path, path.read_bytes())


def without_seconds(losses):
    """The text of a losses.csv without its column of seconds, which no two runs share."""
    return [line.split(",")[:2] + line.split(",")[3:] for line in losses.read_text().splitlines()]


def tensors_of(path):
    """What a file of tensors holds: bits and metadata, but for seconds and the checksum over them."""
    tensors, about = read_tensors(path)
    about.get("position", {}).pop("seconds", None)
    texts = about.pop(
        "texts", {}
    )  # they tell of machines and times too; all but losses.csv are compared as files
    assert set(texts) in (
        set(),
        {"config.yaml", "environment.json"},
        {"config.yaml", "environment.json", "losses.csv"},
    )
    return about, {name: (str(value.dtype), value.numpy().tobytes()) for name, value in tensors.items()}


def results(run):
    """What a run came to: all but when, and how fast."""
    saved = [*run.glob("snapshots/*"), run / "state.safetensors"]
    as_bytes = [*run.glob("dreams/*"), run / "config.yaml"]
    return {
        **{path.relative_to(run).as_posix(): tensors_of(path) for path in saved},
        **{path.relative_to(run).as_posix(): path.read_bytes() for path in as_bytes},
        "losses.csv": without_seconds(run / "losses.csv"),
    }
