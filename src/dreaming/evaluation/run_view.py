"""A run as a notebook opens it: its dreams, latents, losses and measures at a word."""

import base64
import html
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64

from dreaming.config.config import Config
from dreaming.data import Dataset
from dreaming.errors import UserError
from dreaming.evaluation.measuring import MEASURES, evaluate
from dreaming.evaluation.representations import SplitName, latents
from dreaming.model.cortex import Cortex
from dreaming.model.pixels import Images
from dreaming.runs import snapshots
from dreaming.runs.dream_pictures import DreamPicture, PictureKind, dream_picture
from dreaming.runs.folder import RunFolder
from dreaming.runs.images import images_of_run


@dataclass(frozen=True, eq=False)
class RunView:
    """A run on disk, as `dreaming.open` opens it; a notebook shows what it came to and its last sheet of dreams.

    Attributes
    ----------
    path
        Its folder.
    config
        What it is.
    given, data_dir, trust_data
        Where its images are, as `dreaming.open` was told.
    """

    path: Path
    config: Config
    given: Dataset | None = None
    data_dir: str | Path | None = None
    trust_data: bool = False

    @property
    def epochs(self) -> list[int]:
        """The epochs whose weights are kept; 0 is the untrained cortex."""
        return RunFolder(self.path).snapshots()

    @cached_property
    def dataset(self) -> Dataset:
        """The images that it was trained on, read when they are first asked for."""
        return images_of_run(RunFolder(self.path), self.config, self.given, self.data_dir, self.trust_data)

    @property
    def losses(self) -> pd.DataFrame:
        """The losses: a row an epoch, a column a term of a phase."""
        return RunFolder(self.path).read_losses()

    @property
    def measures(self) -> pd.DataFrame:
        """What is measured so far, a value a row."""
        return RunFolder(self.path).read_measures(self.config)

    def cortex(self, epoch: int | None = None) -> Cortex:
        """Return the cortex as it was after an epoch, the last one kept by default (`dreaming.load`)."""
        return snapshots.load(self.path, epoch)

    def evaluate(self, measures: Any = "readout", **options: Any) -> pd.DataFrame:
        """Measure it, as `dreaming.evaluate` does, and return all that is measured so far."""
        return evaluate(self.path, measures=measures, **{**self._images(), **options})

    def dreams(self, phase: str | None = None, count: int = 8, *, epoch: int | None = None) -> DreamPicture:
        """Return a sheet of dreams of one phase, such as ``rem``, or of all: `dream_picture`'s."""
        return self.picture("sheet", phase=phase, count=count, epoch=epoch)

    def reconstruct(
        self, images: str | Path | Images | None = None, count: int = 8, *, epoch: int | None = None
    ) -> DreamPicture:
        """Return what the cortex makes of images: a picture file, pixels, or by default some test images."""
        if images is not None and not isinstance(images, str | Path):
            count = max(count, len(images))
        return self.picture("reconstruction", of=images, count=count, epoch=epoch)

    def picture(self, kind: PictureKind, **options: Any) -> DreamPicture:
        """Return a picture of any kind that `dream_picture` draws, such as ``film``."""
        return dream_picture(self.path, kind, **{**self._images(), **options})

    def latents(
        self, split: SplitName = "test", images: Images | None = None, **options: Any
    ) -> Float[np.ndarray, "n z"]:
        """Return the latents of its images, or of your own, as scikit-learn takes them, shape [n, n_z].

        `dreaming.latents` returns more: layers, externality, labels; its options are taken here too.
        """
        found: np.ndarray = latents(self.path, images, split, **{**self._images(), **options})["latents"]
        return found

    def labels(self, split: SplitName = "test") -> Int64[np.ndarray, " n"]:
        """Return the label of each of its images, shape [n]; ``run.dataset.classes`` has their names.

        Raises
        ------
        UserError
            If they have none.
        """
        if not self.dataset.classes:
            raise UserError(f"the images of {self.dataset.name} have no labels")
        found: np.ndarray = getattr(self.dataset, split).labels.cpu().numpy()
        return found

    def _images(self) -> dict[str, Any]:
        if self.given is None and "dataset" not in vars(self):
            return {"dataset": self.given, "data_dir": self.data_dir, "trust_data": self.trust_data}
        return {"dataset": self.dataset}

    def __repr__(self) -> str:
        return f"{self._said()} ({self.path})"

    def _said(self) -> str:
        config, kept = self.config, self.epochs
        done = f"trained for {kept[-1]} of {config.training.epochs} epochs" if kept else "not trained yet"
        return f"{config.condition} on {config.dataset.name}, seed {config.seed}, {done}"

    def _repr_html_(self) -> str:
        quantities = {name: each for kind in MEASURES.values() for name, each in kind.quantities.items()}
        last = self.measures.groupby(["measure", "parameter"], sort=False, as_index=False).last()
        rows = [
            {
                "measure": quantity.label if quantity else row["measure"].replace("_", " "),
                "parameter": row["parameter"],
                "epoch": "" if pd.isna(row["epoch"]) else row["epoch"],
                "value": f"{quantity.shown(row['value'])} {quantity.unit}" if quantity else row["value"],
            }
            for row in last.to_dict("records")
            for quantity in [quantities.get(row["measure"])]
        ]
        table = pd.DataFrame(rows).to_html(index=False, border=0) if rows else ""
        sheets = [RunFolder(self.path).dreams(epoch) for epoch in self.epochs]
        drawn = [base64.b64encode(sheet.read_bytes()).decode() for sheet in sheets[-1:] if sheet.is_file()]
        pictures = "".join(
            f'<img src="data:image/png;base64,{each}" alt="dreams" style="max-width: 100%">' for each in drawn
        )
        measure = "" if rows else "<p>Nothing is measured yet: run.evaluate()</p>"
        return f"<p><b>{html.escape(self._said())}</b></p>{pictures}{table}{measure}"


def open(  # noqa: A001 - as one opens a file
    run_folder: str | Path,
    *,
    dataset: Dataset | None = None,
    data_dir: str | Path | None = None,
    trust_data: bool = False,
) -> RunView:
    """Open a run that lies on the disk, to look at it.

    Parameters
    ----------
    run_folder
        A folder that `dreaming.train` made.
    dataset
        The run's images, where they were given as arrays.
    data_dir, trust_data
        Where the archives of its data set are, if they were moved, and whether to take unofficial data.

    Returns
    -------
    RunView

    Raises
    ------
    UserError
        If the folder is no run.

    Examples
    --------
    >>> import dreaming, tempfile
    >>> with tempfile.TemporaryDirectory() as out:
    ...     config = dreaming.configure(
    ...         networks={"base_channels": 2, "latent_dim": 8}, dataset={"limit": 128}, training={"epochs": 1}
    ...     )
    ...     run = dreaming.open(dreaming.train(config, out=out))
    ...     run.epochs, run.latents("test").shape, run.dreams("rem", 4).images["REM dream"].shape
    ([0, 1], (128, 8), (4, 32, 32, 3))
    """
    folder = RunFolder.existing(Path(run_folder))
    return RunView(folder.path, folder.read_config(own=True), dataset, data_dir, trust_data)
