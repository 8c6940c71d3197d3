"""What a benchmark leaves behind: ``DATE_NAME/record.json``, and its tables as a page, ``README.md``."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import Row, Table
from dreaming.system import hardware
from dreaming.system.disk import write
from dreaming.system.threads import cores

RECORDS = Path(__file__).parent / "records"


@dataclass
class Record:
    """One benchmark on its way: it settles the process, notes the load before, and writes what was found.

    Attributes
    ----------
    name
        Of the record's folder, ``OUT/DATE_NAME``.
    out
        The folder of records.
    threads
        torch's threads; None leaves them.
    device
        As in a config.
    module
        The program that makes it.
    """

    name: str
    out: Path = RECORDS
    threads: int | None = None
    device: str = "cpu"
    module: str = "benchmarks"
    load: tuple[float, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        self.load = os.getloadavg() if hasattr(os, "getloadavg") else ()
        if self.threads:
            torch.set_num_threads(self.threads)
        self.where = hardware.device(self.device)

    def write(
        self,
        tables: Sequence[Table],
        measured: Mapping[str, Any],
        settings: Mapping[str, Any],
        notes: str,
        *,
        baseline: str,
        headlines: Sequence[Row],
    ) -> Path:
        """Write the record into a new folder, and print its page.

        Parameters
        ----------
        tables
            Titles and rows.
        measured
            All that was measured, by unit.
        settings
            What was asked for.
        notes
            What was compared with what.
        baseline
            Beside what it was measured, in a sentence.
        headlines
            Rows for the table of all records.

        Returns
        -------
        Path
            The folder.
        """
        environment = hardware.record(self.where)
        record = {
            "benchmark": self.name,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": ["python", "-m", self.module, *environment["command"][1:]],
            "settings": {
                key: str(v) if isinstance(v, Path) else v for key, v in settings.items() if key != "out"
            },
            "threads": torch.get_num_threads(),
            "cores_allowed": cores(),
            "load_before": [round(value, 2) for value in self.load],
            "environment": environment,
            "baseline": baseline,
            "headlines": list(headlines),
            "results": [{"title": title, "rows": rows} for title, rows in tables],
            "notes": notes,
            "measured": rounded(measured),
        }
        folder = self._new_folder(record["date"][:10])
        page = rendered(record)
        write(folder / "record.json", as_json(record).encode())
        write(folder / "README.md", page.encode())
        print(f"{page}\n{folder}")
        return folder

    def _new_folder(self, date: str) -> Path:
        names = [f"{date}_{self.name}", *(f"{date}_{self.name}_{i}" for i in range(2, 1000))]
        folder = next(self.out / name for name in names if not (self.out / name).exists())
        folder.mkdir(parents=True)
        return folder


def rounded(value: Any) -> Any:
    """Numbers with six digits, at any depth."""
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def as_json(record: Mapping[str, Any]) -> str:
    """JSON with each list of numbers on one line."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    return re.sub(r"\[[-+.\de,\s]*\]", _on_one_line, text) + "\n"


def _on_one_line(found: re.Match[str]) -> str:
    return f"[{' '.join(found[0][1:-1].split())}]"


def rendered(record: Mapping[str, Any]) -> str:
    """The record as a page of tables; nothing on it that is not in the record."""
    machine, versions = record["environment"]["machine"], record["environment"]["versions"]
    load = ", ".join(str(value) for value in record["load_before"])
    parts = [
        f"# {record['benchmark']}, {record['date'][:10]}",
        f"    {' '.join(record['command'])}",
        f"Commit {record['environment']['commit']}; {machine['processor']}, {record['threads']} threads on "
        f"{record['cores_allowed']} of {machine['cores']} cores, device {machine['device']}; "
        f"torch {versions['torch']}, Python {versions['python']}; load before: {load}.",
        f"Baseline: {record['baseline']}",
    ]
    for table in record["results"]:
        parts += [f"## {table['title']}", markdown(table["rows"])]
    return "\n\n".join([*parts, record["notes"]]) + "\n"


def markdown(rows: Sequence[Row]) -> str:
    """A table; a column is there if any row has it."""
    columns = list(dict.fromkeys(key for found in rows for key in found))
    lines = [columns, ["---"] * len(columns), *([cell(found.get(c)) for c in columns] for found in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: Any) -> str:
    """A number with four digits at most; of statistics, the median with the quartiles."""
    if isinstance(value, Mapping):
        return f"{value['median']:.3g} ({value['q1']:.3g}–{value['q3']:.3g})"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return "" if value is None else str(value)


def main(records: Path = RECORDS) -> str:
    """Print one table of the newest record of each benchmark.

    Parameters
    ----------
    records
        The folder of records.
    """
    newest: dict[str, tuple[str, Path, dict[str, Any]]] = {}
    for path in records.glob("*/record.json"):
        found = json.loads(path.read_text(encoding="utf-8"))
        held = newest.get(found["benchmark"])
        if held is None or (found["date"], path) > held[:2]:
            newest[found["benchmark"]] = (found["date"], path, found)
    rows = [
        {"what": line[""], **measured(line), "record": f"[{path.parent.name}](records/{path.parent.name})"}
        for _, path, found in sorted(newest.values(), key=lambda each: each[:2])
        for line in found["headlines"]
    ]
    table = markdown(rows) if rows else f"there are no records in {records}"
    print(table)
    return table


def measured(line: Row) -> Row:
    """A headline as it stands in the table of all records."""
    value = f"{cell(line['median'])} {line['unit']}"
    return {"median": value, "n": line["n"], "beside": line.get("beside"), "× as long": line.get("in turn")}
