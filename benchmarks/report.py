"""The results file and the table: what was measured, where and when; a part measured alone leaves the others' results.

BENCH_RESULTS=FILE writes elsewhere: a trial leaves the recorded figures alone.
"""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

RESULTS = Path(os.environ.get("BENCH_RESULTS") or Path(__file__).parent / "results" / "latest.json")


def save(part: str, results: dict[str, float], details: dict[str, Any]) -> None:
    """Replace one part's results: `<part>.<name>` for each number, and how they came about under `details`."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept = {name: value for name, value in known.items() if not name.startswith(f"{part}.")}
    kept |= {f"{part}.{name}": round(value, 4) for name, value in results.items()}
    kept["details"] = known.get("details", {}) | {
        part: {"measured_at": datetime.now(UTC).isoformat(timespec="seconds")} | machine() | details
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
    }


def show(title: str, rows: list[tuple[str, str, str]], columns: tuple[str, str, str]) -> None:
    """A table on the terminal."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
