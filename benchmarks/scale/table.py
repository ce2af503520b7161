"""The table of scale in docs/performance.md."""

from collections.abc import Callable

from benchmarks.figures import Results, table

RATE = None  # three digits
FIGURES = {
    "with 1 million trips stored before / with none": ("at_1m_rows", "{:.2f} times", ""),
    "with 10 million trips stored before / with none": ("at_10m_rows", "{:.2f} times", ">= 0.9"),
    "p99 at 1,000 events/s with none stored": ("p99_ms_at_1000_with_empty_rows", "{:.1f} ms", ""),
    "p99 at 1,000 events/s with 10 million": ("p99_ms_at_1000_with_10m_rows", "{:.1f} ms", ""),
    "the board's first snapshot with 10 million": ("snapshot_seconds_at_10m", "{:.2f} s", ""),
    "one worker, events/s": ("one_worker_events_per_second", RATE, ""),
    "two workers on the same cores, events/s": ("two_workers_events_per_second", RATE, ""),
    "two workers / one worker": ("two_workers", "{:.2f} times", ""),
    "catching up while trips go on, events/s": ("catch_up_events_per_second", RATE, ""),
    "from the worker's start until nothing is left": ("catch_up_seconds", "{:.1f} s", ""),
    "worker memory under the live traffic then, resident": ("rss_mb", "{:.0f} MB", ""),
    "start of the worker": ("worker_ready_seconds", "{:.1f} s", ""),
    "start of the API": ("api_ready_seconds", "{:.1f} s", ""),
    "start of the trainer": ("trainer_ready_seconds", "{:.1f} s", ""),
    "start of the board": ("board_ready_seconds", "{:.1f} s", ""),
}


def rows(results: Results) -> list[tuple[str, str, str]]:
    """What was asked, the figure, the reach."""
    return [
        (what, results.rate(f"scale.{name}") if form is None else results.figure(f"scale.{name}", form), reach)
        for what, (name, form, reach) in FIGURES.items()
    ]


def figures(results: Results) -> str:
    """One row for each question."""
    return f"{table(('what', 'figure', 'reach'), rows(results))}\n\n{results.measured('scale')}"


TABLES: dict[str, Callable[[Results], str]] = {"scale": figures}
