"""Representations: what a trained cortex makes of images, as arrays for other tools."""

import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from dreaming.data import Dataset
from dreaming.errors import UserError, brief
from dreaming.evaluation.measures.snapshot_batch import MOST_BYTES, occlusions
from dreaming.model.activity import EXTERNALITY, LATENT
from dreaming.model.pixels import Images, by_channel
from dreaming.runs.folder import RunFolder
from dreaming.runs.images import images_of_run
from dreaming.runs.snapshots import load
from dreaming.system import hardware
from dreaming.system.defaults import torch_defaults
from dreaming.system.disk import expanded, require_writable, write

Arrays = dict[str, np.ndarray]
SplitName = Literal["train", "test"]
RESERVED = ("latents", EXTERNALITY, "labels", "classes")
"""Names of arrays that are no layers."""


@torch_defaults()
def latents(
    run: str | Path,
    images: Images | None = None,
    split: SplitName = "test",
    *,
    layers: str | Sequence[str] = (),
    count: int | None = None,
    occlusion: float = 0.0,
    tile_size: int = 4,
    epoch: int | None = None,
    dataset: Dataset | None = None,
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    device: str = "auto",
) -> Arrays:
    """Return the latents of a run's images, or of your own, as numpy arrays.

    Parameters
    ----------
    run
        A folder that `dreaming.train` made.
    images
        Images of your own, as `Cortex.infer` takes them; those that the run was trained on by default.
    split
        Which of the run's images.
    layers
        Whose activity is wanted too, by the names of `Cortex.activity`, as a list or with commas between them.
    count
        How many images, from the first; all by default.
    occlusion
        Probability that a tile is silenced, a mask an image; of test images those that the measure ``robustness``
        draws, however many are taken.
    tile_size
        Side of the square tiles, in pixels.
    epoch
        After which epoch; the last one kept by default, and 0 is the untrained cortex.
    dataset
        The run's images, where they were given as arrays.
    data_dir, trust_data
        Where the archives of the run's data set are, and whether to take unofficial data.
    device
        Where to compute.

    Returns
    -------
    dict
        ``latents`` [n, n_z], ``externality`` [n] in (0, 1), and each layer by its name, [n, ...], float32, inferred
        in the precision in which the run was trained; of the run's images also ``labels`` [n] and ``classes``,
        their names. What `dreaming.latents` returns is what ``dreaming latents --out`` writes.

    Raises
    ------
    UserError
        If the folder is no run, a snapshot or a layer is missing, the images are others, or the arrays would take
        too much memory.
    """
    if split not in get_args(SplitName):
        raise UserError(f"split is {brief(split)}; a run has the splits {' and '.join(get_args(SplitName))}")
    if not 0 <= occlusion <= 1:
        raise UserError(f"--occlusion is {occlusion}, and a probability lies between 0 and 1")
    if count is not None and count < 1:
        raise UserError(f"--count is {count}; at least one image is needed")
    folder = RunFolder.existing(Path(run))
    config, where = folder.read_config(), hardware.device(device)
    cortex = load(folder.path, epoch).to(where)
    cortex.precision = config.training.number_type  # it infers as it was trained
    side = cortex.image_size
    if not 1 <= tile_size <= side:
        raise UserError(
            f"tile_size is {tile_size}, and the images have {side} x {side} pixels; take 1 to {side}"
        )
    about: Arrays = {}
    if images is None:
        there = images_of_run(folder, config, dataset, data_dir, trust_data)
        own = getattr(there, split)
        every = own.images
        if there.classes:
            about = {"labels": own.labels[:count].cpu().numpy(), "classes": np.array(there.classes)}
    else:
        every = by_channel(images)
    pixels = every[:count]
    named = [name for name in layers.split(",") if name] if isinstance(layers, str) else layers
    wanted = list(dict.fromkeys((LATENT, EXTERNALITY, *named)))
    if taken := [name for name in wanted[2:] if name in RESERVED]:
        raise UserError(f"--layers: {taken[0]} is there in any case; name other layers")
    with torch.no_grad():
        first = cortex.activity(pixels[:1], layers=wanted)
        size = len(pixels) * sum(each[:1].numel() for each in first.values()) * 4
        if size > MOST_BYTES:
            raise UserError(
                f"these layers of {len(pixels):,} images take {size:,} bytes, and {MOST_BYTES:,} are the most; "
                "take fewer layers, or fewer images with --count"
            )
        masks = None
        if occlusion:
            masks = occlusions(config.seed, "robustness", len(every), occlusion, tile_size, side)[:count]
        found = {
            name: values.cpu().numpy()
            for name, values in cortex.activity(pixels, layers=wanted, masks=masks).items()
        }
    return {"latents": found.pop(LATENT), **found, **about}


