"""A disk that remembers what is really on it: what a power cut at any moment leaves of a command's writes.

What a process writes is in the system's memory; it is on the disk when the file is synchronised. A name (made,
moved, linked, taken away) is on the disk when its folder is synchronised. A power cut leaves what is on the disk;
of the rest, a file system may have written none, all, or some.
"""

import os
import random
from pathlib import Path


class Disk:
    """Watches what is done below a folder while it is the context, and keeps the states a power cut can leave.

    Parameters
    ----------
    root
        The folder; empty or not there when the watch begins.
    """

    def __init__(self, root):
        self.root = root
        self.contents = {}  # inode: its content in memory
        self.synced = {}  # inode: its content on the disk
        self.names = {}  # path: inode, or None for a folder; in memory
        self.durable = {}  # the same on the disk
        self.pending = []  # changes of names that are not on the disk yet: (folder, name, inode or None or "gone")
        self.moments = []  # what a cut at each moment leaves: (durable, pending, synced, contents)

    def __enter__(self):
        self.real = Path.open, os.fsync, Path.replace, os.link, Path.mkdir, Path.unlink
        opened, fsync, replace, link, mkdir, unlink = self.real
        disk = self

        def watched_open(path, mode="r", *args, **kwargs):
            file = opened(path, mode, *args, **kwargs)
            if mode == "wb" and disk.holds(path):
                disk.name(path, os.fstat(file.fileno()).st_ino)
            return file

        def watched_fsync(descriptor):
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if disk.holds(path) or path == disk.root.parent:
                if path.is_dir():
                    disk.bring(path)
                else:
                    disk.see(path)
                    disk.keep(synced=disk.names[path])
            fsync(descriptor)

        def watched_replace(path, target):
            if disk.holds(path):
                disk.see(path)
                disk.name(target, disk.names[path])
                disk.name(path, "gone")
            return replace(path, target)

        def watched_link(source, target):
            link(source, target)
            if disk.holds(Path(source)):
                disk.name(Path(target), disk.names[Path(source)])

        def watched_mkdir(path, *args, **kwargs):
            mkdir(path, *args, **kwargs)
            if disk.holds(path) and path not in disk.names:
                disk.name(path, None)

        def watched_unlink(path, *args, **kwargs):
            unlink(path, *args, **kwargs)
            if disk.holds(path) and path in disk.names:
                disk.name(path, "gone")

        Path.open, os.fsync, Path.replace, os.link = (
            watched_open,
            watched_fsync,
            watched_replace,
            watched_link,
        )
        Path.mkdir, Path.unlink = watched_mkdir, watched_unlink
        return self

    def __exit__(self, *exception):
        Path.open, os.fsync, Path.replace, os.link, Path.mkdir, Path.unlink = self.real

    def holds(self, path):
        return path == self.root or self.root in path.parents

    def see(self, path):
        """Look at what a file holds in memory now."""
        inode = self.names.get(path)
        if inode is not None:
            with self.real[0](path, "rb") as file:
                self.contents[inode] = file.read()

    def name(self, path, inode):
        """A name comes to mean something else, in memory."""
        if inode == "gone":
            self.names.pop(path, None)
        else:
            self.names[path] = inode
        self.pending = [*self.pending, (path.parent, path, inode)]
        self.keep()

    def bring(self, folder):
        """The names in a folder are brought to the disk."""
        for parent, path, inode in self.pending:
            if parent == folder:
                self._settle(self.durable, path, inode)
        self.pending = [change for change in self.pending if change[0] != folder]
        self.keep()

    def keep(self, synced=None):
        if synced is not None:
            self.synced = {**self.synced, synced: self.contents[synced]}
        self.durable = dict(self.durable)
        self.moments.append((self.durable, self.pending, self.synced, dict(self.contents)))

    @staticmethod
    def _settle(names, path, inode):
        if inode == "gone":
            names.pop(path, None)
        else:
            names[path] = inode

    def cut(self, moment, lucky, seed, into):
        """Lay out what a power cut leaves.

        Parameters
        ----------
        moment
            Number of the moment.
        lucky
            Share of what was not brought to the disk that is there all the same: 0, 1, or between.
        seed
            Of the draws which.
        into
            An empty folder, which takes the place of the root.
        """
        durable, pending, synced, contents = self.moments[moment]
        names, draw = dict(durable), random.Random(seed)
        for _, path, inode in pending:
            if draw.random() < lucky:
                self._settle(names, path, inode)
        for path, inode in sorted(names.items(), key=lambda item: len(item[0].parts)):
            place = into / path.relative_to(self.root)
            if path != self.root and path.parent not in names:
                continue  # its folder never came to the disk
            if inode is None:
                place.mkdir(parents=True, exist_ok=True)
            elif inode in synced:
                place.write_bytes(synced[inode])
            else:  # the name is there and the content is not: cut short, or blocks of zeros
                content = contents.get(inode, b"")
                place.write_bytes(content[: int(len(content) * draw.random())] if lucky else b"")
