"""The command line: one verb, one library call."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, UseAppendAction, arg

from dreaming import arguments
from dreaming.errors import Stopped, UserError

if TYPE_CHECKING:
    from dreaming.config import Config

# The library is imported where a verb calls it, so that --help and mistakes need not wait for torch.

Words = Annotated[tuple[str, ...], UseAppendAction, arg(metavar="PATH=VALUE")]
Runs = Annotated[Positional[tuple[str, ...]], arg(metavar="RUN...")]
Number = Annotated[int | None, arg(metavar="INT")]
Folder = Annotated[Path | None, arg(metavar="DIR")]
Text = Annotated[str | None, arg(metavar="STR")]


def _data_dir() -> Path:
    return Path(os.environ.get("DREAMING_DATA", "data"))


@dataclass(frozen=True, kw_only=True)
class _Images:
    """Where images come from."""

    data_dir: Folder = None
    """where archives of data sets lie (or set DREAMING_DATA)"""
    trust_data: bool = False
    """take files with another checksum than the official one; the run's record says so"""


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Which run."""

    condition: str = "pad"
    """pad, without_memory_mix, without_rem, without_nrem, wake_only, rem_noise_only, rem_memories_only,
    rem_before_nrem, nrem_mixed, untrained"""
    phases: Annotated[str | None, arg(metavar="FILE.py:NAME")] = None
    """a cycle of your own, or a phase of your own that follows the condition's; the file is executed"""
    name: Text = None
    """what to call the condition; needed where --set makes it another"""
    dataset: str = "digits"
    """digits, house_digits, cifar10, svhn or folder:PATH"""
    limit: Number = None
    """take the first INT images of each split; of house_digits, as many are drawn as are asked for"""
    seed: int = 0
    """the seed all random numbers grow from"""
    epochs: int = 50
    """passes over the training images; more than a finished run has go on with it"""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """precision of the arithmetic; auto is float32"""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N"""
    snapshots: str = "all"
    """epochs whose weights and dreams are kept: all, ends or a list such as 1,5,50"""
    set: Words = ()
    """change any field of the config, such as phases.rem.replay.noise=0.3; can be repeated"""

    def config(self, seed: int) -> "Config":
        from dreaming.conditions import configure

        return configure(
            self.condition,
            phases=self.phases,
            name=self.name,
            settings=self.set,
            dataset={"name": self.dataset, "limit": self.limit},
            training={
                "epochs": self.epochs,
                "precision": self.precision,
                "device": self.device,
                "snapshots": self.snapshots,
            },
            seed=seed,
        )


@dataclass(frozen=True, kw_only=True)
class Train(_Images, _Run):
    """Train a cortex through sleep-wake cycles, or go on with a training that was stopped."""

    seeds: int = 1
    """how many runs, of this seed and those after it"""
    out: Path = Path("runs")
    """the folder of runs; this one lies in OUT/DATASET/CONDITION/seed-N"""

    def __call__(self) -> None:
        """Train."""
        from dreaming.progress import Display
        from dreaming.training import train

        if self.seeds < 1:
            raise UserError(f"--seeds is {self.seeds}; at least one run is needed")
        own = None if self.phases is None else self.phases.rpartition(":")[0]
        configs = [self.config(self.seed + index) for index in range(self.seeds)]
        with Display() as display:
            for config in configs:
                run = train(
                    config,
                    out=self.out,
                    data_dir=self.data_dir,
                    trust_data=self.trust_data,
                    own_phases=own,
                    progress=display,
                )
                display.say(
                    f"{run}: its dreams are in {run / 'dreams'}; measure it with: dreaming evaluate {run}"
                )


@dataclass(frozen=True, kw_only=True)
class Describe(_Run):
    """Show a run's config, phases, signs of plasticity, size and cost; train nothing."""

    def __call__(self) -> None:
        """Describe."""
        from rich.table import Table

        from dreaming.description import describe
        from dreaming.progress import console

        found = describe(self.config(self.seed))
        print(found.config.to_yaml())
        table = Table("phase", "encoder", "generator", "multiply-accumulates of a cycle")
        for name, signs in found.signs.items():
            shown = [f"{sign:+d}" if sign else "0" for sign in signs]
            table.add_row(name, *shown, f"{found.multiply_accumulates[name] / 1e9:.2f} G")
        table.add_row("", "", "", f"{sum(found.multiply_accumulates.values()) / 1e9:.2f} G")
        console().print(table)
        for name, count in found.weights.items():
            print(f"{name}: {count:,} weights")


