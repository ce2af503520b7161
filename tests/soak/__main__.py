"""`make soak`: the whole system under a steady load and faults of all kinds; nothing lost, and memory that does not grow.

Writes benchmarks/results/soak.json and the tables of docs/reliability.md; SOAK_RESULTS=FILE writes there alone.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks.report import machine
from tests.soak.run import Options, soak
from tests.soak.table import document, tables

REPOSITORY = Path(__file__).parent.parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results" / "soak.json"
PAGE = REPOSITORY / "docs" / "reliability.md"


def main() -> int:
    """Exit code 1 when something was lost, doubled or changed, or when memory grew."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=2000.0, help="events/s")
    parser.add_argument("--seed", type=int, default=1, help="of the city and of the faults' schedule")
    parser.add_argument("--keep", type=Path, help="a folder for data and logs, which are kept")
    given = parser.parse_args()
    console = Console(highlight=False, markup=False)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells every attempt to reach a broker that we have killed
    with tempfile.TemporaryDirectory(prefix="tripcast-soak-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        results = asyncio.run(soak(Options(given.minutes, given.rate, given.seed), folder))
    results |= {"machine": machine(), "measured_at": datetime.now(UTC).isoformat(timespec="seconds")}
    elsewhere = os.environ.get("SOAK_RESULTS")
    Path(elsewhere or RESULTS).write_text(json.dumps(results, indent=2) + "\n")
    if not elsewhere:
        PAGE.write_text(document(PAGE.read_text(), results))
    console.print(tables(results))
    for words, count in results["violations"].items():
        console.print(f"{count} times such as: {words}", style="red")
    return 0 if results["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
