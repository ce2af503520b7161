"""The results of a soak for people: tables of docs/reliability.md."""

from collections.abc import Mapping
from typing import Any

BEGIN, END = "<!-- soak:begin", "<!-- soak:end -->"
VERDICTS = {True: "yes", False: "**no**", None: "too short to tell"}


def tables(results: Mapping[str, Any]) -> str:
    """What was sent and found, the faults by kind, the memory by role."""
    machine = results["machine"]
    lines = [
        _said(results),
        "",
        "| fault | times | longest until caught up |",
        "|---|---|---|",
        *_faults(results["faults"]),
        "",
        "| role | memory at first | at the end | at most | slope between faults | a fault adds | flat |",
        "|---|---|---|---|---|---|---|",
        *(_role(name, found) for name, found in results["memory"].items()),
        "",
        _limits(results),
        "",
        f"{results['measured_at'][:10]}; {machine['cores']} cores, {machine['memory_gib']} GiB, Python {machine['python']}.",
    ]
    return "\n".join(lines)


def _said(results: Mapping[str, Any]) -> str:
    violations = sum(results["violations"].values())
    return (
        f"{results['minutes']:g} minutes at {results['rate']:,.0f} events/s (reached: {results['sent_per_second']:,.0f}), "
        f"{len(results['faults'])} faults, seed {results['seed']}: {results['sent']:,} events sent, {results['lost']} lost, "
        f"{results['doubled']} doubled, {violations} violations of any kind."
    )


def _limits(results: Mapping[str, Any]) -> str:
    return (
        "Slope: least squares, each stretch between two faults around its own mean, without the first "
        f"{results['warm_up_s'] / 60:g} minutes of a process's life, as many after it first led the closed loop, and a minute "
        "after each fault. Flat: at most "
        f"{results['flat_mib_per_hour']:g} MiB an hour, and {results['most_lifted_mib']:g} MiB by each fault on the mean."
    )


def document(page: str, results: Mapping[str, Any]) -> str:
    """The page with its tables as the results say."""
    before, _, rest = page.partition(BEGIN)
    head, _, _ = rest.partition("\n")
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{head}\n{tables(results)}\n{END}{after}"


def _faults(faults: list[dict[str, Any]]) -> list[str]:
    kinds = {
        kind: [fault["caught_up"] for fault in faults if fault["kind"] == kind] for kind in sorted({f["kind"] for f in faults})
    }
    return [f"| {kind} | {len(seconds)} | {max(seconds)} s |" for kind, seconds in kinds.items()]


def _role(name: str, found: Mapping[str, Any]) -> str:
    first, last, peak = (f"{found[each]:.0f} MiB" for each in ("first_mib", "last_mib", "peak_mib"))
    slope = "" if found["slope_mib_per_hour"] is None else f"{found['slope_mib_per_hour']:+.1f} MiB/h"
    lifted = "" if found["lifted_mib_per_fault"] is None else f"{found['lifted_mib_per_fault']:+.1f} MiB"
    return f"| {name} | {first} | {last} | {peak} | {slope} | {lifted} | {VERDICTS[found['flat']]} |"
