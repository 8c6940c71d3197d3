"""The corpus, one archive of inputs by target; and the whole ones that the fuzzer begins with, of made-up data.

``python -m tests.robustness.fuzz.seeds`` writes those anew.
"""

import io
import json
import pickle
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from tests.paper.authors.published_checkpoint import Published, without

from dreaming.config.config import Config
from dreaming.config.configure import configure
from dreaming.data.readers.cifar10 import BATCHES, CLASSES
from dreaming.runs.folder import RunFolder
from dreaming.runs.tensors import read_tensors, write_tensors
from dreaming.training.state import TrainingState

CORPUS = Path(__file__).with_name("corpus.zip")


def corpus() -> dict[str, bytes]:
    """All inputs that are kept, by ``TARGET/NAME``."""
    with zipfile.ZipFile(CORPUS) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def kept(target: str) -> dict[str, bytes]:
    """Those of one target, by name."""
    whole = ((name.split("/", 1), content) for name, content in corpus().items())
    return {name: content for (of, name), content in whole if of == target}


def keep(target: str, contents: Mapping[str, bytes]) -> None:
    """Put inputs into the corpus, in place of those of the same names."""
    whole = corpus() | {f"{target}/{name}": content for name, content in contents.items()}
    with zipfile.ZipFile(CORPUS, "w") as archive:
        for name, content in sorted(whole.items()):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # of no date: same bytes


def python2_batch() -> bytes:
    """A batch of one image as Python 2 and its numpy wrote it, which is what the real archive holds."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03(K\x01K\x01M"
        b"\x00\x0c\x86cnumpy\ndtype\nq\x04U\x02u1K\x00K\x01\x87Rq\x05(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff"
        b"\xffK\x00tb\x89T\x00\x0c\x00\x00" + 3072 * b"a" + b"tb"
    )
    return b"\x80\x02}q\x00(U\x04data" + array + b"U\x06labels]q\x06K\x03aU\tfilenames]q\x07U\x05a.pngau."


@cache
def batch_files() -> Mapping[str, bytes]:
    """CIFAR-10's seven files with an image each."""
    batch = {b"data": np.full((1, 3072), 7, np.uint8), b"labels": [3]}
    names = {b"label_names": [name.encode() for name in CLASSES]}
    return {
        name: pickle.dumps(names if name == "batches.meta" else batch, protocol=2) for name in BATCHES.members
    }


