"""Pictures of what a run dreams: sheets, films, ways between memories, neighbours, classes, reconstructions."""

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from torch import Tensor

from dreaming.config.config import Config
from dreaming.config.custom import called
from dreaming.data import Dataset, to_activity
from dreaming.data.readers.pictures import open_picture, to_square
from dreaming.errors import UserError, brief, nearest
from dreaming.model.activity import at_rest
from dreaming.model.cortex import Cortex
from dreaming.model.dreams import dream_of_phase, remember, sleep_of
from dreaming.model.occlusion import Occlusion
from dreaming.model.parameters import Recorded
from dreaming.model.phases import NREM, REM, Phase, Wake
from dreaming.model.pixels import Images, by_channel, to_pixels
from dreaming.rng import Random, generator
from dreaming.runs import snapshots
from dreaming.runs.folder import RunFolder
from dreaming.runs.images import images_of_run
from dreaming.runs.sheets import GAP, MARGIN, TileRow, draw_rows, film, masks_with_something_left, png_of
from dreaming.system.defaults import torch_defaults
from dreaming.system.disk import expanded, require_writable, write

PictureKind = Literal["sheet", "film", "interpolation", "neighbours", "classes", "reconstruction"]
PICTURE_KINDS: tuple[PictureKind, ...] = get_args(PictureKind)
COUNTS = {"interpolation": 6, "neighbours": 6, "classes": 8}
"""How many dreams are shown, of kinds that do not show twelve."""
COLUMNS, BETWEEN, NEIGHBOURS, MOST_CLASSES = 12, 7, 8, 20
D = "d: external 1, internal 0"
EXPLAINED: dict[str, str] = {
    "sheet": f"{D}; off: root mean square difference of pixels",
    "film": D,
    "interpolation": "between two memories: share of the second",
    "neighbours": "off: root mean square difference of pixels",
    "classes": "of the mean latent of each class, and dreams of its memories, of one noise down a column",
    "reconstruction": D,
}
"""What is said of a picture beside its title."""
AT_ONCE = 4096
"""Images compared with dreams at once."""
OCCLUDED = 0.3
"""Probability of a silenced tile, and below, its side: as in the paper's figure 6."""
TILE = 4


@dataclass(frozen=True, eq=False)
class DreamPicture:
    """A picture of what a run dreams; a notebook shows it.

    Attributes
    ----------
    content
        A PNG; of a film, a GIF.
    images
        What each row shows, by its label: pixels, 0 to 255, uint8 [n, h, w, 3]; of a film, its last frame's.
    externality
        What d makes of them, in (0, 1), 1 for external, shape [n]; of the rows that have it.
    notes
        What should be known of it, a sentence each.
    """

    content: bytes
    images: Mapping[str, UInt8[np.ndarray, "n h w 3"]]
    externality: Mapping[str, Float[np.ndarray, " n"]]
    notes: tuple[str, ...] = ()

    def save(self, path: str | Path) -> Path:
        """Write the picture; return where.

        Raises
        ------
        UserError
            If the file's name ends otherwise than in ``.png``, or of a film in ``.gif``, or it cannot be written.
        """
        if Path(path).suffix.lower() != self.suffix:
            raise UserError(f"{path}: this picture goes into a file that ends in {self.suffix}")
        write(expanded(path), self.content)
        return expanded(path)

    @property
    def suffix(self) -> str:
        """How the name of its file ends."""
        return ".gif" if self.content.startswith(b"GIF") else ".png"

    def __repr__(self) -> str:
        return f"a picture of {', '.join(self.images)}"

    def _repr_html_(self) -> str:
        kind, data = self.suffix[1:], base64.b64encode(self.content).decode()
        said = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return f'<img src="data:image/{kind};base64,{data}" alt="dreams" style="max-width: 100%">{said}'


