"""`make chaos`: break every promise on purpose, print a table, write benchmarks/results/chaos.json and docs/reliability.md."""

import argparse
import json
import os
import subprocess
import sys

from rich.console import Console
from rich.table import Table

from tests.chaos.outcome import PAGE, PROMISES, REPOSITORY, RESULTS, document


def main() -> int:
    """Exit code of pytest: 0 only if every promise that was tried held."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--only", type=int, choices=sorted(PROMISES), metavar="N", help="one promise, 1 to 23")
    only = parser.parse_args().only
    environment = os.environ | {"CHAOS": "full", "CHAOS_RESULTS": str(RESULTS)} | ({"CHAOS_ONLY": str(only)} if only else {})
    code = subprocess.run(_command(only), cwd=REPOSITORY, env=environment, check=False).returncode
    if RESULTS.exists():
        results = json.loads(RESULTS.read_text())
        PAGE.write_text(document(PAGE.read_text(), results))
        _show(results)
    return code


def _command(only: int | None) -> list[str]:
    files = sorted((REPOSITORY / "tests" / "chaos" / "promises").glob(f"test_p{only:02}_*.py" if only else "test_p*.py"))
    return [sys.executable, "-m", "pytest", "-v", "-p", "no:xdist", "-m", "promise", *map(str, files)]


def _show(results: dict[str, object]) -> None:
    table = Table(title="Promises, broken on purpose")
    for column in ("#", "promise", "sent", "lost", "doubled", "recovered", "took", "held"):
        table.add_column(column, justify="left" if column == "promise" else "right")
    for number, tried in results["promises"].items():  # type: ignore[attr-defined]
        recovered = "" if tried["recovery_s"] is None else f"{tried['recovery_s']} s"
        counts = (f"{tried['sent']:,}", str(tried["lost"]), str(tried["doubled"])) if tried["sent"] else ("", "", "")
        table.add_row(
            number, tried["promise"], *counts, recovered, f"{tried['duration_s']} s", "yes" if tried["held"] else "NO"
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
