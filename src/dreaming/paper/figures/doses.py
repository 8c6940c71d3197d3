"""Doses: accuracy on clean and on occluded images over the values of a field of PAD's config."""

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dreaming.paper.figures.drawing import PANEL, STYLE, curve, dataset_title, say_gaps
from dreaming.paper.published import ACCURACY, OCCLUDED
from dreaming.paper.tables import Tables, by_seed, figure_table, measured

CURVES = (
    (ACCURACY, "clean images", {"color": "#000000", "marker": "o"}),
    (OCCLUDED, "mean over 10 to 90 % occlusion", {"color": "#E69F00", "marker": "s"}),
)
WHOLE = ("0.0", "1.0")
"""No occlusion, and nothing but occlusion: neither is part of the mean."""


def prepare(tables: Tables) -> pd.DataFrame:
    """Take accuracies at the end of training, at each dose: a row has the field, and the value it was given."""
    table = figure_table("doses", tables)
    about = [(dose.field, dose.value, dose.condition) for dose in tables.profile.doses]
    doses = pd.DataFrame(about, columns=["field", "dose", "condition"])
    return doses.merge(table, on="condition")[[*table.columns, "field", "dose"]]


def plot(table: pd.DataFrame) -> Figure:
    """Draw a row for each field and a panel for each data set."""
    own = measured(table)
    datasets, fields = (list(dict.fromkeys(own[column])) for column in ("dataset", "field"))
    with rc_context(STYLE):
        size = (PANEL[0] * len(datasets) + 0.4, PANEL[1] * len(fields))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(fields), len(datasets), squeeze=False)
        for row, field in zip(panels, fields, strict=True):
            for panel, dataset in zip(row, datasets, strict=True):
                _panel(panel, own[(own["dataset"] == dataset) & (own["field"] == field)], field)
                panel.set_title(dataset_title(dataset), loc="left")
        panels[0, 0].legend(loc="best")
        say_gaps(figure, table)
    return figure


def _panel(panel: Axes, table: pd.DataFrame, field: str) -> None:
    places = _places(list(dict.fromkeys(table["dose"])))
    for measure, label, style in CURVES:
        own = table[(table["measure"] == measure) & ~table["parameter"].str.partition(";")[0].isin(WHOLE)]
        own = own[own["parameter"].eq("latent") if measure == ACCURACY else own["parameter"].notna()]
        # A mean over occlusions of which one is missing would be another mean.
        mean = own.groupby(["dose", "seed"])["value"].agg(lambda values: values.mean(skipna=False))
        spread = by_seed(mean.reset_index().assign(place=lambda rows: rows["dose"].map(places)), "place")
        curve(panel, 100 * spread, label, {"color": style["color"]}, {"marker": style["marker"], "ms": 4})
    if any(str(place) != dose and float(place) != _number(dose) for dose, place in places.items()):
        panel.set_xticks(list(places.values()), list(places))
    panel.set_xlabel(field)
    panel.set_ylabel("Linear readout accuracy (%)")


def _places(values: list[str]) -> dict[str, float]:
    """Place numbers where they are, and words one after another."""
    numbers = [_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    return dict(zip(values, known if len(known) == len(values) else range(len(values)), strict=True))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
