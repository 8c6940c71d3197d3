"""Which pictures of a user's folder are seen, as what class, in which split; and what is left out, with a word."""

import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch

from dreaming.data.contents import UNLABELLED
from dreaming.errors import Notice, UserError, told_apart
from dreaming.rng import generator
from dreaming.system.disk import expanded

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
TRAIN = ("train", "training")
TEST = ("test", "testing", "val", "valid", "validation")
"""What a split may be called, in small letters or large; of several, the first here."""
OF_SYSTEMS = (
    *("__MACOSX", "@eaDir", "@Recycle", "#recycle", "#snapshot", "$RECYCLE.BIN"),
    *("System Volume Information", "lost+found"),
)
"""Folders that unpackers, file servers and systems make among a user's own."""
TEST_SHARE = 5
"""Where no folder says which images are for testing, one in so many of each class is."""
MOST_KINDS = 10
"""Of what is left out, that are named."""

Classes = dict[str, list[Path]]
Files = tuple[tuple[Path, int], ...]


@dataclass(frozen=True)
class Listing:
    """The images of a folder, not yet read.

    Attributes
    ----------
    root
        The folder.
    places
        The folders of its splits; the folder itself where it has none.
    classes
        Names of the class folders, sorted; none where images have no labels.
    train, test
        Files with the index of their class (-1 without labels), sorted by class, then by name.
    """

    root: Path
    places: tuple[Path, ...]
    classes: tuple[str, ...]
    train: Files
    test: Files

    @property
    def size(self) -> int:
        """Bytes of all image files together."""
        return sum(path.stat().st_size for path, _ in self.train + self.test)


def list_folder(root: Path) -> Listing:
    """Find the images of a folder: those of a class lie in the class's folder, or deeper.

    The folder holds ``train`` and ``test`` (or ``val``); or else it is divided, a fifth of each class for testing,
    the same at each call. Where there are pictures and no folders of classes, images have no labels.

    Left out are names that begin with a dot, and, with a word, folders that systems make, empty classes, files that
    do not end as pictures do, links that lead nowhere, and within a class links to folders.

    Parameters
    ----------
    root
        The folder; ``~`` is understood.

    Raises
    ------
    UserError
        If the folder or one of its splits is missing or holds no pictures, if there is one class alone or one of a
        single picture to divide, or if the classes of train and test differ.

    Warns
    -----
    Notice
        What was made of a folder that is laid out otherwise, and what is left out.
    """
    root, left = expanded(root), Counter[str]()
    if not root.is_dir():
        raise UserError(
            f"there is no folder {root}; folder:PATH needs PATH/train/CLASS and PATH/test/CLASS, or PATH/CLASS"
        )
    said = []
    try:
        places = split_folders(root) or (root,)
        found = [_classes(place, left) for place in places]
        if len(places) == 2:
            beside = [each.name for each in _entries(root, left)[1] if each not in places]
            left.update(f"folder {name} beside the splits" for name in beside)
            if places[1].name.lower() in TEST[2:]:
                said.append(f"{places[1].name} counts as test")
    except OSError as error:
        raise UserError(f"{error.filename or root} cannot be read: {error.strerror or error}") from error
    if len(places) == 1:
        said.append(f"no train and test are there, so one image in {TEST_SHARE} of each class is for testing")
        found = _divided(found[0], root)
    _require_alike(*zip(found, (places[0], places[-1]), strict=True))
    classes = tuple(sorted(found[0].keys() - {""}))
    if len(classes) == 1:
        raise UserError(
            f"{root} has only one class, {classes[0]!r}; a readout needs two or more{_meant(places, classes[0])}"
        )
    if not classes:
        said.append("no folders of classes are there, so images have no labels")
    if left:
        named = [f"{count} x {kind}" for kind, count in left.most_common(MOST_KINDS)]
        said.append(f"left out are {', '.join(named)}" + ", and more" * (len(left) > MOST_KINDS))
    train, test = (
        tuple(
            (path, label)
            for label, name in (enumerate(classes) if classes else [(UNLABELLED, "")])
            for path in split[name]
        )
        for split in found
    )
    if said:
        warnings.warn(f"{root}: {'; '.join(said)}", Notice, stacklevel=2)
    return Listing(root, places, classes, train, test)