@torch_defaults()
def dream_picture(
    run_folder: str | Path,
    kind: PictureKind = "sheet",
    *,
    phase: str | None = None,
    of: str | Path | Images | None = None,
    epoch: int | None = None,
    count: int | None = None,
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    dataset: Dataset | None = None,
) -> DreamPicture:
    """Draw what a run dreams, as its own phases dream.

    Parameters
    ----------
    run_folder
        A folder that `dreaming.train` made.
    kind
        ``sheet``: what is seen on two days, and below it each phase's dream of it with the image seen in training
        that is nearest to the dream, pixel by pixel. ``film``: the same dreams after every epoch that is kept.
        ``interpolation``: what is generated between two memories. ``neighbours``: dreams, and the images seen in
        training that are nearest to each. ``classes``: what is generated of the mean of a class, and dreams of its
        memories. ``reconstruction``: images, what the cortex makes of them, and of them occluded. Below an image
        stands d, from 0 (internal) to 1 (external), as the encoder tells.
    phase
        Whose dreams, by its name in the config; all that dream for a sheet or a film, else REM. A phase that the
        cycle lacks dreams as PAD's, and the picture says so.
    of
        What is remembered in place of test images of today: a file (PNG, JPEG, WebP), of which the largest square
        is taken, or pixels as `Cortex.infer` takes them.
    epoch
        After which epoch; the last one kept by default.
    count
        How many dreams, or pairs to go between; each remembers two other test images.
    data_dir, trust_data
        Where the archives of the run's data set are, or where its folder of images was moved to; by default where
        the run had them. And whether to take unofficial ones.
    dataset
        Images to use in place of reading them; they must be those of the run.

    Returns
    -------
    DreamPicture

    Raises
    ------
    UserError
        If the folder is no run, the snapshot, the phase or what the kind needs is missing, a phase of the user's
        own fails, or the images are too few or not those of the run.
    """
    if kind not in PICTURE_KINDS:
        raise UserError(f"there is no picture {brief(kind)}; {nearest(str(kind), PICTURE_KINDS)}")
    folder = RunFolder.existing(Path(run_folder))
    config = folder.read_config(own=True)
    there = folder.require_snapshots([] if epoch is None else [epoch])
    if kind == "film" and (epoch is not None or len(there) < 2):
        raise UserError(
            f"a film goes through all epochs that are kept, here {', '.join(map(str, there))}; "
            + ("leave --epoch out" if epoch is not None else "train with --snapshots all to have several")
        )
    if kind == "classes" and of is not None:
        raise UserError("classes are those of the run's own images; leave --of out, or draw another picture")
    images = images_of_run(folder, config, dataset, data_dir, trust_data)
    days = _days(config, images, of, COUNTS.get(kind, COLUMNS), count)
    night = _Night(folder, config, images, there[-1] if epoch is None else epoch, *days, phase)
    if kind == "film":
        frames = [replace(night, epoch=each) for each in there]
        pictures = [each.drawn(kind, each.sheet(nearest=False)) for each in frames]
        night, content = frames[-1], film(pictures)
        rows = night.sheet(nearest=False)
    else:
        rows = getattr(night, kind)()
        content = png_of(night.drawn(kind, rows))
    shown = {row.label.replace("\n", " "): to_pixels(row.images).numpy() for row in rows}
    return DreamPicture(content, shown, night.externality, tuple(night.notes))


def write_dreams(
    run_folder: str | Path, kind: PictureKind = "sheet", *, to: str | Path | None = None, **options: Any
) -> tuple[Path, DreamPicture]:
    """Draw as `dream_picture` and write it, by default among the run's dreams; return where, and the picture."""
    folder = RunFolder.existing(Path(run_folder))
    require_writable(folder.dream_picture(kind) if to is None else expanded(to))
    picture = dream_picture(run_folder, kind, **options)
    if to is None:
        epoch = folder.snapshots()[-1] if options.get("epoch") is None else options["epoch"]
        parts = [kind, options.get("phase"), None if kind == "film" else f"{epoch:04d}"]
        if isinstance(of := options.get("of"), str | Path):
            parts += ["of", Path(of).stem]
        to = folder.dream_picture("-".join(part for part in parts if part) + picture.suffix)
    return picture.save(to), picture


