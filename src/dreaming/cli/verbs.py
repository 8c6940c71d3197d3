"""Verbs of the command line about data sets, finished runs and the paper; the others are in `dreaming.cli.main`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from tyro.conf import Positional, UseAppendAction, arg

from dreaming.cli.arguments import fetched_names
from dreaming.errors import UserError, command, shown, spelled
from dreaming.evaluation.measures import help_text
from dreaming.system.terminal import tell

# The library is imported where a verb calls it, so that --help and mistakes need not wait for torch.

FETCHED = ", ".join(fetched_names())
Words = Annotated[tuple[str, ...], UseAppendAction, arg(metavar="PATH=VALUE", help_behavior_hint="")]
RunPaths = Annotated[Positional[tuple[str, ...]], arg(metavar="RUN...", help_behavior_hint="(one or more)")]
# What may be left out says in its help what happens then, and not that its default is None or False.
OptionalInt = Annotated[int | None, arg(metavar="INT", help_behavior_hint="")]
Folder = Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")]
Text = Annotated[str | None, arg(metavar="STR", help_behavior_hint="")]
Flag = Annotated[bool, arg(help_behavior_hint="")]


def _data_dir() -> Path:
    return Path(os.environ.get("DREAMING_DATA", "data"))


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """Where images come from."""

    data_dir: Folder = None
    """where archives and weights lie (or set DREAMING_DATA); of a run on a folder that was moved, that folder"""
    trust_data: Flag = False
    """take files with another checksum than the official one; the run's record says so"""

    def measuring(self, run: Path) -> str:
        """Return the command that measures a run on the same images."""
        places = [] if self.data_dir is None else ["--data-dir", self.data_dir]
        return command("evaluate", run, *places, *["--trust-data"] * self.trust_data)


