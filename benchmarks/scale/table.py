"""The table of scale in docs/performance.md."""

from collections.abc import Callable

from benchmarks.figures import Results, table

FIGURES = {
    "one worker, events/s": ("one_worker_events_per_second", None),
    "two workers, events/s": ("two_workers_events_per_second", None),
    "two workers / one worker": ("two_workers", "{:.2f} times"),
    "catching up, live traffic included, events/s": ("catch_up_events_per_second", None),
    "from the worker's start until nothing is left": ("catch_up_seconds", "{:.1f} s"),
    "worker memory afterwards, resident": ("rss_mb", "{:.0f} MB"),
    "its slope under the live traffic": ("rss_mb_per_hour", "{:+.0f} MB/h"),
    "start of the worker": ("worker_ready_seconds", "{:.1f} s"),
    "start of the API": ("api_ready_seconds", "{:.1f} s"),
    "start of the trainer": ("trainer_ready_seconds", "{:.1f} s"),
    "start of the board": ("board_ready_seconds", "{:.1f} s"),
}


def rows(results: Results) -> list[tuple[str, str]]:
    """What was asked, and the figure."""
    return [
        (what, results.figure(f"scale.{name}", form) if form else results.rate(f"scale.{name}"))
        for what, (name, form) in FIGURES.items()
    ]


def figures(results: Results) -> str:
    """One row for each question."""
    return f"{table(('what', 'figure'), rows(results))}\n\n{results.measured('scale')}"


TABLES: dict[str, Callable[[Results], str]] = {"scale": figures}
