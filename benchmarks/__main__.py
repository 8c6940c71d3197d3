"""One command, one subcommand for each question: ``python -m benchmarks cycle --rounds 20``."""

import sys

from benchmarks import settled
from dreaming.system.threads import settle

settled.update(settle())  # before anything imports torch

from tyro.extras import subcommand_cli_from_dict

from benchmarks import (
    cycle,
    data,
    endurance,
    evaluation,
    every,
    interruption,
    layers,
    memory,
    population,
    readout,
    record,
    scaling,
    waiting,
)
from dreaming.errors import UserError

SUBCOMMANDS = {
    "cycle": cycle.main,
    "layers": layers.main,
    "data": data.main,
    "readout": readout.main,
    "evaluation": evaluation.main,
    "memory": memory.main,
    "scaling": scaling.main,
    "population": population.main,
    "endurance": endurance.main,
    "interruption": interruption.main,
    "waiting": waiting.main,
    "all": every.main,
    "table": record.main,
}

if __name__ == "__main__":
    try:
        subcommand_cli_from_dict(SUBCOMMANDS, prog="python -m benchmarks", description=__doc__)
    except UserError as mistake:
        print(mistake, file=sys.stderr)
        sys.exit(2)
