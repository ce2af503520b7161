"""The results of a fault run: a line for each test, one file, one table in docs/reliability.md."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import machine
from tests.chaos.report import PROPERTY

REPOSITORY = Path(__file__).parent.parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results" / "chaos.json"
PAGE = REPOSITORY / "docs" / "reliability.md"
BEGIN, END = "<!-- chaos:begin", "<!-- chaos:end -->"
PROMISES = {
    1: "no acknowledged event is lost",
    2: "each event has its effect once",
    3: "a bad event stops nobody",
    4: "a database outage quarantines nothing",
    5: "a dead letter is durable before the offset moves",
    6: "failover and a crashed backend are survived",
    7: "a silent network is bounded",
    8: "a broker restart is survived",
    9: "a frozen worker cannot harm",
    10: "rebalance storms leave no partition silent",
    11: "models switch atomically, every row names its version",
    12: "MLflow down has no effect on scoring",
    13: "health tells the truth",
    14: "overload is refused, not absorbed",
    15: "SIGTERM loses nothing",
    16: "a full disk is an infrastructure error",
    17: "clock errors do no harm",
    18: "one drift episode, one retraining",
    19: "retraining cannot make things worse",
    20: "training and serving see the same features",
    21: "many may start and migrate at once",
    22: "the board outlives everything",
    23: "absence of loss can be proven at any time",
}
Lines = list[dict[str, Any]]


def tell_promises(terminal: pytest.TerminalReporter) -> None:
    """Write each test's line, and the results file if CHAOS_RESULTS names one."""
    lines = [dict(properties) for properties in _properties(terminal)]
    if not lines:
        return
    terminal.write_sep("=", "promises")
    for line in sorted(lines, key=lambda line: (line["promise"], line["test"])):
        terminal.write_line(_told(line))
    if path := os.environ.get("CHAOS_RESULTS"):
        save(lines, Path(path))


def _properties(terminal: pytest.TerminalReporter) -> Iterable[Mapping[str, Any]]:
    """The property is complete only when the fixture has ended: on the report of the teardown."""
    for reports in terminal.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "teardown":
                yield from (value for name, value in report.user_properties if name == PROPERTY)


def _told(line: Mapping[str, Any]) -> str:
    recovery = "" if line["recovery_s"] is None else f", recovered in {line['recovery_s']} s"
    if line["skipped"]:
        return f"{line['promise']:>2} NOT TRIED {line['test']}: {line['skipped']}"
    held = "held  " if line["held"] else "BROKEN"
    return (
        f"{line['promise']:>2} {held} {line['test']}: {line['fault']}; {line['duration_s']} s, "
        f"sent {line['sent']}, lost {line['lost']}, doubled {line['doubled']}{recovery}"
    )


def save(lines: Lines, path: Path = RESULTS) -> None:
    """Replace the results of the promises that were tried; the others' stay."""
    known = json.loads(path.read_text()) if path.exists() else {}
    promises: dict[str, Any] = known.get("promises", {})
    by_promise: dict[int, Lines] = defaultdict(list)
    for line in lines:
        by_promise[line["promise"]].append(line)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    promises |= {str(number): _joined(number, of_it) | {"measured_at": now} for number, of_it in by_promise.items()}
    ordered = {number: promises[number] for number in sorted(promises, key=int)}
    path.write_text(json.dumps({"machine": machine(), "promises": ordered}, indent=2) + "\n")


def _joined(number: int, lines: Lines) -> dict[str, Any]:
    """One promise: held if each of its tests held, with what they sent together and the longest recovery."""
    recoveries = [line["recovery_s"] for line in lines if line["recovery_s"] is not None]
    return {
        "promise": PROMISES[number],
        "held": all(line["held"] for line in lines),
        "sent": sum(line["sent"] for line in lines),
        "lost": sum(line["lost"] for line in lines),
        "doubled": sum(line["doubled"] for line in lines),
        "recovery_s": max(recoveries, default=None),
        "duration_s": round(sum(line["duration_s"] for line in lines), 1),
        "tests": [{name: line[name] for name in line if name not in {"promise", "full"}} for line in lines],
    }


def table(results: Mapping[str, Any]) -> str:
    """The table for the documents; promises that were not tried are named as such."""
    rows = ["| # | promise | fault | sent | lost | doubled | recovered | held |", "|---|---|---|---|---|---|---|---|"]
    for number, promise in PROMISES.items():
        tried = results["promises"].get(str(number))
        rows.append(_row(number, tried) if tried else f"| {number} | {promise} | not tried | | | | | |")
    machine = results["machine"]
    dates = sorted(tried["measured_at"][:10] for tried in results["promises"].values())
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    return "\n".join([*rows, "", f"{when}; {machine['cores']} cores, {machine['memory_gib']} GiB, Python {machine['python']}."])


def _row(number: int, tried: Mapping[str, Any]) -> str:
    faults = "; ".join(f"not tried ({test['skipped']})" if test["skipped"] else test["fault"] for test in tried["tests"])
    recovered = "" if tried["recovery_s"] is None else f"{tried['recovery_s']} s"
    counts = f"{tried['sent']:,} | {tried['lost']} | {tried['doubled']}" if tried["sent"] else " | | "
    return f"| {number} | {tried['promise']} | {faults} | {counts} | {recovered} | {told(tried)} |"


def told(tried: Mapping[str, Any]) -> str:
    """A promise of which a test was skipped is neither held nor broken, unless another of its tests broke it."""
    if tried["held"]:
        return "yes"
    broken = any(not test["held"] and not test["skipped"] for test in tried["tests"])
    return "**no**" if broken else "not tried"


def document(page: str, results: Mapping[str, Any]) -> str:
    """The page with its table as the results say."""
    before, _, rest = page.partition(BEGIN)
    head, _, _ = rest.partition("\n")
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{head}\n{table(results)}\n{END}{after}"
