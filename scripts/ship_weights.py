"""Put the last snapshot of a run into weights/NAME in half precision, measured anew as it is shipped, with a card.

    python scripts/ship_weights.py RUN NAME --data-dir data --trust-data

What stands in the card was measured on the weights in the folder, not on those of the run.
"""

import argparse
import shutil
from pathlib import Path

import pandas as pd

import dreaming
from dreaming.data import dataset_info
from dreaming.runs.folder import RunFolder
from dreaming.runs.tensors import read_tensors, write_tensors
from dreaming.system.progress import TerminalProgress

MEASURES = ("readout", "robustness", "organisation")
PLACE = Path(__file__).resolve().parents[1] / "weights"


def ship(run: RunFolder, name: str, data_dir: Path | None, trust_data: bool) -> Path:
    """Write the folder; return it."""
    out = RunFolder(PLACE / name)
    epoch = run.require_snapshots()[-1]
    tensors, about = read_tensors(run.snapshot(epoch))
    half = {key: value.half() if value.is_floating_point() else value for key, value in tensors.items()}
    out.snapshot(epoch).parent.mkdir(parents=True)
    write_tensors(out.snapshot(epoch), half, about)
    for file in (run.config, run.environment, run.losses):
        shutil.copyfile(file, out.path / file.name)
    with TerminalProgress() as display:
        options = {"data_dir": data_dir, "trust_data": trust_data, "progress": display}
        measures = dreaming.evaluate(out.path, measures=MEASURES, epochs="last", **options)
    out.dreams(epoch).parent.mkdir()
    shutil.copyfile(run.dreams(epoch), out.dreams(epoch))
    (out.path / "README.md").write_text(card(out, epoch, measures), encoding="utf-8")
    return out.path


def card(folder: RunFolder, epoch: int, measures: pd.DataFrame) -> str:
    """Say what the weights are, how they came to be, and what was measured of them."""
    config, session = folder.read_config(), folder.read_environment()["sessions"][-1]
    machine, versions = session["machine"], session["versions"]
    values = measures.set_index(["measure", "parameter"])["value"]
    readout = 100 * values["readout_accuracy", "latent"]
    pixels = 100 * values["readout_accuracy", "pixels"]
    about = dataset_info(config.dataset.name)
    command = " ".join(["dreaming", *session["command"][1:]])
    where = f"{machine['device']}; {machine['processor']}, {machine['cores']} cores"
    by = f"torch {versions['torch']}, Python {versions['python']}"
    official = session["dataset"]["official"]
    files = "the official files" if official else "made again from other copies: see `docs/reproduction.md`"
    measured = f"`dreaming evaluate weights/{folder.path.name} --measures {','.join(MEASURES)}`"
    return f"""# {folder.path.name}

A cortex, encoder and generator in half precision, that has lived {epoch} epochs of `{config.condition}` on
{config.dataset.name}, seed {config.seed}: `dreaming.load("{folder.path.name}")`, or this folder wherever a run
folder is taken. It can be measured, compared and dreamt with, not trained on.

| | |
|---|---|
| command | `{command}` |
| commit | {session["commit"]} |
| machine | {where}; {by} |
| images | {config.dataset.name} ({about.licence}): {files} |
| linear readout of these weights | {readout:.2f} % of the test images (pixels: {pixels:.2f} %) |
| all that was measured of them | [`measures.csv`](measures.csv), by {measured} |
| how far one such number can be trusted | one seed, one readout; for the spread see `docs/reproduction.md` |

![What it saw on two days, and dreams of it](dreams/{epoch:04d}.png)
"""


def main() -> None:
    """Ship one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--trust-data", action="store_true")
    given = parser.parse_args()
    print(ship(RunFolder.existing(given.run), given.name, given.data_dir, given.trust_data))


if __name__ == "__main__":
    main()
