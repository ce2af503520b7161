"""`make drift-proof`: live through the spring of 2020 with the closed loop, beside a model left alone and nightly trainings.

Writes benchmarks/results/drift-proof.json and docs/images/drift-proof.png. See docs/drift-proof.md.
"""

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from batch.backtest_bootstrap import BacktestOptions, Outcome, Report, run
from batch.backtest_courses import Course, Stage
from batch.backtest_plot import draw
from batch.backtest_report import DAY, as_dict, errors_by, times_of
from batch.settings import BatchSettings
from benchmarks.report import machine
from domain.errors import InvalidInput, TripcastError

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "drift-proof.json"
PICTURE = ROOT / "docs" / "images" / "drift-proof.png"
NIGHTLY_DAYS = (21, 60, 120)
COLLAPSE, RECOVERY, END = "2020-03-16", "2020-04-01", "2020-07-01"  # local days
MARCH, END_OF_JUNE = np.datetime64("2020-03-01", "us"), np.datetime64(END, "us")
NIGHTLY_FROM = datetime(2020, 4, 1, 4, tzinfo=UTC)  # local midnight
NEEDED = ("2020-03", "2020-04", "2020-05", "2020-06")


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(prog="make drift-proof", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of yellow_tripdata_YYYY-MM.parquet and taxi_zones.csv")
    parser.add_argument("--candidates", default="xgboost-quick", help="what trainings try; all as the trainer does")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    try:
        files, zones = files_in(arguments.data)
        began = time.monotonic()
        with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console) as bar:
            outcome = run(BatchSettings.read(), _options(files, zones, arguments.candidates), _reporting(bar))
    except TripcastError as error:
        console.print(f"drift-proof: {error}", style="red", highlight=False, markup=False)
        raise SystemExit(2) from None
    found = proof_of(outcome) | {"seconds": round(time.monotonic() - began), "candidates": arguments.candidates}
    found |= {"files": [path.name for path in files], "machine": machine()}
    _write(found | as_dict(outcome.stage, outcome.courses), outcome)
    Console().print_json(data={key: value for key, value in found.items() if key not in {"files", "machine"}})


def files_in(folder: Path) -> tuple[list[Path], Path]:
    """The monthly files and the zones table. Raises InvalidInput that says what is missing."""
    files, zones = sorted(folder.glob("yellow_tripdata_*.parquet")), folder / "taxi_zones.csv"
    months = {path.stem.removeprefix("yellow_tripdata_") for path in files}
    missing = [f"yellow_tripdata_{month}.parquet" for month in NEEDED if month not in months]
    missing += [] if zones.exists() else [zones.name]
    if missing:
        raise InvalidInput(f"{folder} lacks {', '.join(missing)}: say DATA=<folder> with the monthly files and the zones table")
    return files, zones


def proof_of(outcome: Outcome) -> dict[str, Any]:
    """The figures that docs/drift-proof.md explains."""
    stage, courses = outcome.stage, {course.name: course for course in outcome.courses}
    drift, static = courses.pop("drift"), courses.pop("static")
    areas = {name: area_between(stage, static, course) for name, course in courses.items()}
    best = max(areas, key=lambda name: areas[name])
    return {
        "recovered_share": round(area_between(stage, static, drift) / areas[best], 4),
        "best_nightly": best,
        "confirmed_after_labels": confirmed_after_labels(stage, drift),
        "retrainings_from_march": len([at for at in _trainings(stage, drift) if MARCH <= at < END_OF_JUNE]),
        "retrainings_before_march": len([at for at in _trainings(stage, drift) if at < MARCH]),
        "retrainings_by_quarter": _by_quarter(stage, drift),
        "worst_month_before_march": worst_month(stage, static, drift),
    }


def area_between(stage: Stage, upper: Course, lower: Course) -> float:
    """Sum over the local days from RECOVERY on of what the daily RMSE of one course is above that of the other; minutes."""
    above, below = errors_by(stage, upper, DAY), errors_by(stage, lower, DAY)
    days = [day for day in above if RECOVERY <= day < END and day in below]
    return sum(above[day].rmse - below[day].rmse for day in days)


def confirmed_after_labels(stage: Stage, drift: Course) -> int | None:
    """How many trips of COLLAPSE and later had ended when the first drift after it was confirmed; None: never."""
    begins = np.datetime64(COLLAPSE, "us")
    for event in drift.events:
        at = times_of([event.minute])[0]
        if event.kind == "drift.confirmed" and stage.clock.local(np.array([at]))[0] >= begins:
            ended = (stage.local >= begins) & (stage.completions.dropoff_at < at)
            return int(ended.sum())
    return None


def worst_month(stage: Stage, static: Course, drift: Course) -> dict[str, float | str]:
    """The month before March 2020 in which the loop's champion did worst against the first model; minutes of RMSE."""
    old, new = errors_by(stage, static), errors_by(stage, drift)
    effects = {month: round(new[month].rmse - old[month].rmse, 4) for month in new if month < "2020-03"}
    worst = max(effects, key=lambda month: effects[month])
    return {"month": worst, "rmse_difference": effects[worst]}


def _trainings(stage: Stage, course: Course) -> list[np.datetime64]:
    return list(stage.clock.local(times_of(course.trainings)))


def _by_quarter(stage: Stage, course: Course) -> dict[str, int]:
    found: dict[str, int] = {}
    for at in _trainings(stage, course):
        month = int(at.astype("datetime64[M]").astype(int))
        quarter = f"{1970 + month // 12}-Q{month % 12 // 3 + 1}"
        found[quarter] = found.get(quarter, 0) + 1
    return found


def _options(files: list[Path], zones: Path, candidates: str) -> BacktestOptions:
    return BacktestOptions(files, zones, nightly_days=NIGHTLY_DAYS, nightly_from=NIGHTLY_FROM, candidates=candidates)


def _reporting(bar: Progress) -> Report:
    tasks: dict[str, Any] = {}

    def report(what: str, share: float) -> None:
        tasks.setdefault(what, None)
        if tasks[what] is None:
            tasks[what] = bar.add_task(what, total=1.0)
        bar.update(tasks[what], completed=share)

    return report


def _write(found: dict[str, Any], outcome: Outcome) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    draw(outcome.stage, outcome.courses, PICTURE)


if __name__ == "__main__":
    main()
