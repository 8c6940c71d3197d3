"""The published program's place, with a program of the same form in it."""

from pathlib import Path

import pytest
import torch
from benchmarks.alternation import Published, checkout, identified

from dreaming.errors import UserError

PROGRAM = {
    "utils": """
class UnNormalize:
    def __call__(self, images):
        images.mul_(0.5)
        return images
""",
    "network": "import torchvision.models",
    "main_PAD": """
import sys
import torch
import torchvision.datasets as dset
import torchvision.transforms as transforms
from utils import UnNormalize

assert sys.argv[1:3] == ["--batchSize", "4"]
steps = [transforms.Resize(32), transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
images = dset.CIFAR10(root=".", train=True, download=False, transform=transforms.Compose(steps))
loader = torch.utils.data.DataLoader(images, batch_size=4, shuffle=True, drop_last=True)
while True:
    for seen, label in loader:
        assert seen.shape == (4, 3, 32, 32) and seen.min() >= -1 and seen.max() <= 1
        before = seen.clone()
        UnNormalize()(seen)
        assert torch.equal(before, seen)
        print("a cycle")
""",
}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    for name, text in PROGRAM.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_published_program_works_block_by_block_over_the_end_of_its_epoch(program):
    images = torch.arange(12 * 3 * 32 * 32).remainder(256).to(torch.uint8).view(12, 3, 32, 32)
    with Published(program, images, 4, 2, 8, torch.device("cpu")) as published:
        assert [len(published(count)) for count in (2, 4, 1)] == [2, 4, 1]
        assert min(published(3)) > 0
        assert published.peak() > 50  # MiB: it has imported torch


def test_a_copy_of_the_published_program_is_identified_by_its_content(program):
    before = identified(program)
    assert "SHA-256" in before
    (program / "utils.py").write_text("other = 1", encoding="utf-8")
    assert identified(program) != before


def test_a_published_program_that_fails_says_why(program):
    (program / "main_PAD.py").write_text("raise ValueError('the reason')", encoding="utf-8")
    images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
    published = Published(program, images, 4, 2, 8, torch.device("cpu"))
    with published, pytest.raises(UserError, match="the reason"):
        published(1)


def test_a_folder_without_the_published_program_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"holds no main_PAD\.py"):
        Published(tmp_path, torch.zeros(1, 3, 32, 32), 4, 2, 8, torch.device("cpu"))


ROOT = Path(__file__).resolve().parents[2]


def test_another_checkout_lives_its_own_cycles_in_turn():
    images = torch.arange(12 * 3 * 32 * 32).remainder(256).to(torch.uint8).view(12, 3, 32, 32)
    with checkout(ROOT, images, 4, 2, 8) as before:
        assert [len(before(count)) for count in (2, 3)] == [2, 3]
        assert min(before(1)) > 0


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(
        UserError, match="is no checkout of this project with benchmarks; give its root to --before"
    ):
        checkout(tmp_path, torch.zeros(4, 3, 32, 32, dtype=torch.uint8), 4, 2, 8)
