"""Pictures of a training for the MLflow page: where it errs, and what it looks at."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from batch.compare import Contender
from batch.labelled import LabelledTrips
from domain.features import FEATURES

MOST_POINTS = 20_000
SHOWN_IMPORTANCES = 15
DOTS_PER_INCH = 100


def draw(contender: Contender, labelled: LabelledTrips, folder: Path) -> None:
    """Write `error_by_hour.png`, `predicted_against_actual.png` and `importances.png`."""
    plots: dict[str, Callable[[Axes], None]] = {
        "error_by_hour": lambda axes: _error_by_hour(axes, contender, labelled),
        "predicted_against_actual": lambda axes: _predicted_against_actual(axes, contender, labelled),
        "importances": lambda axes: _importances(axes, contender),
    }
    for name, plot in plots.items():
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.add_subplot()
        plot(axes)
        figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH)


def _error_by_hour(axes: Axes, contender: Contender, labelled: LabelledTrips) -> None:
    local = labelled.clock.local(labelled.trips.pickup_at[contender.held_out])
    hour = (local - local.astype("datetime64[D]")).astype("timedelta64[h]").astype(np.intp)
    error = np.abs(contender.predicted - labelled.seconds[contender.held_out]) / 60
    count = np.maximum(np.bincount(hour, minlength=24), 1)
    axes.bar(np.arange(24), np.bincount(hour, weights=error, minlength=24) / count)
    axes.set(title=f"{contender.candidate.name}: error by hour, held out by time", xlabel="local hour", ylabel="MAE, minutes")


def _predicted_against_actual(axes: Axes, contender: Contender, labelled: LabelledTrips) -> None:
    step = -(-len(contender.held_out) // MOST_POINTS)
    actual, predicted = labelled.seconds[contender.held_out][::step] / 60, contender.predicted[::step] / 60
    axes.scatter(actual, predicted, s=2, alpha=0.3)
    axes.plot([0, 120], [0, 120], color="black", linewidth=1)
    axes.set(title=f"{contender.candidate.name}: held out by time", xlabel="actual, minutes", ylabel="predicted, minutes")


def _importances(axes: Axes, contender: Contender) -> None:
    importances = contender.fitted.importances()
    first = np.argsort(importances)[-SHOWN_IMPORTANCES:]
    axes.barh([FEATURES[position] for position in first], importances[first] / max(importances.sum(), 1e-12))
    axes.set(title=f"{contender.candidate.name}: importances", xlabel="share")
