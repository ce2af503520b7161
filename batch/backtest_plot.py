"""The picture of a backtest: weekly error of each course, and what the closed loop did when."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from batch.backtest_courses import Course, Stage
from batch.backtest_report import WEEK, errors_by, times_of

DOTS_PER_INCH = 110
MARKS = {  # what happened: colour, line, and what the legend calls it
    "drift.confirmed": ("tab:red", "-", "drift confirmed"),
    "model.promoted": ("tab:green", "--", "promoted"),
    "model.rolled_back": ("tab:purple", "--", "rolled back"),
    "feed.fault": ("tab:orange", ":", "feed fault"),
}


def draw(stage: Stage, courses: Sequence[Course], path: Path) -> None:
    """Write a PNG; the same bytes for the same input."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.add_subplot()
    for course in courses:
        weeks = errors_by(stage, course, WEEK)
        style = {"linewidth": 2.2, "color": "black"} if course.name == "drift" else {"linewidth": 1.2}
        axes.plot(
            np.array(list(weeks), dtype="datetime64[D]"), [week.rmse for week in weeks.values()], label=course.name, **style
        )
    for course in courses:
        _mark(axes, stage, course)
    axes.set(xlabel="week", ylabel="RMSE, minutes", title="Error of mature predictions by week")
    axes.legend(loc="upper left", ncols=2)
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})


def _mark(axes: Axes, stage: Stage, course: Course) -> None:
    named = set[str]()
    for event in course.events:
        if event.kind not in MARKS or event.reason == "the first champion":
            continue
        colour, line, name = MARKS[event.kind]
        when = stage.clock.local(times_of([event.minute]))[0]
        axes.axvline(when, color=colour, linestyle=line, linewidth=0.9, alpha=0.7, label=None if name in named else name)
        named.add(name)
