"""The training part of `make bench`: each candidate beside a plain call of its library, a process for each; then all of it.

`training` takes minutes. `training-large` has what would not fit: a random forest and a whole training with 1,000,000 rows.
"""

import os
import statistics
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from benchmarks.report import save, show
from benchmarks.training.measure import SIDES, Fit, fit, whole
from benchmarks.training.rows import write_rows
from benchmarks.world import World

FEW, MANY = 50_000, 1_000_000
CANDIDATES = ("linear_regression", "random_forest", "xgboost")
QUICK_WITH_MANY = ("linear_regression", "xgboost")
MOST_ROUNDS = 2

Rounds = dict[str, list[Fit]]  # by side
say = Console(stderr=True).print


def run(world: World, rounds: int) -> None:
    """Every candidate with 50,000 rows, those that take a minute at most with 1,000,000, a whole training with 50,000."""
    started, found = time.monotonic(), dict[str, Rounds]()
    few, many = write_rows(world.folder, FEW), write_rows(world.folder, MANY)
    for _ in range(min(rounds, MOST_ROUNDS)):
        for name in CANDIDATES:
            _beside(world, name, few, FEW, found)
    for name in QUICK_WITH_MANY:
        _beside(world, name, many, MANY, found)
    conclude("training", found, {FEW: _whole(world, FEW)}, started)


def run_large(world: World, rounds: int) -> None:  # noqa: ARG001 - as every part; one round takes minutes
    """The rest of it with 1,000,000 rows."""
    started, found = time.monotonic(), dict[str, Rounds]()
    _beside(world, "random_forest", write_rows(world.folder, MANY), MANY, found)
    conclude("training-large", found, {MANY: _whole(world, MANY)}, started)


def _beside(world: World, name: str, rows: Path, count: int, found: dict[str, Rounds]) -> None:
    threads = os.cpu_count() or 1
    for side in SIDES:
        measured = fit(world, side, name, rows, threads)
        found.setdefault(f"{name}_{count}", {}).setdefault(side, []).append(measured)
        say(f"{name}, {count:,} rows, {side}: {measured.seconds:.1f} s, {measured.peak_mb:,.0f} MB")


def _whole(world: World, count: int) -> Fit:
    say(f"a whole training with {count:,} trips")
    world.tripcast("simulate", "--history", str(count))
    return whole(world)


def conclude(part: str, found: dict[str, Rounds], trainings: dict[int, Fit], started: float) -> None:
    """Save and show."""
    results = results_of(found, trainings)
    details = {name: {side: [asdict(each) for each in fits] for side, fits in sides.items()} for name, sides in found.items()}
    save(part, results, details | {"took_seconds": round(time.monotonic() - started)})
    show("Training, beside plain calls", _rows(found, trainings, results), ("what", "figure", "reach"))


def results_of(found: dict[str, Rounds], trainings: dict[int, Fit]) -> dict[str, float]:
    """Numbers by name: our seconds and peak, and both in relation to the plain call."""
    results = dict[str, float]()
    for name, sides in found.items():
        seconds = {side: statistics.median(each.seconds for each in fits) for side, fits in sides.items()}
        peak = {side: max(each.peak_mb for each in fits) for side, fits in sides.items()}
        results |= {f"{name}_seconds": seconds["ours"], f"{name}_vs_plain": seconds["ours"] / seconds["plain"]}
        results |= {f"{name}_peak_mb": peak["ours"], f"{name}_peak_vs_plain": peak["ours"] / peak["plain"]}
    for count, training in trainings.items():
        results |= {f"whole_{count}_seconds": training.seconds, f"whole_{count}_peak_mb": training.peak_mb}
    return results


def _rows(found: dict[str, Rounds], trainings: dict[int, Fit], results: dict[str, float]) -> list[tuple[str, str, str]]:
    rows = list[tuple[str, str, str]]()
    for name in found:
        figures = f"{results[f'{name}_seconds']:.1f} s, {results[f'{name}_peak_mb']:,.0f} MB"
        ratios = f"{results[f'{name}_vs_plain']:.2f} times the seconds, {results[f'{name}_peak_vs_plain']:.2f} times the memory"
        rows += [(f"{name} rows", figures, ""), ("in relation to the plain call", ratios, "")]
    for count, training in trainings.items():
        rows.append((f"a whole training with {count:,} trips", f"{training.seconds:.0f} s, {training.peak_mb:,.0f} MB", ""))
    return rows
