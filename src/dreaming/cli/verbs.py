"""Verbs of the command line about data sets, finished runs and the paper; the others are in `dreaming.cli.main`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from dreaming.cli.arguments import fetched_names
from dreaming.errors import UserError, shown
from dreaming.evaluation.measures import help_text

# The library is imported where a verb calls it, so that --help and mistakes need not wait for torch.

FETCHED = ", ".join(fetched_names())
Words = Annotated[tuple[str, ...], UseAppendAction, arg(metavar="PATH=VALUE")]
RunPaths = Annotated[Positional[tuple[str, ...]], arg(metavar="RUN...", help_behavior_hint="(one or more)")]
OptionalInt = Annotated[int | None, arg(metavar="INT")]
Folder = Annotated[Path | None, arg(metavar="DIR")]
Text = Annotated[str | None, arg(metavar="STR")]


def _data_dir() -> Path:
    return Path(os.environ.get("DREAMING_DATA", "data"))


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """Where images come from."""

    data_dir: Folder = None
    """where archives of data sets, and weights, lie (or set DREAMING_DATA); of a run on a folder of images that was
    moved, that folder"""
    trust_data: bool = False
    """take files with another checksum than the official one; the run's record says so"""


@dataclass(frozen=True, kw_only=True)
class Evaluate(ImageOptions):
    """Measure runs, into measures.csv (and projection.csv); what is measured already is not done again."""

    runs: RunPaths
    """run folders"""
    measures: Annotated[
        str,
        arg(
            help=f"with commas between them; all; or FILE.py:NAME of your own, which is executed:\n{help_text()}"
        ),
    ] = "readout"
    set: Words = ()
    """change an option of a measure, such as organisation.distance=squared; can be repeated"""
    epochs: str = "all"
    """snapshots to measure: all, last, or a list such as 0,1,5 (0: untrained)"""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N"""

    def __call__(self) -> None:
        """Evaluate."""
        from dreaming.evaluation.measuring import evaluate
        from dreaming.system.progress import TerminalProgress

        with TerminalProgress() as display:
            for run in _some(self.runs, "evaluate"):
                evaluate(
                    run,
                    measures=self.measures,
                    settings=self.set,
                    epochs=self.epochs,
                    data_dir=self.data_dir,
                    trust_data=self.trust_data,
                    device=self.device,
                    progress=display,
                )


@dataclass(frozen=True, kw_only=True)
class Dream(ImageOptions):
    """Draw what a run dreams: memories, dreams, the images seen that are nearest, and how real d finds them.

    Examples
    --------
    dreaming dream runs/digits/pad/seed-0
    dreaming dream runs/digits/pad/seed-0 --as film --phase rem
    """

    run: Positional[Path]
    """run folder"""
    as_: Annotated[
        Literal["sheet", "film", "interpolation", "neighbours", "classes", "reconstruction"], arg(name="as")
    ] = "sheet"
    """sheet: each phase's dreams; film: these over epochs, as GIF; interpolation: what lies between two memories;
    neighbours: the images seen that are nearest to dreams; classes: dreams of each class; reconstruction: what the
    cortex makes of images"""
    of: Annotated[Path | None, arg(metavar="FILE.jpg")] = None
    """a picture of yours to dream of, in place of test images"""
    phase: Text = None
    """whose dreams, such as nrem, rem or a phase of your own; every one on a sheet and in a film, else rem"""
    epoch: OptionalInt = None
    """after which epoch; the last one kept by default"""
    count: OptionalInt = None
    """how many dreams; 12 on a sheet by default"""
    to: Annotated[Path | None, arg(metavar="FILE.png")] = None
    """where the picture is written; RUN/dreams/AS-EPOCH.png by default"""

    def __call__(self) -> None:
        """Dream."""
        from dreaming.runs.dream_pictures import write_dreams

        path, picture = write_dreams(
            self.run,
            self.as_,
            of=self.of,
            phase=self.phase,
            epoch=self.epoch,
            count=self.count,
            data_dir=self.data_dir,
            trust_data=self.trust_data,
            to=self.to,
        )
        for line in (*picture.notes, f"written: {path}"):
            print(shown(line))


@dataclass(frozen=True, kw_only=True)
class Latents(ImageOptions):
    """Write latents, labels, externality and layers of a run's images, for other tools."""

    run: Positional[Path]
    """run folder"""
    out: Annotated[Path | None, arg(metavar="FILE.npz")] = None
    """where the arrays are written, as numpy reads them"""
    rdm: Annotated[Path | None, arg(metavar="FILE.h5")] = None
    """where distances between all images are written, as rsatoolbox reads them; one matrix a layer"""
    split: Literal["train", "test"] = "test"
    """which images"""
    layers: Text = None
    """layers besides the latents, with commas between them, such as layer_2,layer_3"""
    count: OptionalInt = None
    """how many images, from the first; all by default"""
    occlusion: float = 0.0
    """probability that a tile of 4 x 4 pixels is silenced, a mask an image, as robustness draws them"""
    epoch: OptionalInt = None
    """after which epoch; the last one kept by default"""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N"""

    def __call__(self) -> None:
        """Write latents."""
        from dreaming.evaluation.representations import write_latents

        written = write_latents(
            self.run,
            self.out,
            rdm=self.rdm,
            split=self.split,
            layers=self.layers or (),
            count=self.count,
            occlusion=self.occlusion,
            epoch=self.epoch,
            data_dir=self.data_dir,
            trust_data=self.trust_data,
            device=self.device,
        )
        print(shown("written: " + ", ".join(str(path) for path in written)))


@dataclass(frozen=True, kw_only=True)
class Import(ImageOptions):
    """Make a run folder of a checkpoint of the published program, to be measured, compared, and dreamt with."""

    file: Annotated[Positional[Path], arg(metavar="FILE.pth")]
    """its trained.pth; nothing in it is run"""
    condition: str = "pad"
    """the condition it was trained as, which the file does not say"""
    name: Text = None
    """what to call the condition, and its folder: published_CONDITION by default"""
    dataset: Annotated[
        str, arg(help=f"the images it was trained on, which the file does not say: {FETCHED} or folder:PATH")
    ] = "cifar10"
    limit: OptionalInt = None
    """measure it on INT images of each split"""
    seed: int = 0
    """number of the run, and the seed of its measures; the published program has none"""
    epoch: OptionalInt = None
    """after how many epochs it was kept, if the file has no losses"""
    out: Path = Path("runs")
    """the folder of runs; this one lies in OUT/DATASET/CONDITION/seed-N"""

    def __call__(self) -> None:
        """Import."""
        from dreaming.paper.authors.checkpoint import import_checkpoint

        run = import_checkpoint(
            self.file,
            condition=self.condition,
            name=self.name,
            dataset=self.dataset,
            limit=self.limit,
            seed=self.seed,
            epoch=self.epoch,
            out=self.out,
            data_dir=self.data_dir,
            trust_data=self.trust_data,
        )
        print(shown(f"{run}: imported; measure it with: dreaming evaluate {run}"))


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Let the code that its maker added to a run be executed from its folder, after you have read it."""

    run: Positional[Path]
    """run folder"""

    def __call__(self) -> None:
        """Trust."""
        from dreaming.runs.folder import trust

        print("\n".join(shown(f"{file}: trusted") for file in trust(self.run)))


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Compare evaluated runs: every measure in one picture, paired differences, dreams; Markdown and CSV.

    Examples
    --------
    dreaming compare runs
    dreaming compare runs/digits/pad runs/digits/without_rem --paired-with pad
    """

    runs: RunPaths
    """run folders, or folders that contain some"""
    to: Path = Path("comparison")
    """folder for the plots and the tables"""
    measures: Annotated[str, arg(metavar="FILE.py:NAME,...")] = ""
    """measures of your own, whose labels and units are shown; the files are executed"""
    paired_with: Annotated[str | None, arg(metavar="CONDITION")] = None
    """the condition that the others are compared with, seed by seed; pad by default, where it is among them"""

    def __call__(self) -> None:
        """Compare."""
        from dreaming.evaluation.statistics.comparison import compare

        runs = _some(self.runs, "compare")
        found = compare(runs, self.to, measures=self.measures, paired_with=self.paired_with)
        for measure in found.measures.values():
            for caption, rows in measure.tables_in_words():
                _show(rows, caption)
        for line in found.findings:
            print(shown(f"found while it learned: {line}"))
        print(shown("written: " + ", ".join(str(path) for path in found.files)))


@dataclass(frozen=True, kw_only=True)
class Reproduce(ImageOptions):
    """Make figures and tables of the paper: train and measure what is missing, draw, and write a report."""

    profile: str = "demo"
    """demo (minutes, no download), quick (CIFAR-10, hours), paper (as published), or FILE.yaml of your own"""
    only: Annotated[tuple[str, ...], UseAppendAction, arg(metavar="FIGURE")] = ()
    """a figure or a table, such as figure-4, appendix-figure-1 or table-1; can be repeated"""
    schedule: Annotated[tuple[str, ...], UseAppendAction, arg(metavar="CONDITION:EPOCH,...,CONDITION")] = ()
    """sleep deprivation and recovery beside the paper's conditions, such as pad:10,without_rem:20,pad; can be
    repeated"""
    sweep: Annotated[tuple[str, ...], UseAppendAction, arg(metavar="PATH=VALUE,...")] = ()
    """doses: PAD with each value of a field, such as phases.rem.dose=0,0.5,1; can be repeated"""
    dry_run: bool = False
    """list the runs, what is there already, and the hours they will take here; run nothing"""
    workers: OptionalInt = None
    """how many runs are trained at once, each in a process; as many as there are cores, or one on a GPU"""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N"""
    out: Folder = None
    """the folder of all of it; reproduction/PROFILE by default"""
    runs: Folder = None
    """the folder of the runs, where they lie elsewhere than in OUT/runs"""
    no_training: bool = False
    """train nothing: measure, draw and report what is there, and say what is missing"""
    set: Words = ()
    """change the profile (seeds=2, epochs=20, datasets=svhn) or the config of every run; can be repeated"""

    def __call__(self) -> None:
        """Reproduce."""
        from dreaming.paper.plan.presets import profile
        from dreaming.system.progress import TerminalProgress

        chosen = profile(self.profile, self.set).beside(self.schedule, self.sweep)
        if self.dry_run:
            from dreaming.paper.plan.dry_run import dry_run

            dry_run(chosen, self.only, self.out, self.device, self.data_dir, self.runs)
            return
        from dreaming.paper.reproduction import raise_failures, reproduce

        with TerminalProgress() as display:
            found = reproduce(
                chosen,
                only=self.only,
                out=self.out,
                data_dir=self.data_dir,
                trust_data=self.trust_data,
                device=self.device,
                workers=self.workers,
                runs=self.runs,
                training=not self.no_training,
                progress=display,
            )
        raise_failures(found)
        print(shown(f"The report: {found.report}"))