def tar(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def picture(kind: str, mode: str = "RGB", size: tuple[int, int] = (32, 32), **options: object) -> bytes:
    row, column = np.mgrid[0 : size[1], 0 : size[0]]
    pixels = Image.fromarray((5 * (row // 8) + 3 * (column // 8)).astype(np.uint8)).convert(mode)
    encoded = io.BytesIO()
    pixels.save(encoded, kind, **options)
    return encoded.getvalue()


def parquet(column: str = "img", label: type = int, **options: object) -> bytes:
    png = {"bytes": picture("PNG"), "path": "0.png"}
    packed = io.BytesIO()
    pq.write_table(pa.table({column: [png, png], "label": [label(1), label(0)]}), packed, **options)
    return packed.getvalue()


@cache
def checkpoint(zipped: bool = True, whole: bool = True) -> bytes:
    """The smallest checkpoint of the published program's layout, with its optimisers or without."""
    content = Published(latents=1, width=1, channels=1).content(epochs=1)
    packed = io.BytesIO()
    left_out = () if whole else ("g_optim", "d_optim")
    torch.save(without(content, *left_out), packed, _use_new_zipfile_serialization=zipped)
    return packed.getvalue()


@cache
def _entries() -> Mapping[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(checkpoint())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def description() -> bytes:
    """The pickle that says what a checkpoint holds, beside the numbers."""
    return next(content for name, content in _entries().items() if name.endswith("data.pkl"))


def described(pickled: bytes) -> bytes:
    """The checkpoint with another such pickle, and the checksums that zip wants."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in _entries().items():
            archive.writestr(name, pickled if name.endswith("data.pkl") else content)
    return packed.getvalue()


@cache
def run_config() -> Config:
    """The config of the smallest run."""
    return configure("pad", settings=["networks.base_channels=1", "networks.latent_dim=2"])


@cache
def run_file() -> bytes:
    """That config as it is kept."""
    return run_config().to_yaml().encode()


@cache
def _saved() -> tuple[dict[str, torch.Tensor], bytes]:
    """A state just born: its tensors, and what it says about itself without which run it is."""
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        TrainingState.initial(run_config(), torch.device("cpu")).save(folder, run_config())
        tensors, about = read_tensors(folder.state)
        return tensors, json.dumps({"position": about["position"]}).encode()


def state_tensors() -> dict[str, torch.Tensor]:
    return _saved()[0]


def tensors(about: Mapping[str, object]) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "t.safetensors"
        small = {"w": torch.arange(4.0), "n": torch.tensor(3), "h": torch.zeros(1, 2, dtype=torch.bfloat16)}
        write_tensors(path, small, about)
        return path.read_bytes()


def of_a_run() -> dict[str, bytes]:
    """The text files of a run folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        folder.write_environment({"sessions": [{"from": {"epoch": 1}, "dataset": {"fingerprint": "f0"}}]})
        folder.config.write_bytes(run_file())
        return {path.name: path.read_bytes() for path in folder.path.iterdir()}


LOSSES = b"epoch,cycles,seconds,wake.kl\n1,5,0.5,0.1\n2,5,,inf\n"
VALUES = b'dataset,condition,seed,epoch,measure,parameter,value\ndigits,pad,0,1,a,"b,c",.5\ndigits,pad,0,,a,b,nan\n'
PROJECTED = (
    b"dataset,condition,seed,epoch,measure,parameter,image,label,occluded,component,value\n"
    b"digits,pad,0,1,p,,0,3,0.0,1,-5e-324\n"
)
OWN_PROFILE = b"base: demo\nseeds: 3\ndatasets: [digits]\nsweeps: ['phases.rem.dose=0,0.5,1']\nlimit: null\n"
OWN_PHASES = b"""condition: own
phases:
  wake: {weight: 1}
  mine: {kind: Mine, weight: 0.5, steps: 2, colour: red}
schedule:
- {after: 2, condition: late, phases: {rem: {replay: {noise: 0.5}}}}
phase_source: {file: mine.py, name: Mine, sha256: '00'}
training: {snapshots: '1,5', epochs: 7, precision: tf32}
seed: 0x10
"""


def inputs() -> dict[str, list[bytes]]:
    """Whole inputs, by target."""
    files, run = batch_files(), of_a_run()
    plain = pickle.dumps({"data": [1, 2.5, None, True], b"x": (b"y", "z", 2**70)}, protocol=4)
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera that was turned
    return {
        "batches": [python2_batch(), files["data_batch_1"], files["batches.meta"], plain],
        "archives": [
            tar(files, "w:gz"),
            tar({"batches.meta": files["batches.meta"]}),
            tar({"n" * 200: b""}),
            tar(files),
        ],
        "parquets": [
            parquet(compression="none", use_dictionary=False, write_statistics=False, store_schema=False),
            parquet(),
            parquet(column="image"),
        ],
        "pictures": [
            *(picture("PNG", mode) for mode in ("RGB", "L", "P", "LA", "I;16")),
            *(picture("JPEG", size=(40, 33), exif=exif), picture("JPEG", "CMYK"), picture("WEBP", "RGBA")),
            picture("PNG", "1", size=(1, 50)),
        ],
        "checkpoints": [description(), checkpoint(zipped=False, whole=False), checkpoint(whole=False)],
        "tensors": [tensors({}), tensors({"epoch": 3, "networks": {"latent_dim": 2}})],
        "headers": [b'{"sha256": "0"}', b'{"epoch": 3, "run": {"seed": 0.5, "list": [null, true]}}'],
        "states": [_saved()[1], b'{"position": {"epochs": 1, "cycles": 0, "seconds": 1e3, "terms": []}}'],
        "tables": [LOSSES, VALUES, PROJECTED],
        "configs": [run["config.yaml"], OWN_PROFILE, OWN_PHASES],
        "settings": [
            *(
                b"seed=3\nnetworks.latent_dim=2",
                b"phases.rem.replay.noise=.5",
                b"organisation.distance=squared",
            ),
            *(b"seeds=2\ndatasets=svhn, digits", b"optimizer.betas=[0.5, 0.9]", b"training.snapshots=1,2"),
            *(b"condition=mine", b"dataset.limit=null", b"phases.nrem.occlusion.tile_size=[1, 8]"),
        ],
        "lists": [b"pad:10,without_rem:20,pad", b"phases.rem.dose=0,0.5,1", b"1,5,50", b"all\nends"],
        "environments": [run["environment.json"], b'{"sessions": [{}]}'],
    }


def main() -> None:
    """Write the seeds into the corpus."""
    for target, contents in inputs().items():
        keep(target, {f"seed-{number}": content for number, content in enumerate(contents)})


if __name__ == "__main__":
    main()
