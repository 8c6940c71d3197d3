"""What is compared with ours: the published program, or another checkout of this project.

Each is in a process of its own, works when told to, and sleeps otherwise.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks import settled
from benchmarks.residence import peak
from dreaming.errors import UserError

CHILD = Path(__file__).with_name("published.py")
CHECKOUT = """
import importlib.util, json, os, sys
from pathlib import Path
answers = os.dup(1)
os.dup2(2, 1)
import numpy as np, torch
from benchmarks import cortices
base_channels, latent_dim, batch, threads = json.loads(sys.argv[1])
torch.set_num_threads(threads)
places = ("dreaming.system.threads", "dreaming.threads")  # today's, and an earlier one
there = [place for place in places if all(map(importlib.util.find_spec, (place.rpartition(".")[0], place)))]
importlib.import_module(there[0]).keep_memory()
images = torch.from_numpy(np.load("images.npy")).permute(0, 3, 1, 2).contiguous()
cycles_of = getattr(cortices, "cycles_of", None) or cortices.living
way = cycles_of(cortices.pad(base_channels, latent_dim, batch), images)
for line in sys.stdin:
    os.write(answers, (json.dumps(way(int(line))) + "\\n").encode())
"""
PROGRAM = ("main_PAD.py", "network.py", "utils.py")


def identified(folder: Path) -> str:
    """Return which copy of the published program a folder holds: the SHA-256 of its three files together."""
    digest = hashlib.sha256(b"".join((folder / name).read_bytes() for name in PROGRAM)).hexdigest()
    return f"the published program, {', '.join(PROGRAM)} of SHA-256 {digest[:16]}"


def unsettled() -> dict[str, str]:
    """Return the environment as it was before the benchmarks settled it."""
    return {name: value for name, value in os.environ.items() if name not in settled}


class Apart:
    """A program in a process of its own, as a way to be measured in turn with others.

    It is told on its standard input how many cycles to run, and answers with a line of JSON, the milliseconds of
    each.

    Parameters
    ----------
    name
        What it is called where it stops.
    command
        How it is started.
    images
        What it sees, uint8 [n, 3, 32, 32]: ``images.npy``, [n, 32, 32, 3], in the folder where it works.
    environment
        What its environment says; by default what ours said before the benchmarks settled it.
    """

    def __init__(
        self, name: str, command: Sequence[str], images: Tensor, environment: Mapping[str, str] | None = None
    ) -> None:
        self._name, self._scratch = name, tempfile.TemporaryDirectory()
        scratch = Path(self._scratch.name)
        np.save(scratch / "images.npy", images.permute(0, 2, 3, 1).contiguous().numpy())
        self._log = (scratch / "log.txt").open("w+")
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=scratch,
            text=True,
            env=environment or unsettled(),
        )

    def __call__(self, count: int) -> list[float]:
        """Have it run so many cycles, and return the milliseconds of each."""
        to, fro = self._process.stdin, self._process.stdout
        try:
            print(count, file=to, flush=True)
            answer = fro.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._log.seek(0)
            raise UserError(f"{self._name} stopped:\n{self._log.read()[-3000:]}")
        return json.loads(answer)

    def peak(self) -> float:
        """The most its process ever held, without its loader's workers, in MiB."""
        return peak(self._process.pid)

    def __enter__(self) -> "Apart":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()
        self._scratch.cleanup()


def checkout(
    folder: Path,
    images: Tensor,
    batch: int,
    base_channels: int,
    latent_dim: int,
    environment: Mapping[str, str] | None = None,
) -> Apart:
    """Return a checkout of this project, to run cycles in float32 in turn with others, on as many threads.

    Parameters
    ----------
    folder
        Its root; it runs in this environment.
    images, batch, base_channels, latent_dim
        As for `Published`.
    environment
        What the environment says there; by default what ours said before the benchmarks settled it.
    """
    if not (folder / "benchmarks" / "cortices.py").exists():
        raise UserError(f"{folder} is no checkout of this project with benchmarks; give its root to --before")
    words = json.dumps([base_channels, latent_dim, batch, torch.get_num_threads()])
    root = folder.resolve()
    modules = {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    command = [sys.executable, "-c", CHECKOUT, words]
    return Apart(f"the checkout in {folder}", command, images, {**(environment or unsettled()), **modules})


class Published(Apart):
    """The user's copy of the published program, as a way to be measured in turn with ours.

    Parameters
    ----------
    folder
        Where main_PAD.py, network.py and utils.py are.
    images
        What it sees, uint8 [n, 3, 32, 32].
    batch, base_channels, latent_dim
        Of its cortex.
    device
        Where it computes: the CPU, or the first GPU.
    """

    def __init__(
        self,
        folder: Path,
        images: Tensor,
        batch: int,
        base_channels: int,
        latent_dim: int,
        device: torch.device,
    ) -> None:
        for name in PROGRAM:
            if not (folder / name).exists():
                raise UserError(
                    f"{folder} holds no {name}; give a copy of github.com/NicoZenith/PAD to --published"
                )
        program = ["--batchSize", batch, "--nf", base_channels, "--nz", latent_dim, "--is_continue", 0]
        given = ["--threads", str(torch.get_num_threads()), "--images", "images.npy"]
        given += ["--cpu"] if device.type == "cpu" else []
        command = [sys.executable, str(CHILD), str(folder.resolve()), *given, "--", *map(str, program)]
        super().__init__("the published program", command, images)