def write_latents(
    run: str | Path, to: str | Path | None = None, *, rdm: str | Path | None = None, **options: Any
) -> list[Path]:
    """Write what `latents` returns as a file of numpy's (npz), or as distances in a file of rsatoolbox's.

    Parameters
    ----------
    run
        A folder that `dreaming.train` made.
    to
        The npz file.
    rdm
        The HDF5 file (.h5 or .hdf5) of representational dissimilarity matrices, one of the latents and one of each
        layer asked for, between all images; see `dissimilarities`.
    options
        Those of `latents`.

    Returns
    -------
    list of Path
        What was written, each whole or not at all.

    Raises
    ------
    UserError
        As `latents`, and if no file is named, or rsatoolbox is not there.
    """
    if to is None and rdm is None:
        raise UserError("latents are written to --out FILE.npz, to --rdm FILE.h5, or to both; name one")
    if to is not None and Path(to).suffix != ".npz":
        raise UserError(f"--out {to}: arrays go into a file that ends in .npz")
    if rdm is not None and Path(rdm).suffix not in (".h5", ".hdf5"):
        raise UserError(f"--rdm {rdm}: rsatoolbox reads distances from a file that ends in .h5 or .hdf5")
    if rdm is not None and find_spec("rsatoolbox") is None:
        raise UserError("--rdm needs rsatoolbox, which is not installed: pip install 'dreaming[brain]'")
    require_writable(*(expanded(path) for path in (to, rdm) if path is not None))
    arrays = latents(run, **options)
    contents: dict[Path, bytes] = {}
    if rdm is not None:
        contents[expanded(rdm)] = dissimilarities(arrays, RunFolder(Path(run)).title)
    if to is not None:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        contents[expanded(to)] = buffer.getvalue()
    for path, content in contents.items():
        write(path, content)
    return list(contents)


def dissimilarities(arrays: Mapping[str, np.ndarray], title: str) -> bytes:
    """Return the distances between all images as an HDF5 file that ``rsatoolbox.rdm.load_rdm`` reads.

    Parameters
    ----------
    arrays
        As `latents` returns them.
    title
        Of the run.

    Returns
    -------
    bytes
        A matrix for the latents and for each layer, told apart by the descriptor ``layer``; of images, the
        descriptors ``image``, and ``label`` and ``class`` where there are labels. Distances are those that
        rsatoolbox calls euclidean: squared Euclidean distances over the number of features.

    Raises
    ------
    UserError
        If the matrices would take too much memory.
    """
    from rsatoolbox.data import Dataset as Patterns
    from rsatoolbox.rdm import calc_rdm, concat

    n = len(arrays["latents"])
    kept = ["latents", *(name for name in arrays if name not in RESERVED)]
    size = 8 * n * n * len(kept)
    if size > MOST_BYTES:
        raise UserError(
            f"distances between {n:,} images take {size:,} bytes, and {MOST_BYTES:,} are the most; take fewer with "
            "--count"
        )
    of_images: dict[str, np.ndarray] = {"image": np.arange(n)}
    if "labels" in arrays:
        of_images |= {"label": arrays["labels"], "class": arrays["classes"][arrays["labels"]]}
    found = []
    for name in kept:
        layer = LATENT if name == "latents" else name
        patterns = arrays[name].reshape(n, -1).astype(np.float64)
        own = Patterns(patterns, descriptors={"run": title, "layer": layer}, obs_descriptors=dict(of_images))
        found.append(calc_rdm(own, method="euclidean"))
    buffer = io.BytesIO()
    concat(found, target_pdesc="image").save(buffer, "hdf5")
    return buffer.getvalue()
