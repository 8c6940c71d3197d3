"""What the watch over latents sees in runs that learn: how near they come to its thresholds (docs/measures.md)."""

import argparse
import tempfile
from collections.abc import Sequence

import torch

import dreaming
from dreaming.model.conditions import conditions
from dreaming.runs import findings
from dreaming.runs.folder import RunFolder
from dreaming.training import health


def lowest(condition: str, settings: Sequence[str]) -> str:
    """Train, and say the lowest spread, share and dimension of all epochs, and what was found."""
    seen: list[tuple[float, float, float]] = []
    judged = health.of_latents

    def watched(epoch: int, z: torch.Tensor) -> list[findings.Finding]:
        deviations = z.double().std(dim=0)
        typical = deviations.square().mean().sqrt()
        seen.append((float(typical), float(deviations.min() / typical), health.effective_dimension(z)))
        return judged(epoch, z)

    config = dreaming.configure(condition, settings=["training.snapshots=0", *settings])
    health.of_latents = watched
    try:
        with tempfile.TemporaryDirectory() as out:
            found = findings.so_far(RunFolder(dreaming.train(config, out=out)))
    finally:
        health.of_latents = judged
    spread, share, dimension = map(min, zip(*seen, strict=True))
    return (
        f"{spread:.2g}  {share:.2f}  {dimension:.3f}  {findings.as_lines(found, config.networks.latent_dim)}"
    )


def main() -> None:
    """Print a line for each condition."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("conditions", help="with commas between them, or all")
    parser.add_argument("settings", nargs="*", metavar="PATH=VALUE")
    given = parser.parse_args()
    named = [name for name in conditions() if name != "untrained"]
    for name in named if given.conditions == "all" else given.conditions.split(","):
        print(f"{name:20} {lowest(name, given.settings)}", flush=True)


if __name__ == "__main__":
    main()
