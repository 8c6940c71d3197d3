"""Losses and dreams for TensorBoard, beside a run as it learns."""

import re
from importlib.util import find_spec

import numpy as np
from PIL import Image

from dreaming.errors import UserError
from dreaming.runs.folder import RunFolder
from dreaming.training.callback import EpochDone


class TensorBoard:
    """Writes the losses and dreams of each epoch into ``RUN/tensorboard``; to be given to `train` as ``on_epoch``.

    ``tensorboard --logdir runs`` shows them beside those of other runs, also while they learn. Each epoch is a file
    of its own. One that was left out, by a crash or because nobody had asked for it, is written with the next.

    Raises
    ------
    UserError
        If the package tensorboard is not installed.
    """

    def __init__(self) -> None:
        if find_spec("tensorboard") is None:
            raise UserError("TensorBoard wants the package tensorboard: pip install 'dreaming[tensorboard]'")

    def __call__(self, done: EpochDone) -> None:
        """Write what is not written yet of this epoch and those before."""
        from torch.utils.tensorboard import SummaryWriter

        folder = RunFolder(done.run)
        events = folder.path / "tensorboard"
        written = {
            int(found[1]) for file in events.glob("*") if (found := re.search(r"\.epoch-(\d+)$", file.name))
        }
        for row in folder.read_losses().to_dict("records"):
            epoch = int(row["epoch"])
            if epoch in written:
                continue
            with SummaryWriter(events, filename_suffix=f".epoch-{epoch:04d}") as writer:
                for name, value in row.items():
                    if "." in str(name):
                        writer.add_scalar(str(name).replace(".", "/"), value, epoch)
                if folder.dreams(epoch).exists():
                    with Image.open(folder.dreams(epoch)) as sheet:
                        picture = np.asarray(sheet)
                    writer.add_image("dreams", picture, epoch, dataformats="HWC")
