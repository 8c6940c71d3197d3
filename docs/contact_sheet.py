"""Draw the first images of a data set as one picture.

python docs/contact_sheet.py house_digits docs/images/house_digits.png
"""

import io
from pathlib import Path

import tyro
from PIL import Image

from dreaming.data import load_dataset, to_activity
from dreaming.runs.sheets import grid


def main(name: str, to: Path, /, *, count: int = 60, columns: int = 12, data_dir: Path | None = None) -> None:
    """Write the first COUNT test images of data set NAME to TO, a PNG of 256 colours."""
    images = load_dataset(name, data_dir, limit=count).test.images
    sheet = Image.open(io.BytesIO(grid(to_activity(images), columns)))
    sheet.quantize(256, dither=Image.Dither.NONE).save(to, optimize=True)


if __name__ == "__main__":
    tyro.cli(main)