@dataclass(frozen=True, kw_only=True)
class Evaluate(_Images):
    """Measure runs: linear readout of latents, pixels and principal components, into measures.csv."""

    runs: Runs
    """run folders"""
    epochs: str = "all"
    """snapshots to measure: all, last, or a list such as 0,1,5 (0: untrained)"""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N"""

    def __call__(self) -> None:
        """Evaluate."""
        from dreaming.evaluation.measuring import evaluate
        from dreaming.progress import Display

        with Display() as display:
            for run in _some(self.runs, "evaluate"):
                evaluate(
                    run,
                    epochs=self.epochs,
                    data_dir=self.data_dir,
                    trust_data=self.trust_data,
                    device=self.device,
                    progress=display,
                )


@dataclass(frozen=True, kw_only=True)
class Dream(_Images):
    """Draw a sheet of dreams of one run as PNG."""

    run: Positional[Path]
    """run folder"""
    phase: Literal["nrem", "rem"] = "rem"
    """which sleep"""
    epoch: Number = None
    """after which epoch; the last one kept by default"""
    count: int = 64
    """how many dreams"""
    to: Annotated[Path | None, arg(metavar="FILE.png")] = None
    """where the sheet is written; RUN/dreams/PHASE-EPOCH.png by default"""

    def __call__(self) -> None:
        """Dream."""
        from dreaming.dreams import dream_sheet

        written = dream_sheet(
            self.run,
            phase=self.phase,
            epoch=self.epoch,
            count=self.count,
            data_dir=self.data_dir,
            trust_data=self.trust_data,
            to=self.to,
        )
        print(f"{self.count} {self.phase.upper()} dreams are in {written}")


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Compare evaluated runs: one table, one plot."""

    runs: Runs
    """run folders, or folders that contain some"""
    to: Path = Path("comparison")
    """folder for the plot and the tables"""

    def __call__(self) -> None:
        """Compare."""
        from rich.table import Table

        from dreaming.evaluation.comparison import compare
        from dreaming.progress import console

        found = compare(_some(self.runs, "compare"), self.to)
        table = Table(
            "data set", "condition", "seeds", "epoch", "latent", "untrained", "pixels", "pca", "missing"
        )
        for row in found.in_words():
            table.add_row(*row)
        table.caption = "linear readout accuracy on test images in %, mean ± SEM over seeds"
        console().print(table)
        print("written: " + ", ".join(str(path) for path in found.files))


@dataclass(frozen=True, kw_only=True)
class ListData:
    """List the data sets that are known."""

    def __call__(self) -> None:
        """List."""
        from rich.table import Table

        from dreaming.data import describe, names
        from dreaming.progress import console

        table = Table("name", "train", "test", "fetched from", "download", "licence")
        for name in names():
            found = describe(name)
            size = f"{found.size / 1e6:.0f} MB" if found.size else "none"
            table.add_row(name, f"{found.n_train:,}", f"{found.n_test:,}", found.host, size, found.licence)
        table.add_row("folder:PATH", "", "", "PATH/{train,test}/CLASS/*.{png,jpg,webp}", "none", "yours")
        console().print(table)


@dataclass(frozen=True, kw_only=True)
class FetchData:
    """Fetch a data set, from mirrors in order, with checksums; a broken download goes on where it broke."""

    name: Positional[str]
    """cifar10 or svhn"""
    data_dir: Path = field(default_factory=_data_dir)
    """where to (or set DREAMING_DATA)"""

    def __call__(self) -> None:
        """Fetch."""
        from dreaming.data import fetch
        from dreaming.progress import downloading

        with downloading() as progress:
            files = fetch(self.name, self.data_dir, progress=progress)
        print("\n".join(f"{file}: complete, checksum as published" for file in files))


@dataclass(frozen=True, kw_only=True)
class CheckData:
    """Compare the files of a data set with the published checksums."""

    name: Positional[str]
    """cifar10, svhn or folder:PATH"""
    data_dir: Path = field(default_factory=_data_dir)
    """where they lie (or set DREAMING_DATA)"""

    def __call__(self) -> None:
        """Check."""
        from dreaming.data import check

        found = check(self.name, self.data_dir)
        print("\n".join(f"{file.path}: {file.state}" for file in found) or f"{self.name} needs no files")
        wrong = [file for file in found if file.state != "ok"]
        if wrong:
            raise UserError(
                f"{len(wrong)} of {len(found)} files are not as published; fetch them with: "
                f"dreaming data fetch {self.name} --data-dir {self.data_dir}"
            )


VERBS: dict[str, Any] = {
    "train": Train,
    "evaluate": Evaluate,
    "dream": Dream,
    "compare": Compare,
    "data": {"list": ListData, "fetch": FetchData, "check": CheckData},
    "describe": Describe,
}


def _some(runs: Sequence[str], verb: str) -> Sequence[str]:
    if not runs:
        raise UserError(f"{verb} wants at least one run folder, such as runs/digits/pad/seed-0")
    return runs


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0 done, 2 a mistake of the user's in one sentence, 3 stopped and resumable. A fault of ours raises, and
        Python exits with 1.
    """
    words = sys.argv[1:] if words is None else words
    description = "A laboratory for dreaming neural networks: train, sleep, dream, measure."
    try:
        verb: Callable[[], None] = arguments.read(VERBS, words, "dreaming", description)
        verb()
    except UserError as mistake:
        print(f"dreaming: {mistake}", file=sys.stderr)
        return 2
    except Stopped as stopped:
        print(f"dreaming: {stopped}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print(
            "dreaming: interrupted; what was finished is kept, and the same command goes on", file=sys.stderr
        )
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
