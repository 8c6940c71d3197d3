"""The measures, a module each: to register another one, name its module in `NAMES`.

The module's class is called as the module is, in capitals where words begin, and the module's docstring begins with
the measure's line of help.
"""

import ast
from pathlib import Path

NAMES = ("readout", "robustness", "organisation", "projection", "realism", "knn", "few_labels")


def help_text() -> str:
    """Return the line of help of each measure; the modules are read, not imported, which would take seconds.

    Examples
    --------
    >>> help_text().splitlines()[1]
    'robustness: how well classes are read out of the latents of occluded images (paper, figure 5)'
    """
    sources = {name: (Path(__file__).parent / f"{name}.py").read_text("utf-8") for name in NAMES}
    heads = [
        (ast.get_docstring(ast.parse(source)) or name).splitlines()[0] for name, source in sources.items()
    ]
    return "\n".join(head[:1].lower() + head[1:].removesuffix(".") for head in heads)
