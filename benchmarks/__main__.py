"""One command, one subcommand for each question: ``python -m benchmarks cycle --rounds 20``."""

from tyro.extras import subcommand_cli_from_dict

from benchmarks import cycle, data, layers, memory, population, readout, scaling

SUBCOMMANDS = {
    "cycle": cycle.main,
    "layers": layers.main,
    "data": data.main,
    "readout": readout.main,
    "memory": memory.main,
    "scaling": scaling.main,
    "population": population.main,
}

if __name__ == "__main__":
    subcommand_cli_from_dict(SUBCOMMANDS, prog="python -m benchmarks", description=__doc__)
