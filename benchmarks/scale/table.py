"""The tables of scale in docs/performance.md."""

from collections.abc import Callable

from benchmarks.figures import Results, table

ROLES = ("worker", "api", "trainer", "board")


def figures(results: Results) -> str:
    """One row for each question."""
    rows = [
        ("two workers / one worker, on the same cores", results.figure("scale.two_workers", "{:.2f} times"), ""),
        ("catching up while 2,000 events/s go on coming", results.rate("scale.catch_up_events_per_second"), "events/s"),
        ("an outage's backlog is gone after", results.figure("scale.catch_up_seconds", "{:.1f} s"), ""),
        *(
            (f"start of the {role}, to its first 200", results.figure(f"scale.{role}_ready_seconds", "{:.1f} s"), "")
            for role in ROLES
        ),
    ]
    return f"{table(('what', 'figure', 'unit'), rows)}\n\n{results.measured('scale')}"


TABLES: dict[str, Callable[[Results], str]] = {"scale": figures}
