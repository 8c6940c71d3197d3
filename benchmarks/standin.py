"""A stand-in for what the published program takes from torchvision; it does the same work, on PIL images."""

import sys
import types
from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor


class Compose:
    """Apply transforms one after another."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        self.transforms = transforms

    def __call__(self, image: Image.Image | Tensor) -> Image.Image | Tensor:
        for transform in self.transforms:
            image = transform(image)
        return image


class Resize:
    """Resize the shorter side, bilinearly; an image of that size is left as it is."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, image: Image.Image) -> Image.Image:
        short = min(image.size)
        if short == self.size:
            return image
        width, height = (int(self.size * side / short) for side in image.size)
        return image.resize((width, height), Image.Resampling.BILINEAR)


class ToTensor:
    """Turn an image of height, width, channels into a tensor of channels, height, width in [0, 1]."""

    def __call__(self, image: Image.Image) -> Tensor:
        pixels = torch.from_numpy(np.array(image, np.uint8, copy=True))
        pixels = pixels.view(image.size[1], image.size[0], len(image.getbands()))
        return pixels.permute((2, 0, 1)).contiguous().to(torch.float32).div(255)


class Normalize:
    """Subtract the mean of each channel and divide by its deviation."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean, self.std = mean, std

    def __call__(self, image: Tensor) -> Tensor:
        image = image.clone()
        mean = torch.as_tensor(self.mean, dtype=image.dtype).view(-1, 1, 1)
        std = torch.as_tensor(self.std, dtype=image.dtype).view(-1, 1, 1)
        return image.sub_(mean).div_(std)


def pictures(images: np.ndarray) -> type:
    """Make the class of a data set that has these images, uint8 [n, 32, 32, 3]."""

    class Pictures(torch.utils.data.Dataset):
        def __init__(self, transform: Callable | None = None, **_: object) -> None:
            self.transform = transform
            self.images, self.labels = images, [0] * len(images)

        def __len__(self) -> int:
            return len(self.images)

        def __getitem__(self, index: int) -> tuple:
            image = Image.fromarray(self.images[index])
            return image if self.transform is None else self.transform(image), self.labels[index]

    return Pictures


def install(images: np.ndarray) -> None:
    """Put the stand-in where torchvision would be imported from; its pictures are not written."""
    contents = {
        "datasets": {"CIFAR10": pictures(images)},
        "transforms": {kind.__name__: kind for kind in (Compose, Resize, ToTensor, Normalize)},
        "utils": {"save_image": lambda *_, **__: None},
        "models": {},
    }
    package = sys.modules["torchvision"] = types.ModuleType("torchvision")
    for name, members in contents.items():
        module = sys.modules[f"torchvision.{name}"] = types.ModuleType(f"torchvision.{name}")
        vars(module).update(members)
        setattr(package, name, module)