@dataclass(frozen=True, kw_only=True)
class ListData:
    """List the data sets that are known."""

    def __call__(self) -> None:
        """List."""
        from rich.table import Table

        from dreaming.data import dataset_info, names
        from dreaming.data.weights import NETWORKS
        from dreaming.system.progress import console

        table = Table("name", "train", "test", "fetched from", "download", "licence")
        for name in names():
            found = dataset_info(name)
            size = f"{found.size / 1e6:.0f} MB" if found.size else "none"
            table.add_row(name, f"{found.n_train:,}", f"{found.n_test:,}", found.host, size, found.licence)
        table.add_row("folder:PATH", "", "", "PATH/{train,test}/CLASS/*.{png,jpg,webp}", "none", "yours")
        for network in NETWORKS.values():
            size = f"{sum(file.size for file in network.files) / 1e6:.0f} MB"
            table.add_row(f"{network.name} (weights)", "", "", network.host, size, network.licence)
        console().print(table)


@dataclass(frozen=True, kw_only=True)
class FetchData:
    """Fetch a data set, from mirrors in order, with checksums; a broken download goes on where it broke."""

    name: Annotated[
        Positional[str],
        arg(help=f"{FETCHED}; or inception, the weights for Fréchet distances in its features"),
    ]
    data_dir: Path = field(default_factory=_data_dir)
    """where to (or set DREAMING_DATA)"""

    def __call__(self) -> None:
        """Fetch."""
        from dreaming.data import fetch
        from dreaming.system.progress import downloading

        with downloading() as progress:
            files = fetch(self.name, self.data_dir, progress=progress)
        print("\n".join(shown(f"{file}: complete, checksum as published") for file in files))