def split_folders(root: Path) -> tuple[()] | tuple[Path, Path]:
    """Return the folders of both splits, or none where a folder has neither.

    Raises
    ------
    UserError
        If it has one of them.
    """
    there = {each.name.lower(): each for each in sorted(root.iterdir(), reverse=True) if each.is_dir()}
    train, test = (next((there[name] for name in names if name in there), None) for names in (TRAIN, TEST))
    if train and test:
        return train, test
    if train:
        raise UserError(
            f"there is no folder {root / TEST[0]}; put images into it, or divide one folder: name folder:{train}"
        )
    if test:
        raise UserError(f"there is no folder {root / TRAIN[0]}; put images into it")
    return ()


def _classes(folder: Path, left: Counter[str]) -> Classes:
    """Return the pictures of each class; without classes, all under an empty name."""
    pictures, folders = _entries(folder, left)
    classes = {each.name: _pictures(each, left) for each in folders}
    filled = {name: files for name, files in classes.items() if files}
    left.update(f"empty class {name}" for name in classes.keys() - filled.keys())
    if filled:
        left.update({"picture in no class": len(pictures)} if pictures else {})
        return filled
    if not pictures:
        raise UserError(
            f"{folder} is empty; put images into {folder}/CLASS/, which end in {', '.join(SUFFIXES)}"
        )
    return {"": pictures}


def _pictures(folder: Path, left: Counter[str]) -> list[Path]:
    """Return the pictures in a folder and below it."""
    pictures, folders = _entries(folder, left)
    for each in folders:
        if each.is_symlink():  # it may lead back to here
            left["link to a folder"] += 1
        else:
            pictures += _pictures(each, left)
    return sorted(pictures)


def _entries(folder: Path, left: Counter[str]) -> tuple[list[Path], list[Path]]:
    """Return the pictures and the folders in a folder, sorted."""
    pictures, folders = [], []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and entry.name not in OF_SYSTEMS:
            folders.append(entry)
        elif entry.is_file() and entry.suffix.lower() in SUFFIXES:
            pictures.append(entry)
        else:
            left[_kind(entry)] += 1
    return pictures, folders


def _kind(entry: Path) -> str:
    """Return what something that is left out is called."""
    if entry.is_dir():
        return entry.name
    if entry.is_file():
        return entry.suffix.lower() or "file without a suffix"
    return "link that leads to no file" if entry.is_symlink() else "pipe or device"


def _divided(classes: Classes, root: Path) -> list[Classes]:
    """Divide the pictures of each class into those to train on and those to test on."""
    train, test = Classes(), Classes()
    for name, files in classes.items():
        if len(files) < 2:
            raise UserError(
                f"{files[0]} is alone in its class, and one image is to train on and one to test on"
            )
        order = torch.randperm(len(files), generator=generator(0, "images", "test", name)).tolist()
        tested = set(order[: max(1, len(files) // TEST_SHARE)])
        for split, wanted in ((train, False), (test, True)):
            split[name] = [file for index, file in enumerate(files) if (index in tested) == wanted]
    return [train, test]


def _require_alike(one: tuple[Classes, Path], two: tuple[Classes, Path]) -> None:
    for (here, place), (there, other) in ((one, two), (two, one)):
        only = sorted(here.keys() - there.keys())
        if only == [""]:
            raise UserError(f"{place} holds pictures and no classes, which {other} has; both need the same")
        if only and "" not in there:
            raise UserError(
                f"{place} has a class {told_apart(only[0], there)}, of which {other} has no pictures; both need "
                "the same"
            )


def _meant(places: tuple[Path, ...], alone: str) -> str:
    """Return what to do where one folder alone holds pictures."""
    if len(places) == 2:
        return f"; to train without labels, put images into {places[0]} and {places[1]} themselves"
    inside = places[0] / alone
    if any(each.name.lower() in TRAIN for each in inside.iterdir()):
        return f"; did you mean folder:{inside}?"
    return f"; to train without labels, name folder:{inside}"
