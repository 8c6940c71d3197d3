"""What `dreaming reproduce --dry-run` shows: the runs, what is there, and what they will cost here."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from dreaming.paper.plan.dry_run import Cost, estimate
from dreaming.paper.plan.plan import Plan, make_plan
from dreaming.paper.plan.profile import Profile
from dreaming.system.progress import console, duration


def dry_run(
    profile: Profile,
    only: Sequence[str] = (),
    out: str | Path | None = None,
    device: str = "auto",
    data_dir: str | Path | None = None,
) -> Plan:
    """Print the plan, its cost, and what cannot be measured here; run nothing, and write nothing.

    Raises
    ------
    UserError
        If there is no such figure, or the folder holds other runs.
    """
    place = Path(out) if out is not None else Path("reproduction") / profile.name
    plan = make_plan(profile, only, place, device)
    cost = estimate(plan)
    table = Table("run", "epochs", "state", "training left", "measuring left", "for")
    for run in plan.runs:
        table.add_row(
            run.title,
            f"{min(run.done, run.config.training.epochs)} of {run.config.training.epochs}",
            run.state + (", lacks epochs" if run.lacking else ""),
            _time(cost.training[run.title]),
            _time(cost.measuring[run.title]),
            ", ".join(run.figures),
        )
    console().print(table)
    print("\n".join([in_words(plan, cost), *plan.hindrances(data_dir)]))
    return plan


def _time(seconds: float) -> str:
    return duration(seconds) if seconds else "-"


def load_in_words(cost: Cost) -> str:
    """Return a sentence on the load under which a cost was measured, and on what it comes to without it."""
    load = cost.load
    average = (
        "" if load.average is None else f", with a load of {load.average:.1f} on {load.cores} cores before"
    )
    had = f"had a core for {100 * load.share:.0f} % of the time that it wanted one"
    if load.quiet:
        return f"While this was measured, the measuring thread {had}{average}."
    return (
        f"Others took cores while this was measured: the measuring thread {had}{average}. By what it computed, all "
        f"would take about {duration(cost.alone)} on a machine left alone; measure again there."
    )


def in_words(plan: Plan, cost: Cost) -> str:
    """Say in a few sentences what a plan comes to."""
    if not plan.runs:
        return f"{', '.join(plan.figures)}: no run is needed"
    finished = len(plan.runs) - len(plan.missing)
    training, measuring = sum(cost.training.values()), sum(cost.measuring.values())
    said = (
        f"{len(plan.runs)} runs for {len(plan.figures)} figures and tables, {finished} of them finished, into "
        f"{plan.out}. One after another on this machine, from a measured cycle of {cost.cycle:.0f} ms: about "
        f"{duration(training)} of training and, roughly, {duration(measuring)} of measuring; their snapshots take "
        f"{cost.megabytes / 1000:.1f} GB. {load_in_words(cost)}"
    )
    lacking = [run.lacking for run in plan.runs if run.lacking]
    return "\n".join([said, *lacking])
