"""CIFAR-100 as it comes, with its hundred fine classes: Krizhevsky's archive, or its unpacked folder."""

from dreaming.data.readers.pickled import Batches
from dreaming.data.sources import Layout, RemoteFile, Source

BATCHES = Batches(
    title="CIFAR-100",
    folder="cifar-100-python",
    train=("train",),
    test="test",
    meta="meta",
    labels=b"fine_labels",
    names=b"fine_label_names",
    largest=256 * 1024**2,  # the training images have 155 million
)

# Facts, looked up in public sources in November 2026: the md5 sums of torchvision, the size as many downloads of
# the same file record it; the second address is where the data set's page leads to since it moved.
SOURCE = Source(
    name="cifar100",
    label="CIFAR-100",
    n_train=50_000,
    n_test=10_000,
    chance=0.01,
    host="www.cs.toronto.edu",
    licence="no licence stated; cite Krizhevsky 2009",
    layouts=(
        Layout(
            BATCHES.read_archive,
            (
                RemoteFile(
                    "cifar-100-python.tar.gz",
                    "md5:eb9058c3a382ffc7106e4002c42a8d85",
                    169_001_437,
                    (
                        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
                        "https://cave.cs.toronto.edu/kriz/cifar-100-python.tar.gz",
                    ),
                ),
            ),
        ),
        Layout(
            BATCHES.read_batches,
            (
                RemoteFile("cifar-100-python/train", "md5:16019d7e3df5f24257cddd939b257f8d"),
                RemoteFile("cifar-100-python/test", "md5:f0ef6b0ae62326f3e7ffdfab6717acfc"),
                RemoteFile("cifar-100-python/meta", "md5:7973b15100ade9c7d40fb424638fde48"),
            ),
        ),
    ),
)
