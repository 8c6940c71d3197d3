"""The command line: one verb, one library call."""

import errno
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from tyro.conf import arg

from dreaming import __version__
from dreaming.cli import arguments
from dreaming.cli.arguments import condition_lines, help_of
from dreaming.cli.verbs import (
    CheckData,
    Compare,
    Dream,
    Evaluate,
    FetchData,
    Flag,
    ImageOptions,
    Import,
    Latents,
    ListData,
    OptionalInt,
    Reproduce,
    Text,
    Trust,
    Words,
)
from dreaming.errors import Notice, Stopped, UserError, shown
from dreaming.system.output import READER_LEFT, not_shown
from dreaming.system.signals import INTERRUPTED
from dreaming.system.terminal import tell

if TYPE_CHECKING:
    from dreaming.config.config import Config

# The library is imported where a verb calls it, so that --help and mistakes need not wait for torch.


@dataclass(frozen=True, kw_only=True)
class SleepOptions:
    """How the cortex sleeps."""

    configures: ClassVar = True
    """Whether --set changes a run's config."""

    condition: Annotated[
        str,
        arg(
            help="one of these, by default pad:\n" + "\n".join(map(": ".join, condition_lines().items())),
            help_behavior_hint="",
        ),
    ] = "pad"
    phases: Annotated[str | None, arg(metavar="FILE.py:NAME", help_behavior_hint="")] = None
    """a cycle of your own, or a phase of your own that follows those of each condition; the file is executed"""
    networks: Annotated[str | None, arg(metavar="FILE.py:NAME", help_behavior_hint="")] = None
    """an encoder and a generator of your own, by a function that returns them; the file is executed"""
    schedule: Annotated[str | None, arg(metavar="CONDITION:EPOCH,...,CONDITION", help_behavior_hint="")] = (
        None
    )
    """conditions one after another, each until an epoch is done, such as pad:10,without_rem:20,pad"""
    name: Text = None
    """what to call the condition; by default by what it is, such as pad+rem.replay.noise-0.1 after --set"""


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """What it sees."""

    dataset: Annotated[str, arg(help=help_of("DatasetConfig", "name"))] = "digits"
    limit: Annotated[
        int | None, arg(metavar="INT", help=help_of("DatasetConfig", "limit"), help_behavior_hint="")
    ] = None
    image_size: Annotated[
        int | None,
        arg(
            metavar="INT",
            help=help_of("Networks", "image_size") + "; 32 by default",
            help_behavior_hint="",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How it is trained."""

    seed: Annotated[int, arg(help=help_of("Config", "seed"))] = 0
    epochs: Annotated[int, arg(help=help_of("Training", "epochs"))] = 50
    precision: Annotated[
        Literal["auto", "float32", "tf32", "bfloat16"], arg(help=help_of("Training", "precision"))
    ] = "auto"
    device: Annotated[str, arg(help=help_of("Training", "device"))] = "auto"
    snapshots: Annotated[str, arg(help=help_of("Training", "snapshots"))] = "all"
    set: Words = ()
    """change any field of the config, such as phases.rem.replay.noise=0.3; can be repeated"""


class _Run(TrainingOptions, DataOptions, SleepOptions):
    """A run that is asked for."""

    def config(self, seed: int) -> "Config":
        from dreaming.config.configure import configure

        make = partial(
            configure,
            self.condition,
            phases=self.phases,
            networks=self.networks,
            schedule=self.schedule,
            name=self.name,
            settings=[
                *([] if self.image_size is None else [f"networks.image_size={self.image_size}"]),
                *self.set,
            ],
            dataset={"name": self.dataset, "limit": self.limit},
            training={
                "epochs": self.epochs,
                "precision": self.precision,
                "device": self.device,
                "snapshots": self.snapshots,
            },
            seed=seed,
        )
        try:
            return make()
        except UserError as error:
            raise UserError(_by_option(str(error))) from None


@dataclass(frozen=True, kw_only=True)
class Train(ImageOptions, _Run):
    """Train a cortex through sleep-wake cycles, or go on with a training that was stopped.

    Examples
    --------
    dreaming train --epochs 5
    dreaming train --condition without_rem --dataset cifar10 --seeds 4
    """

    seeds: int = 1
    """how many runs, of this seed and those after it"""
    sweep: Annotated[str | None, arg(metavar="PATH=VALUE,...", help_behavior_hint="")] = None
    """train once with each value of a field, such as phases.rem.dose=0,0.5,1"""
    workers: OptionalInt = None
    """how many of them are trained at once, each in a process; as many as there are cores, or one on a GPU"""
    log: Annotated[Literal["tensorboard"] | None, arg(metavar="tensorboard", help_behavior_hint="")] = None
    """also write the losses and dreams of each epoch into RUN/tensorboard, for TensorBoard"""
    out: Path = Path("runs")
    """the folder of runs; this one lies in OUT/DATASET/CONDITION/seed-N"""

    def __call__(self) -> None:
        """Train."""
        from dreaming.config.configure import swept
        from dreaming.system.progress import TerminalProgress
        from dreaming.training.population import train_all
        from dreaming.training.tensorboard import TensorBoard

        if self.seeds < 1:
            raise UserError(f"--seeds is {self.seeds}; at least one run is needed")
        if self.seeds > 1 and any(word.partition("=")[0].strip() == "seed" for word in self.set):
            raise UserError(
                f"--set seed gives all {self.seeds} runs of --seeds one seed; use --seed for the first"
            )
        configs = [self.config(self.seed + index) for index in range(self.seeds)]
        if self.sweep is not None:
            configs = [each for config in configs for each in swept(config, self.sweep)]
        with TerminalProgress() as display:
            runs = train_all(
                configs,
                out=self.out,
                data_dir=self.data_dir,
                trust_data=self.trust_data,
                workers=self.workers,
                on_epoch=TensorBoard() if self.log else None,
                progress=display,
            )
            for run in runs:
                display.say(
                    f"{run}: its dreams are in {run / 'dreams'}; measure it with: {self.measuring(run)}"
                )


@dataclass(frozen=True, kw_only=True)
class Describe(_Run):
    """Show a run's config, phases, signs of plasticity, size and cost; train nothing.

    Examples
    --------
    dreaming describe
    dreaming describe --condition without_rem --set networks.base_channels=16 --yaml
    """

    yaml: Flag = False
    """also print the whole config, as a run's config.yaml has it"""

    def __call__(self) -> None:
        """Describe."""
        from dreaming.config.description import describe
        from dreaming.system.progress import print_table

        found = describe(self.config(self.seed))
        rows = found.in_words()
        print_table([*rows[0]], [[*row.values()] for row in rows])
        for name, count in found.weights.items():
            print(f"{name}: {count:,} weights")
        if uncounted := [name for name in found.signs if name not in found.multiply_accumulates]:
            print(
                f"The cost of {', '.join(uncounted)} cannot be counted: it is counted with tensors that have no "
                "numbers, on the device 'meta'; make tensors with device=images.device, and read no numbers."
            )
        if self.yaml:
            print(f"\n{found.config.to_yaml()}", end="")


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Check the fast ways to train against the plain one on this machine.

    Examples
    --------
    dreaming doctor
    dreaming doctor --device cuda --base-channels 32
    """

    device: str = "auto"
    """auto, cpu, cuda or cuda:N"""
    base_channels: int = 64
    """width of the networks that are tried; the paper's by default"""
    batch_size: int = 64
    """images of a cycle"""
    seeds: int = 3
    """cortices side by side in one program"""

    def __call__(self) -> None:
        """Examine."""
        from dreaming.system.progress import TerminalProgress
        from dreaming.training.doctor import check_table, examine

        with TerminalProgress() as progress:
            checks = examine(
                self.device,
                base_channels=self.base_channels,
                batch_size=self.batch_size,
                seeds=self.seeds,
                progress=progress,
            )
        print(check_table(checks))
        if wrong := ", ".join(check.path for check in checks if not check.passed):
            print(
                f"dreaming: {wrong}: wrong on this machine; please report it, with the table", file=sys.stderr
            )
            raise SystemExit(1)


STOPPED = 3
"""The status of a command that somebody stopped and that can go on."""

VERBS: dict[str, Any] = {
    "train": Train,
    "evaluate": Evaluate,
    "dream": Dream,
    "latents": Latents,
    "compare": Compare,
    "import": Import,
    "trust": Trust,
    "data": {"list": ListData, "fetch": FetchData, "check": CheckData},
    "describe": Describe,
    "reproduce": Reproduce,
    "doctor": Doctor,
}


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0 done, 2 a mistake of the user's in one sentence, 3 stopped and resumable, 141 nobody reads what is printed
        any more. A fault of ours raises, and Python exits with 1.
    """
    words = (sys.argv[1:] if words is None else words) or ["--help"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", Notice)
            warnings.showwarning = partial(_show_warning, set(), warnings.showwarning)
            _run(words)
            return 0
    except UserError as mistake:
        said, status = str(mistake), 2
    except OSError as error:
        said, status = _about(error)
    except Stopped as stopped:
        said, status = str(stopped), STOPPED
    except KeyboardInterrupt:
        said, status = INTERRUPTED.removeprefix("dreaming: "), STOPPED
    _say(said)
    return status


def _run(words: Sequence[str]) -> None:
    try:
        if words[0] == "--version":
            print(f"dreaming {__version__}")
            return
        description = "A laboratory for dreaming neural networks: train, sleep, dream, measure."
        verb: Callable[[], None] = arguments.read(VERBS, words, "dreaming", description)
        verb()
    finally:
        sys.stdout.flush()


def _about(error: OSError) -> tuple[str, int]:
    """Return the sentence and the status for an error of the system, or raise it again if it is a fault of ours."""
    if not_shown(error):
        if error.errno == errno.EPIPE:
            return "", READER_LEFT
        said = f"what is to be shown cannot be written ({error.strerror}); what was finished is kept"
        return f"{said}: let the output go elsewhere, and give the same command again", 2
    if error.errno != errno.ENAMETOOLONG:
        raise error
    return f"{shown(str(error.filename))[:200]}... is too long for the name of a file; choose another", 2


def _say(text: str) -> None:
    """Print a sentence, if there is one, where mistakes are printed."""
    if text:
        with suppress(OSError):  # where nobody can be told, the status says it
            tell(f"dreaming: {text}", error=True)


def _show_warning(
    told: set[str], show: Callable[..., None], message: Warning | str, category: type[Warning], *about: Any
) -> None:
    """Show a notice of ours as a line, once; other warnings as they are shown."""
    if not issubclass(category, Notice):
        show(message, category, *about)
    elif str(message) not in told:
        told.add(str(message))
        _say(str(message))


def _by_option(said: str) -> str:
    """Name a field by the option that gave its value: of what --set changes, that is --image-size alone."""
    names = {"dataset.name": "dataset", "condition": "name"}

    def option(found: re.Match[str]) -> str:
        path = found["path"]
        return f"--{names.get(path, path.rpartition('.')[2]).replace('_', '-')} is "

    return re.sub(r"^(?:config|--set(?=: networks\.image_size)): (?P<path>[\w.]+) is ", option, said)
