"""Encoded pictures (PNG, JPEG and others) to pixels, whatever their mode, and to the size that the cortex sees."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from dreaming.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM", "TIFF")
PNG = b"\x89PNG\r\n\x1a\n"
DEEPEST = 2**16 - 1
TURNS = dict(
    zip(
        range(2, 9),
        (
            Image.Transpose.FLIP_LEFT_RIGHT,
            Image.Transpose.ROTATE_180,
            Image.Transpose.FLIP_TOP_BOTTOM,
            Image.Transpose.TRANSPOSE,
            Image.Transpose.ROTATE_270,
            Image.Transpose.TRANSVERSE,
            Image.Transpose.ROTATE_90,
        ),
        strict=True,
    )
)
"""What brings a picture upright, by EXIF's orientation."""
RESIZE_VERSION = 1
"""To be raised with every change of `open_picture` or `to_square` that can change a pixel."""


def open_picture(file: Path | io.BytesIO, where: str, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Decode a picture to RGB.

    A camera's rotation (EXIF) is applied, transparent pixels are laid over black, 16 bits of grey become 8,
    and of an animation, or of several pages, the first is taken. What else stands beside the pixels, such as a
    profile of colours, a text or a camera's record that cannot be read, is passed over.

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
        If this is no picture of these formats, is cut off or damaged, has by its header more pixels than
        Pillow's limit, ``PIL.Image.MAX_IMAGE_PIXELS``, or has pixels that are no whole numbers of 16 bits.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # of what stands beside the pixels, such as EXIF
            try:
                picture = _decoded(file, formats)
            except (
                OSError,
                ValueError,
                SyntaxError,
            ):  # Pillow gives up on a PNG whose profile or text is large
                picture = _decoded(_without_extras(file), formats)
            numbers = np.asarray(picture) if picture.mode.startswith(("I", "F")) else None
            if numbers is None:
                return _to_rgb(picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(
            f"{where} is too large a picture, more than {Image.MAX_IMAGE_PIXELS} pixels;"
            " make it smaller or take it away"
        ) from error
    except Exception as error:  # whatever Pillow stumbles over
        raise UserError(
            f"{where} is no {', '.join(formats)} image, or is cut off or damaged; replace it or take it away"
        ) from error
    if numbers.dtype.kind == "f" or numbers.min() < 0 or numbers.max() > DEEPEST:
        raise UserError(
            f"{where} has pixels beyond 0 to {DEEPEST}, or of no whole numbers; save it with 8 or 16 bits"
        )
    # Pillow's own conversion would cut 16 bits off at 255.
    return Image.fromarray(np.rint(numbers.astype(np.float64) / 257).astype(np.uint8)).convert("RGB")


def _decoded(file: Path | io.BytesIO, formats: tuple[str, ...]) -> Image.Image:
    """Return a picture as it is to be seen, upright."""
    with Image.open(file, formats=formats) as picture:
        picture.load()
        try:
            turn = TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
        except Exception:  # a camera's record that cannot be read, for whatever reason, tells no rotation
            turn = None
        return picture.copy() if turn is None else picture.transpose(turn)


def _without_extras(file: Path | io.BytesIO) -> io.BytesIO:
    """Return a PNG without what stands beside its pixels, but for transparency and the camera's record.

    Nothing is unpacked.
    """
    content = file.read_bytes() if isinstance(file, Path) else file.getvalue()
    at, kept = len(PNG), [PNG]
    if not content.startswith(PNG):
        raise ValueError("it is no PNG")
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4])
        kind = content[at + 4 : at + 8]
        if kind[:1].isupper() or kind in (b"tRNS", b"eXIf"):
            kept.append(content[at:end])
        at = end
    return io.BytesIO(b"".join(kept))


def _to_rgb(picture: Image.Image) -> Image.Image:
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
