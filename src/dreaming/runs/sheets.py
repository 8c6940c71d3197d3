"""Dreams one can look at: sheets of waking images, NREM dreams and REM dreams (paper, figure 3)."""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from dreaming.data.readers.pictures import open_picture
from dreaming.model.cortex import Cortex
from dreaming.model.dreams import Replaying, dream, remember, sleep_of
from dreaming.model.hippocampus import Replay
from dreaming.model.occlusion import Occlusion
from dreaming.model.phases import NREM, REM, Phase
from dreaming.model.pixels import to_activity, to_pixels
from dreaming.rng import Random

SCALE, GAP, MARGIN, LABEL, CAPTION = 3, 6, 12, 150, 16
INK, PAPER = (40, 40, 40), (255, 255, 255)
FRAME, LAST_FRAME = 500, 2500
"""Milliseconds."""
SHEET_ROWS = {"nrem": 2, "rem": 4}
"""Rows of dreams on a sheet, counted from 0."""
TRIES = 4
"""Masks drawn for each that is shown."""


@dataclass(frozen=True)
class TileRow:
    """Images side by side.

    Attributes
    ----------
    label
        What they are.
    images
        In [-1, 1], shape [b, c, h, w].
    below
        What is said of each, or nothing.
    above
        Pixels left free above.
    """

    label: str
    images: Float[Tensor, "b c h w"]
    below: Sequence[str] = ()
    above: int = 0


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
    mask = masks_with_something_left(nrem.occlusion, random.at("mask"), len(today), today.shape[-1])
    rows = [
        TileRow("seen yesterday", yesterday),
        TileRow("seen today", today),
        TileRow("NREM dream" + in_nrem, replayed),
        TileRow("NREM, occluded" + in_nrem, replayed * mask),
        TileRow("REM dream" + in_rem, dream(cortex, rem, hippocampus, random.at("rem"))),
    ]
    rows += [
        TileRow(f"{phase.name} dream", dream(cortex, phase, hippocampus, random.at(phase.name)))
        for phase in phases
        if phase.weight and phase not in (nrem, rem) and _replays(phase)
    ]
    return png_of(draw_rows(rows, title))


def _replays(phase: Phase) -> TypeGuard[Replaying]:
    """Return whether a phase's dreams can be seen without its objective: they are driven by a replay alone."""
    replay = getattr(phase, "replay", None)
    return isinstance(replay, Replay) and (isinstance(phase, NREM | REM) or not replay.noise)


def masks_with_something_left(
    occlusion: Occlusion, random: Random, count: int, image_size: int
) -> Float[Tensor, "{count} 1 h w"]:
    """Draw a mask an image, of those that an occlusion draws, such that something of each image is left to see.

    Of an occlusion that silences everything nothing is left.
    """
    each = occlusion.model_copy(update={"mask_per_image": True})
    masks = each.draw(random, TRIES * count, image_size)
    something = masks.flatten(1).any(dim=1)
    return torch.cat([masks[something], masks[~something]])[:count]


def draw_rows(rows: Sequence[TileRow], title: str) -> Image.Image:
    """Draw rows of images, each with its label at the left, and what is said of an image below it."""
    side = rows[0].images.shape[-1] * SCALE
    columns = max(len(row.images) for row in rows)
    font, small = ImageFont.load_default(14), ImageFont.load_default(CAPTION - 4)
    heights = [row.above + side + GAP + CAPTION * bool(row.below) for row in rows]
    rows = [replace(row, label=_wrapped(row.label)) for row in rows]
    left = MARGIN + LABEL
    width = max(left + columns * (side + GAP) - GAP, MARGIN + int(font.getlength(title))) + MARGIN
    canvas = Image.new("RGB", (width, 3 * MARGIN + 14 + sum(heights) - GAP), PAPER)
    pen = ImageDraw.Draw(canvas)
    pen.text((MARGIN, MARGIN), title, INK, font=font)
    top = 2 * MARGIN + 14
    for row, height in zip(rows, heights, strict=True):
        top += row.above
        middle = top + side // 2 - 9 * (1 + row.label.count("\n"))
        pen.multiline_text((MARGIN, middle), row.label, INK, font=font)
        for column, image in enumerate(to_pixels(row.images)):
            tile = Image.fromarray(image.numpy()).resize((side, side), Image.Resampling.NEAREST)
            canvas.paste(tile, (left + column * (side + GAP), top))
        for column, said in enumerate(row.below):
            place = (left + column * (side + GAP) + side // 2, top + side + 2)
            pen.text(place, said, INK, font=small, anchor="ma")
        top += height - row.above
    return canvas


def _wrapped(label: str) -> str:
    """Return a label in lines that are as short as the place for it."""
    return "\n".join(textwrap.fill(line, 20) for line in label.split("\n"))


def row_of_sheet(sheet: Path, row: int, image_size: int) -> Float[Tensor, "b 3 h w"]:
    """Return the images in a row of a sheet that `sheet` drew, counted from 0, in [-1, 1].

    Raises
    ------
    UserError
        If it is no picture.
    """
    side = image_size * SCALE
    drawn = np.asarray(open_picture(sheet, str(sheet)))
    top, left = 2 * MARGIN + 14 + row * (side + GAP), MARGIN + LABEL
    line = drawn[top : top + side]
    count = (drawn.shape[1] - left) // (side + GAP)
    tiles = [
        line[:, x : x + side][::SCALE, ::SCALE] for x in range(left, left + count * (side + GAP), side + GAP)
    ]
    return to_activity(torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2))


def film(frames: Sequence[Image.Image]) -> bytes:
    """Return pictures of one size as a GIF that shows one after another, the last for longer, again and again."""
    colours = [frame.quantize(256, dither=Image.Dither.NONE) for frame in frames]
    shown = [FRAME] * (len(frames) - 1) + [LAST_FRAME]
    buffer = io.BytesIO()
    first, *others = colours
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=shown, loop=0, optimize=False)
    return buffer.getvalue()


def grid(images: Float[Tensor, "b c h w"], columns: int) -> bytes:
    """Draw images in [-1, 1] side by side as a PNG."""
    side = images.shape[-1] * SCALE
    lines = -(-len(images) // columns)
    canvas = Image.new("RGB", (columns * (side + GAP) + GAP, lines * (side + GAP) + GAP), PAPER)
    for index, image in enumerate(to_pixels(images)):
        tile = Image.fromarray(image.numpy()).resize((side, side), Image.Resampling.NEAREST)
        line, column = divmod(index, columns)
        canvas.paste(tile, (GAP + column * (side + GAP), GAP + line * (side + GAP)))
    return png_of(canvas)


def png_of(canvas: Image.Image) -> bytes:
    """Return a picture as PNG."""
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
