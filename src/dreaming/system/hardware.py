"""Where a run computes: devices, precision, and a record of the machine and the versions."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from dreaming.errors import UserError

RECORDED = ("numpy", "scipy", "scikit-learn", "pandas", "pillow", "safetensors")


def device(name: str = "auto") -> torch.device:
    """Find a device by name; ``auto`` is the first CUDA GPU, or else the CPU.

    Raises
    ------
    UserError
        If the device is not there.

    Examples
    --------
    >>> device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(name)
    except RuntimeError:
        raise UserError(f"there is no device '{name}'; use auto, cpu, cuda or cuda:N") from None
    if found.type not in ("cpu", "cuda"):
        raise UserError(f"'{name}' is no device to compute on; use auto, cpu, cuda or cuda:N")
    if found.type == "cuda" and not (found.index or 0) < torch.cuda.device_count():
        raise UserError(
            f"there is no device '{name}' here; torch sees {torch.cuda.device_count()} CUDA devices"
        )
    return found


def fast_bfloat16() -> bool:
    """Return whether this processor is known to multiply faster in bfloat16 than in float32.

    Instructions alone do not tell: Intel's processors have AVX-512's of bfloat16 too, and where these are all there
    is, without AMX, products run at half the speed of float32; on AMD's they run at more than twice it.
    """
    flags = _cpu_flags()
    return bool({"amx_bf16", "bf16"} & flags) or ("avx512_bf16" in flags and "AMD" in processor())


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    lines = [line for line in text.splitlines() if line.lower().startswith(("flags", "features"))]
    return set(lines[0].split(":", 1)[1].split()) if lines else set()


def record(where: torch.device) -> dict[str, Any]:
    """Describe the machine, the versions and the commit, for the record of a run."""
    return {
        "versions": {
            "dreaming": metadata.version("dreaming"),
            "python": platform.python_version(),
            "torch": torch.__version__,  # with the build, which its package does not always name
            **{name: metadata.version(name) for name in RECORDED},
        },
        "commit": commit(),
        "machine": {
            "system": platform.platform(),
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "device": torch.cuda.get_device_name(where) if where.type == "cuda" else where.type,
        },
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def processor() -> str:
    """Name the processor as the system does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def commit() -> str | None:
    """Return the commit this package was checked out at, with ``+changes`` if files differ; None if installed."""
    here = Path(__file__).resolve().parents[1]
    if not (here.parents[1] / ".git").exists():
        return None
    git = ["git", "-C", str(here)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run(
            [*git, "status", "--porcelain", "--", "."], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+changes" if changes.stdout.strip() else "")