@dataclass(frozen=True, kw_only=True)
class Evaluate(ImageOptions):
    """Measure runs, into measures.csv (and projection.csv); what is measured already is not done again.

    Examples
    --------
    dreaming evaluate runs/digits/pad/seed-0
    dreaming evaluate runs/digits/pad/seed-0 --measures readout,robustness --epochs last
    """

    runs: RunPaths
    """run folders, or folders that contain some; a run that is still trained too"""
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
        from dreaming.evaluation.measuring import evaluate_all
        from dreaming.system.progress import TerminalProgress

        with TerminalProgress() as display:
            evaluate_all(
                _some(self.runs, "evaluate"),
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
    """Draw what a run dreams: memories, dreams, the nearest images seen, and how real d finds them.

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
    of: Annotated[Path | None, arg(metavar="FILE.jpg", help_behavior_hint="")] = None
    """a picture of yours to dream of, in place of test images"""
    phase: Text = None
    """whose dreams, such as nrem, rem or a phase of your own; every one on a sheet and in a film, else rem"""
    epoch: OptionalInt = None
    """after which epoch; the last one kept by default"""
    count: OptionalInt = None
    """how many dreams; 12 on a sheet by default"""
    to: Annotated[Path | None, arg(metavar="FILE.png", help_behavior_hint="")] = None
    """where the picture is written; RUN/dreams/AS-EPOCH.png by default"""

    def __call__(self) -> None:
        """Dream."""
        from dreaming.runs.dream_pictures import write_dreams

        path, picture = write_dreams(
            self.run,
            self.as_,
            of=self.of,
            phase=None if self.phase is None else spelled(self.phase, ("nrem", "rem")),
            epoch=self.epoch,
            count=self.count,
            data_dir=self.data_dir,
            trust_data=self.trust_data,
            to=self.to,
        )
        for line in (*picture.notes, f"written: {path}"):
            tell(line)


@dataclass(frozen=True, kw_only=True)
class Latents(ImageOptions):
    """Write latents, labels, externality and layers of a run's images, for other tools.

    Examples
    --------
    dreaming latents runs/digits/pad/seed-0 --out latents.npz
    dreaming latents runs/digits/pad/seed-0 --rdm distances.h5 --layers layer_2,layer_3
    """

    run: Positional[Path]
    """run folder"""
    out: Annotated[Path | None, arg(metavar="FILE.npz", help_behavior_hint="")] = None
    """where the arrays are written, as numpy reads them"""
    rdm: Annotated[Path | None, arg(metavar="FILE.h5", help_behavior_hint="")] = None
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
        tell("written: " + ", ".join(str(path) for path in written))


@dataclass(frozen=True, kw_only=True)
class Import(ImageOptions):
    """Make a run folder of a checkpoint of the published program: to be measured, compared, dreamt with.

    Examples
    --------
    dreaming import trained.pth
    dreaming import trained.pth --condition without_rem --dataset svhn
    """

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
        tell(f"{run}: imported; measure it with: {self.measuring(run)}")


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Let the code that its maker added to a run be executed from its folder, after you have read it.

    Examples
    --------
    dreaming trust runs/digits/pad/seed-0
    dreaming trust received/mine/seed-3
    """

    run: Positional[Path]
    """run folder"""

    def __call__(self) -> None:
        """Trust."""
        from dreaming.runs.folder import trust

        for file in trust(self.run):
            tell(f"{file}: trusted")


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
    measures: Annotated[str, arg(metavar="FILE.py:NAME", help_behavior_hint="")] = ""
    """measures of your own, whose labels and units are shown; the files are executed"""
    paired_with: Annotated[str | None, arg(metavar="CONDITION", help_behavior_hint="")] = None
    """the condition that the others are compared with, seed by seed; pad by default, where it is among them"""

    def __call__(self) -> None:
        """Compare."""
        from dreaming.evaluation.statistics.comparison import compare
        from dreaming.system.progress import print_table

        runs = _some(self.runs, "compare")
        found = compare(runs, self.to, measures=self.measures, paired_with=self.paired_with)
        for measure in found.measures.values():
            for caption, rows in measure.tables_in_words():
                print_table([*rows[0]], [[*row.values()] for row in rows], caption)
        for line in found.findings:
            print(shown(f"found while it learned: {line}"))
        print(shown("written: " + ", ".join(str(path) for path in found.files)))


@dataclass(frozen=True, kw_only=True)
class Reproduce(ImageOptions):
    """Make figures and tables of the paper: train and measure what is missing, draw, and write a report.

    Examples
    --------
    dreaming reproduce
    dreaming reproduce --profile quick --only figure-4 --dry-run
    """

    configures: ClassVar = True
    """Whether --set changes a run's config."""

    profile: str = "demo"
    """demo (minutes, no download), quick (CIFAR-10, hours), paper (as published), or FILE.yaml of your own"""
    only: Annotated[tuple[str, ...], UseAppendAction, arg(metavar="FIGURE", help_behavior_hint="")] = ()
    """a figure or a table, such as figure-4, appendix-figure-1 or table-1; can be repeated"""
    schedule: Annotated[
        tuple[str, ...], UseAppendAction, arg(metavar="CONDITION:EPOCH,...,CONDITION", help_behavior_hint="")
    ] = ()
    """sleep taken away and given back beside the paper's conditions: pad:10,without_rem:20,pad; can be repeated"""
    sweep: Annotated[
        tuple[str, ...], UseAppendAction, arg(metavar="PATH=VALUE,...", help_behavior_hint="")
    ] = ()
    """doses: PAD with each value of a field, such as phases.rem.dose=0,0.5,1; can be repeated"""
    dry_run: Flag = False
    """list the runs, what is there already, and the hours they will take here; run nothing"""
    workers: OptionalInt = None
    """how many runs are trained at once, each in a process; as many as there are cores, or one on a GPU"""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N"""
    out: Folder = None
    """the folder of all of it; reproduction/PROFILE by default"""
    runs: Folder = None
    """the folder of the runs, where they lie elsewhere than in OUT/runs"""
    no_training: Flag = False
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
        for line in found.results:
            display.say(line)
        raise_failures(found)
        display.say(f"The report: {found.report}")


@dataclass(frozen=True, kw_only=True)
class ListData:
    """List the data sets that are known."""

    def __call__(self) -> None:
        """List."""
        from dreaming.data import dataset_info, names
        from dreaming.data.weights import NETWORKS
        from dreaming.system.progress import print_table

        rows = []
        for name in names():
            found = dataset_info(name)
            size = f"{found.size / 1e6:.0f} MB" if found.size else "none"
            rows.append((name, f"{found.n_train:,}", f"{found.n_test:,}", found.host, size, found.licence))
        rows.append(("folder:PATH", "", "", "PATH, on this machine", "none", "yours"))
        for network in NETWORKS.values():
            size = f"{sum(file.size for file in network.files) / 1e6:.0f} MB"
            rows.append((f"{network.name} (weights)", "", "", network.host, size, network.licence))
        print_table(("name", "train", "test", "fetched from", "download", "licence"), rows)


@dataclass(frozen=True, kw_only=True)
class FetchData:
    """Fetch a data set, from mirrors in order, with checksums; a broken download goes on where it broke.

    Examples
    --------
    dreaming data fetch cifar10
    dreaming data fetch inception --data-dir ~/data
    """

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
        for file in files:
            tell(f"{file}: complete, checksum as published")


@dataclass(frozen=True, kw_only=True)
class CheckData:
    """Compare the files of a data set with the published checksums.

    Examples
    --------
    dreaming data check cifar10
    dreaming data check inception --data-dir ~/data
    """

    name: Annotated[Positional[str], arg(help=f"{FETCHED}, folder:PATH or inception")]
    data_dir: Path = field(default_factory=_data_dir)
    """where they lie (or set DREAMING_DATA)"""

    def __call__(self) -> None:
        """Check."""
        from dreaming.data import check

        found = check(self.name, self.data_dir)
        for line in [f"{file.path}: {file.state}" for file in found] or [f"{self.name} needs no files"]:
            tell(line)
        wrong = [file for file in found if file.state != "ok"]
        if wrong:
            raise UserError(
                f"{len(wrong)} of {len(found)} files are not as published; fetch them with: "
                + command("data", "fetch", self.name, "--data-dir", self.data_dir)
            )


def _some(runs: Sequence[str], verb: str) -> Sequence[str]:
    if not runs:
        raise UserError(f"{verb} wants at least one run folder, such as runs/digits/pad/seed-0")
    return runs
