"""The published program in a process of its own, which works when told to and sleeps otherwise."""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.residence import peak
from dreaming.errors import UserError

CHILD = Path(__file__).with_name("published.py")
PROGRAM = ("main_PAD.py", "network.py", "utils.py")


def identified(folder: Path) -> str:
    """Say which copy of the published program a folder holds: the SHA-256 of its three files, one after another."""
    digest = hashlib.sha256(b"".join((folder / name).read_bytes() for name in PROGRAM)).hexdigest()
    return f"the published program, {', '.join(PROGRAM)} of SHA-256 {digest[:16]}"


class Published:
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
        Where it lives: the CPU, or the first GPU.
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
        self._scratch = tempfile.TemporaryDirectory()
        scratch = Path(self._scratch.name)
        np.save(scratch / "images.npy", images.permute(0, 2, 3, 1).contiguous().numpy())
        program = ["--batchSize", batch, "--nf", base_channels, "--nz", latent_dim, "--is_continue", 0]
        given = ["--threads", str(torch.get_num_threads()), "--images", "images.npy"]
        given += ["--cpu"] if device.type == "cpu" else []
        self._log = (scratch / "log.txt").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, str(CHILD), str(folder.resolve()), *given, "--", *map(str, program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=scratch,
            text=True,
        )

    def __call__(self, count: int) -> list[float]:
        """Let it live so many cycles, and return the milliseconds of each."""
        to, fro = self._process.stdin, self._process.stdout
        try:
            print(count, file=to, flush=True)
            answer = fro.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._log.seek(0)
            raise UserError(f"the published program stopped:\n{self._log.read()[-3000:]}")
        return json.loads(answer)

    def peak(self) -> float:
        """The most its process ever held, without its loader's workers, in MiB."""
        return peak(self._process.pid)

    def __enter__(self) -> "Published":
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