def _days(
    config: Config, images: Dataset, of: str | Path | Images | None, usual: int, count: int | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return what is seen yesterday and today, in [-1, 1], and the labels of the latter."""
    channels, size = config.networks.image_channels, config.networks.image_size
    test = images.test.images.cpu()
    count = min(usual, max(1, len(test) // 2)) if count is None else count
    if not 1 <= count <= len(test) // 2:
        raise UserError(
            f"--count is {count}; {config.dataset.name} has test images for 1 to {len(test) // 2} dreams"
        )
    order = torch.randperm(len(test), generator=generator(config.seed, "evaluation", "dreams"))
    first, second = order[:count], order[count : 2 * count]
    if of is None:
        labels = images.test.labels.cpu()[second] if images.classes else None
        return to_activity(test[first], channels), to_activity(test[second], channels), labels
    if isinstance(of, str | Path):
        if not Path(of).is_file():
            raise UserError(f"--of: there is no file {of}")
        pixels = np.asarray(to_square(open_picture(Path(of), str(of)), size))
        own = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
    else:
        own = by_channel(of)
        if own.shape[2] != size:
            raise UserError(f"this cortex sees images of {size} x {size}, and these are {list(own.shape)}")
    today = to_activity(own, channels)
    today = today.expand(count, -1, -1, -1) if len(today) == 1 else today[:count]
    return to_activity(test[order[: len(today)]], channels), today, None


@dataclass(frozen=True)
class _Night:
    """A cortex after an epoch, and what it has seen before it dreams."""

    folder: RunFolder
    config: Config
    dataset: Dataset
    epoch: int
    yesterday: Float[Tensor, "b c h w"]
    today: Float[Tensor, "b c h w"]
    labels: Int64[Tensor, " b"] | None
    phase: str | None
    externality: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def cortex(self) -> Cortex:
        return snapshots.load(self.folder.path, self.epoch)

    def sheet(self, nearest: bool = True) -> list[TileRow]:
        rows = [TileRow("seen yesterday", self.yesterday), self.told("seen today", self.today)]
        for label, phase in self.phases().items():
            dreamt = self.dreams(phase, self.yesterday, self.today, self.labels)
            if dreamt is None:
                self.notes.append(f"phase '{phase.name}' generates nothing, so it has no dreams")
                continue
            rows.append(self.told(label, dreamt))
            if nearest:
                which, off = self.nearest(dreamt, 1)
                below = [f"{100 * each:.0f} % off" for each in off[:, 0].tolist()]
                rows.append(
                    TileRow(
                        f"nearest seen\nto {label.partition(chr(10))[0]}", self.trained(which[:, 0]), below
                    )
                )
        return rows

    def interpolation(self) -> list[TileRow]:
        shares = torch.linspace(0, 1, BETWEEN)
        first, second = (self.latents(seen) for seen in (self.yesterday, self.today))
        between = torch.stack([(1 - share) * first + share * second for share in shares], dim=1)
        rows = []
        for number, latents in enumerate(between):
            ends = self.yesterday[number][None], self.today[number][None]
            shown = torch.cat([ends[0], self.generated(latents), ends[1]])
            below = ["seen", *(f"{100 * share:.0f} %" for share in shares.tolist()), "seen"]
            rows.append(TileRow(f"memories {number + 1}", shown, below))
        return rows

    def neighbours(self) -> list[TileRow]:
        label, dreamt = self.of_one_phase(self.yesterday, self.today, self.labels)
        which, off = self.nearest(dreamt, NEIGHBOURS)
        rows = []
        for number, (places, distances) in enumerate(zip(which, off.tolist(), strict=True)):
            shown = torch.cat([dreamt[number][None], self.trained(places)])
            below = ["dream", *(f"{100 * each:.0f} % off" for each in distances)]
            rows.append(TileRow(f"{label} {number + 1}".replace("\n", " "), shown, below))
        return rows

    def classes(self) -> list[TileRow]:
        names, test = self.dataset.classes, self.dataset.test
        if not names:
            raise UserError(f"the images of {self.dataset.name} have no classes; draw another picture")
        if len(names) > MOST_CLASSES:
            self.notes.append(f"the first {MOST_CLASSES} of {len(names)} classes are shown")
        rows = []
        for label, name in enumerate(names[:MOST_CLASSES]):
            own = self.activity(test.images[test.labels == label])
            if not len(own):
                continue
            count = min(len(self.today), -(-len(own) // 2))
            days = own[:count], own[-count:]
            _, dreamt = self.of_one_phase(*days, torch.full((count,), label))
            mean = self.generated(self.latents(own[:AT_ONCE]).mean(dim=0, keepdim=True))
            rows.append(
                TileRow(
                    f"class {name}" if name.isdigit() else name,
                    torch.cat([mean, dreamt]),
                    ["mean", *["dream"] * count],
                )
            )
        return rows

    def reconstruction(self) -> list[TileRow]:
        seen = torch.unique_consecutive(self.today, dim=0)  # one of a picture of the user's own
        occlusion = Occlusion(probability=(OCCLUDED, OCCLUDED), tile_size=(TILE, TILE))
        masks = masks_with_something_left(occlusion, self.random.at("mask"), len(seen), seen.shape[-1])
        made, made_of_less = (self.generated(self.latents(each)) for each in (seen, seen * masks))
        error = (made - seen).square().mean().item()
        self.notes.append(f"the mean squared error of reconstructions is {error:.3f}, of pixels in [-1, 1]")
        return [
            self.told("seen", seen),
            self.told("reconstructed", made),
            TileRow(f"{100 * OCCLUDED:.0f} % occluded", seen * masks, above=GAP),
            self.told("reconstructed\nfrom that", made_of_less),
        ]

    @property
    def random(self) -> Random:
        return Random(self.config.seed, ("dreams",))

    def drawn(self, kind: PictureKind, rows: Sequence[TileRow]) -> Image.Image:
        config, count = self.config, max(len(row.images) for row in rows)
        title = f"{config.condition} on {config.dataset.name}, seed {config.seed}, after epoch {self.epoch}"
        title += f"   ({EXPLAINED[kind]})"
        blocks = [
            replace(row, images=row.images[i:][:COLUMNS], below=row.below[i:][:COLUMNS], above=above)
            for i in range(0, count, COLUMNS)
            for place, row in enumerate(rows)
            for above in [MARGIN if i and not place else row.above]
        ]
        return draw_rows(blocks, title)

    def told(self, label: str, images: Float[Tensor, "b c h w"]) -> TileRow:
        """Make a row with what d makes of each image below it."""
        with torch.no_grad(), at_rest(self.cortex):
            d = self.cortex.externality(images).sigmoid()
        self.externality[label.replace("\n", " ")] = d.numpy()
        return TileRow(label, images, [f"d {each:.2f}" for each in d.tolist()])

    def latents(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n"]:
        with torch.no_grad(), at_rest(self.cortex):
            return self.cortex.latents(images)

    def generated(self, latents: Float[Tensor, "b n"]) -> Float[Tensor, "b c h w"]:
        with torch.no_grad(), at_rest(self.cortex):
            made: Tensor = self.cortex.generator(latents)
        return made

    def activity(self, pixels: UInt8[Tensor, "b rgb h w"]) -> Float[Tensor, "b c h w"]:
        return to_activity(pixels.cpu(), self.config.networks.image_channels)

    def trained(self, which: Int64[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
        return self.activity(self.dataset.train.images[which])

    def nearest(
        self, dreamt: Float[Tensor, "b c h w"], count: int
    ) -> tuple[Int64[Tensor, "b k"], Float[Tensor, "b k"]]:
        """Return the training images nearest to dreams, and their root mean square difference as a share of all."""
        parts = self.dataset.train.images.split(AT_ONCE)
        far = torch.cat([torch.cdist(dreamt.flatten(1), self.activity(part).flatten(1)) for part in parts], 1)
        off, which = far.topk(min(count, far.shape[1]), largest=False)
        return which, off / dreamt[0].numel() ** 0.5 / 2

    def phases(self) -> dict[str, Phase]:
        """Return the phases that dream by the labels of their rows: NREM, REM, and those of the user's own."""
        now = self.config.phases_in(self.epoch)
        found: dict[str, Phase] = {}
        for sleep, note in (sleep_of(now, NREM()), sleep_of(now, REM())):
            found[f"{sleep.name.upper()} dream{note}"] = sleep
            if note and self.phase in (None, sleep.name):
                self.notes.append(
                    f"{self.folder.title} has no {sleep.name.upper()} in its cycle after epoch {self.epoch}: it "
                    "dreams as PAD's would"
                )
        names = [phase.name for phase in found.values()]
        for phase in (phase for cycle in [now, *self.config.cycles()] for phase in cycle):
            if phase.name in names or isinstance(phase, Wake) or not phase.weight:
                continue
            names.append(phase.name)
            if isinstance(phase, Recorded):
                self.notes.append(
                    f"phase '{phase.name}' is of a file that was not executed, so it has no dreams; read the copy "
                    f"in the run folder and, if you trust it, say: dreaming trust {self.folder.path}"
                )
                continue
            found[f"{phase.name} dream" + "\n(not in this cycle)" * (phase not in now)] = phase
        if self.phase is None:
            return found
        if self.phase not in names:
            raise UserError(f"{self.folder.title} has no phase '{self.phase}'; {nearest(self.phase, names)}")
        return {label: phase for label, phase in found.items() if phase.name == self.phase}

    def of_one_phase(self, yesterday: Tensor, today: Tensor, labels: Tensor | None) -> tuple[str, Tensor]:
        """Return the dreams of the phase that is asked for, REM if none is, with their label."""
        phases = self.phases()
        label, phase = next(
            (each for each in phases.items() if isinstance(each[1], REM)), next(iter(phases.items()))
        )
        dreamt = self.dreams(phase, yesterday, today, labels)
        if dreamt is None:
            raise UserError(f"phase '{phase.name}' generates nothing; name another with --phase")
        return label, dreamt

    def dreams(
        self, phase: Phase, yesterday: Tensor, today: Tensor, labels: Tensor | None
    ) -> Float[Tensor, "b c h w"] | None:
        memories = remember(self.cortex, yesterday, today)
        made: Tensor | None = called(
            "--phase",
            phase.name,
            lambda: dream_of_phase(self.cortex, phase, memories, today, self.random.at(phase.name), labels),
        )
        return made
