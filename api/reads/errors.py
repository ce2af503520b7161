"""The mature error as a number and as a series, from the roll-ups' steps. Pure. Times are event time."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from api.reads.levels import error_level
from api.reads.periods import SPARK
from domain.entities.watched import ErrorStep, ErrorSteps, Reference
from schemas.http.snapshot import ErrorSeries, MatureErrorCard

DIGITS = 5


@dataclass(frozen=True, slots=True)
class Errors:
    """Sums of errors over settled trips, minutes."""

    settled: int = 0
    abs_error: float = 0.0
    square_error: float = 0.0

    @property
    def mae(self) -> float | None:
        """Mean absolute error; None without trips."""
        return round(self.abs_error / self.settled, DIGITS) if self.settled else None

    @property
    def rmse(self) -> float | None:
        """Root of the mean square."""
        return round(math.sqrt(self.square_error / self.settled), DIGITS) if self.settled else None


@dataclass(frozen=True, slots=True)
class ErrorReading:
    """One reading of the roll-ups: the chart, and the number of the period and of the one before."""

    series: ErrorSeries
    now: Errors
    before: Errors


def reading_of(
    found: ErrorSteps, since: datetime, reference: Reference | None, champion: int | None, challenger: int | None
) -> ErrorReading:
    """`since`: where the period begins in event time, maturity included; what lies before it is for comparison."""
    mature = [step for step in found.steps if step.mature]
    shown = _whole([step for step in found.steps if step.at >= since])
    series = ErrorSeries(
        times=[step.at for step in shown],
        step_minutes=found.step_minutes,
        trips=[step.settled for step in shown],
        mae_minutes=[_ratio(step.abs_error, step.settled) for step in shown],
        challenger_mae_minutes=[_ratio(step.challenger_abs_error, step.challenger_settled) for step in shown],
        interval_coverage=[_ratio(step.covered, step.settled) for step in shown],
        mature_until=found.mature_until,
        reference_mae_minutes=reference.mae_minutes if reference else None,
        reference_rmse_minutes=reference.rmse_minutes if reference else None,
        champion=champion,
        challenger=challenger,
    )
    return ErrorReading(series, _sum(s for s in mature if s.at >= since), _sum(s for s in mature if s.at < since))


def card_of(reading: ErrorReading | None, label_delay_seconds: float | None) -> MatureErrorCard:
    """The number card; unknown before anything was read."""
    if reading is None:
        return MatureErrorCard(
            mae_minutes=None,
            rmse_minutes=None,
            previous_mae_minutes=None,
            trips=0,
            label_delay_seconds=label_delay_seconds,
            level="unknown",
            spark=[],
        )
    series, until = reading.series, reading.series.mature_until
    values = [mae for at, mae in zip(series.times, series.mae_minutes, strict=True) if until is not None and at < until]
    return MatureErrorCard(
        mae_minutes=reading.now.mae,
        rmse_minutes=reading.now.rmse,
        previous_mae_minutes=reading.before.mae,
        trips=reading.now.settled,
        label_delay_seconds=label_delay_seconds,
        level=error_level(reading.now.mae, series.reference_mae_minutes),
        spark=thinned(values),
    )


def thinned(values: list[float | None]) -> list[float | None]:
    """At most SPARK of them, evenly, the newest among them."""
    if len(values) <= SPARK:
        return values
    return [values[len(values) - 1 - place * (len(values) - 1) // (SPARK - 1)] for place in reversed(range(SPARK))]


def _whole(steps: list[ErrorStep]) -> list[ErrorStep]:
    """The step that maturity divides, made one again."""
    whole: list[ErrorStep] = []
    for step in steps:
        if whole and whole[-1].at == step.at:
            whole[-1] = _both(whole[-1], step)
        else:
            whole.append(step)
    return whole


def _both(one: ErrorStep, other: ErrorStep) -> ErrorStep:
    return ErrorStep(
        at=one.at,
        mature=False,
        trips=one.trips + other.trips,
        settled=one.settled + other.settled,
        abs_error=one.abs_error + other.abs_error,
        square_error=one.square_error + other.square_error,
        covered=one.covered + other.covered,
        challenger_settled=one.challenger_settled + other.challenger_settled,
        challenger_abs_error=one.challenger_abs_error + other.challenger_abs_error,
    )


def _sum(steps: Iterable[ErrorStep]) -> Errors:
    listed = list(steps)
    return Errors(
        sum(step.settled for step in listed), sum(step.abs_error for step in listed), sum(step.square_error for step in listed)
    )


def _ratio(total: float, count: int) -> float | None:
    return round(total / count, DIGITS) if count else None
