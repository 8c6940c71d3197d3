"""Dreams one can look at: sheets of waking images, NREM dreams and REM dreams (paper, figure 3)."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from dreaming.data import Dataset, to_activity
from dreaming.errors import UserError
from dreaming.model.cortex import Cortex
from dreaming.model.dreams import dream, remember, sleep_of
from dreaming.model.phases import NREM, REM, Phase
from dreaming.model.pixels import to_pixels
from dreaming.rng import Random, generator
from dreaming.runs import snapshots
from dreaming.runs.folder import RunFolder
from dreaming.runs.images import images_of_run
from dreaming.system.defaults import torch_defaults
from dreaming.system.disk import expanded, require_writable, write

SCALE, GAP, MARGIN, LABEL, COLUMNS = 3, 6, 12, 150, 8
INK, PAPER = (40, 40, 40), (255, 255, 255)


def sheet(
    cortex: Cortex,
    phases: Sequence[Phase],
    yesterday: Float[Tensor, "b c h w"],
    today: Float[Tensor, "b c h w"],
    seed: int,
    title: str,
) -> bytes:
    """Draw what is seen on two days and dreamt in the night after them.

    Parameters
    ----------
    cortex
        Who dreams.
    phases
        The phases of its cycle. If NREM or REM is not among them, it dreams as PAD would, and the row says so.
    yesterday, today
        What it saw, in [-1, 1], shape [b, c, h, w]; a column each.
    seed
        Of the noise and the occlusions, which are the same in every epoch, so that sheets can be compared.
    title
        Written above.

    Returns
    -------
    bytes
        A PNG.
    """
    hippocampus = remember(cortex, yesterday, today)
    nrem, in_nrem = sleep_of(phases, NREM())
    rem, in_rem = sleep_of(phases, REM())
    random = Random(seed, ("sheet",), today.device)
    replayed = dream(cortex, nrem, hippocampus, random.at("nrem"))
    own = nrem.occlusion.model_copy(update={"mask_per_image": True})
    mask = own.draw(random.at("mask"), len(today), today.shape[-1])
    rows = [
        ("seen yesterday", yesterday),
        ("seen today", today),
        ("NREM dream" + in_nrem, replayed),
        ("NREM, occluded" + in_nrem, replayed * mask),
        ("REM dream" + in_rem, dream(cortex, rem, hippocampus, random.at("rem"))),
    ]
    return labelled(rows, title)


@torch_defaults()
def dream_sheet(
    run_folder: str | Path,
    *,
    phase: Literal["nrem", "rem"] = "rem",
    epoch: int | None = None,
    count: int = 64,
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    dataset: Dataset | None = None,
    to: str | Path | None = None,
) -> Path:
    """Draw a sheet of dreams of a run, as the phases of that epoch dream; a phase that it lacks dreams as PAD's.

    Parameters
    ----------
    run_folder
        A folder that `dreaming.train` made.
    phase
        ``nrem`` or ``rem``.
    epoch
        After which epoch; the last one kept by default.
    count
        How many dreams; each remembers two other test images.
    data_dir, trust_data
        Where the archives of the run's data set are, or where its folder of images was moved to; by default where
        the run had them. And whether to take unofficial ones.
    dataset
        Images to use in place of reading them; they must be those of the run.
    to
        The PNG; ``RUN/dreams/PHASE-EPOCH.png`` by default.

    Returns
    -------
    Path
        The PNG.

    Raises
    ------
    UserError
        If the folder is no run, the snapshot is missing, or the images are too few or not those of the run.
    """
    folder = RunFolder.existing(Path(run_folder))
    config = folder.read_config(own=True)
    cortex = snapshots.load(folder.path, epoch)
    epoch = folder.snapshots()[-1] if epoch is None else epoch
    path = folder.path / "dreams" / f"{phase}-{epoch:04d}.png" if to is None else expanded(to)
    require_writable(path)
    images = images_of_run(folder, config, dataset, data_dir, trust_data).test.images
    if not 1 <= count <= len(images) // 2:
        raise UserError(
            f"--count is {count}; {config.dataset.name} has test images for 1 to {len(images) // 2} dreams"
        )
    order = torch.randperm(len(images), generator=generator(config.seed, "evaluation", "dreams"))[: 2 * count]
    seen = to_activity(images[order], config.networks.image_channels)
    phases = config.phases_in(epoch)
    sleep, _ = sleep_of(phases, NREM()) if phase == "nrem" else sleep_of(phases, REM())
    dreamt = dream(
        cortex, sleep, remember(cortex, seen[:count], seen[count:]), Random(config.seed, ("dreams",))
    )
    write(path, grid(dreamt, COLUMNS))
    return path


def labelled(rows: Sequence[tuple[str, Float[Tensor, "b c h w"]]], title: str) -> bytes:
    """Draw rows of images in [-1, 1], each with its label at the left, as a PNG."""
    side = rows[0][1].shape[-1] * SCALE
    columns = max(len(images) for _, images in rows)
    width = LABEL + 2 * MARGIN + columns * (side + GAP) - GAP
    height = 3 * MARGIN + 14 + len(rows) * (side + GAP) - GAP
    canvas = Image.new("RGB", (width, height), PAPER)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    pen.text((MARGIN, MARGIN), title, INK, font=font)
    for line, (label, images) in enumerate(rows):
        top = 2 * MARGIN + 14 + line * (side + GAP)
        pen.multiline_text((MARGIN, top + side // 2 - 9 * (1 + label.count("\n"))), label, INK, font=font)
        for column, image in enumerate(to_pixels(images)):
            tile = Image.fromarray(image.numpy()).resize((side, side), Image.Resampling.NEAREST)
            canvas.paste(tile, (MARGIN + LABEL + column * (side + GAP), top))
    return _png(canvas)


def grid(images: Float[Tensor, "b c h w"], columns: int) -> bytes:
    """Draw images in [-1, 1] side by side as a PNG."""
    side = images.shape[-1] * SCALE
    lines = -(-len(images) // columns)
    canvas = Image.new("RGB", (columns * (side + GAP) + GAP, lines * (side + GAP) + GAP), PAPER)
    for index, image in enumerate(to_pixels(images)):
        tile = Image.fromarray(image.numpy()).resize((side, side), Image.Resampling.NEAREST)
        line, column = divmod(index, columns)
        canvas.paste(tile, (GAP + column * (side + GAP), GAP + line * (side + GAP)))
    return _png(canvas)


def _png(canvas: Image.Image) -> bytes:
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
