"""One word for one thing: find public names that two modules define, and words that were given up.

``python scripts/check_names.py`` lists them and ends with status 1, or says that all is well.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "dreaming"

# Names that mean the same wherever they are defined.
CONTRACTS = {
    "main": "the entry of a program",
    "conv": "the one convolution, and its way by tiles",
    "conv_transpose": "its adjoint, and the way by tiles",
    "phase_objective": "the objective of a phase, for one cortex and for many",
    "SOURCE": "what is known of a data set, beside its reader",
    "CLASSES": "the names of a data set's labels, beside its reader",
    "BATCHES": "how a data set's pickled batches are called, beside its reader",
    "read_archive": "the reader of a data set's archive",
    "read_parquets": "the reader of a data set's parquet files",
    "FIGURE": "what is known of a figure, beside its drawing",
    "plot": "draws a figure from its table",
}

# Words that were given up, each for the one that stands for the thing now.
GIVEN_UP = {
    "Life": "TrainingState",
    "Session": "Run",
    "Silence": "NoProgress",
    "Display": "TerminalProgress",
    "crowd": "ensemble",
    "happening": "active_phases",
    "happens": "is_active",
    "hindrance": "unavailable",
    "insist": "raise_failures",
    "foresight": "dry_run",
    "laboratory": "own_conditions",
    "gathering": "results",
    "coarsen": "conv",
    "refine": "conv_transpose",
    "correlate": "conv_weight_grad",
    "Way": "ObjectiveFn",
    "Program": "CapturedCycle",
    "Subjects": "SnapshotBatch",
    "opened": "open_run",
    "born": "initial",
    "lived": "run_cycle",
    "live": "run_cycle",
    "gather": "stack",
    "gathered": "results_of",
    "scatter": "unstack",
    "advice": "auto_path",
    "by_rule": "auto_precision",
    "stages": "schedule",
}


def names_of(targets: Iterable[ast.expr]) -> Iterator[str]:
    """Yield the names that an assignment defines."""
    for node in (node for target in targets for node in ast.walk(target)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def defined(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the functions, classes, parameters and variables that nodes define."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield from names_of(node.targets if isinstance(node, ast.Assign) else [node.target])


def mistakes(source: Path = SOURCE) -> list[str]:
    """List names with two homes, and words that were given up."""
    homes: dict[str, list[str]] = defaultdict(list)
    found = []
    for file in sorted(source.rglob("*.py")):
        tree, module = ast.parse(file.read_text(encoding="utf-8")), file.relative_to(source).as_posix()
        for name in set(defined(tree.body)) - set(CONTRACTS):
            if not name.startswith("_"):
                homes[name].append(module)
        given_up = set(defined(ast.walk(tree))) & set(GIVEN_UP)
        found += [f"{module}: {name} is called {GIVEN_UP[name]}" for name in given_up]
    twice = {name: modules for name, modules in homes.items() if len(modules) > 1}
    return found + [f"{name} is defined in {', '.join(modules)}" for name, modules in twice.items()]


if __name__ == "__main__":
    said = sorted(mistakes())
    print("\n".join(said) or "one word for one thing")
    sys.exit(bool(said))
