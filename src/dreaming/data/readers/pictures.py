"""Encoded pictures (PNG, JPEG, WebP) to pixels, whatever their mode, and to the size that the cortex sees."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dreaming.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP")
RESIZE_VERSION = 1
"""To be raised with every change of `open_picture` or `to_square` that can change a pixel."""


def open_picture(file: Path | io.BytesIO, where: str, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Decode a picture to RGB.

    A camera's rotation (EXIF) is applied, transparent pixels are laid over black, 16 bits of grey become 8,
    and of an animation the first frame is taken.

    Parameters
    ----------
    file
        A path, or bytes.
    where
        What to call it in an error.
    formats
        Pillow's names of the formats to accept, whatever the file's name ends in.

    Returns
    -------
    PIL.Image.Image
        Mode RGB, of any size.

    Raises
    ------
    UserError
        If this is no picture of these formats, is cut off or damaged, or has by its header more pixels than
        Pillow's limit, ``PIL.Image.MAX_IMAGE_PIXELS``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # of what stands beside the pixels, such as EXIF
            with Image.open(file, formats=formats) as picture:
                return _to_rgb(ImageOps.exif_transpose(picture))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(
            f"{where} is too large a picture, more than {Image.MAX_IMAGE_PIXELS} pixels;"
            " make it smaller or take it away"
        ) from error
    except Exception as error:  # whatever Pillow stumbles over
        raise UserError(
            f"{where} is no {', '.join(formats)} image, or is cut off or damaged; replace it or take it away"
        ) from error


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # Pillow's own conversion would cut 16 bits off at 255
        grey = np.asarray(picture).astype(np.float64) / 257
        return Image.fromarray(np.rint(grey).clip(0, 255).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        ground = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        return Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")


def to_square(picture: Image.Image, size: int = 32) -> Image.Image:
    """Cut the largest centred square out of a picture and resize it to so many pixels each way (Lanczos).

    A picture that has this size already keeps every pixel.

    Examples
    --------
    >>> to_square(Image.new("RGB", (100, 60), "red")).size
    (32, 32)
    """
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    return square if side == size else square.resize((size, size), Image.Resampling.LANCZOS)