@dataclass(frozen=True, kw_only=True)
class CheckData:
    """Compare the files of a data set with the published checksums."""

    name: Annotated[Positional[str], arg(help=f"{FETCHED}, folder:PATH or inception")]
    data_dir: Path = field(default_factory=_data_dir)
    """where they lie (or set DREAMING_DATA)"""

    def __call__(self) -> None:
        """Check."""
        from dreaming.data import check

        found = check(self.name, self.data_dir)
        print(
            "\n".join(shown(f"{file.path}: {file.state}") for file in found) or f"{self.name} needs no files"
        )
        wrong = [file for file in found if file.state != "ok"]
        if wrong:
            raise UserError(
                f"{len(wrong)} of {len(found)} files are not as published; fetch them with: "
                f"dreaming data fetch {self.name} --data-dir {self.data_dir}"
            )


def _some(runs: Sequence[str], verb: str) -> Sequence[str]:
    if not runs:
        raise UserError(f"{verb} wants at least one run folder, such as runs/digits/pad/seed-0")
    return runs


def _show(rows: Sequence[Mapping[str, str]], caption: str) -> None:
    """Print a table; where it is wider than the terminal, a line for each row, so that nothing is shortened."""
    from rich.table import Table

    from dreaming.system.progress import cells, console

    table, screen = Table(*rows[0], caption=caption), console()
    for row in rows:
        table.add_row(*cells(*row.values()))
    if screen.measure(table, options=screen.options.update(width=100_000)).maximum <= screen.width:
        screen.print(table)
        return
    print(shown(f"{caption}:"))
    for row in rows:
        print(shown(", ".join(f"{name} {value}" for name, value in row.items() if value)))
