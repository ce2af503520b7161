"""What comes in: its drift, and whether it looks like a fault of the feed rather than a change of the city."""

from collections import deque
from dataclasses import dataclass, field
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.baselines import Baseline, hour_of
from domain.features import CityClock
from domain.loop.steps import Step
from domain.policy import FeedFaults, Signal
from domain.sums import MICRO

DAY_MINUTES = 24 * 60
LEAST_DAY_TRIPS = 200  # below it, the mix of a day says nothing
PAST_FACTOR = 5
ABRUPT_SIGMAS = 5.0  # of the mean of so many trips: where zones make distances coarse, ln(km) spreads by 1.4
SMALLEST_SHARE = 1e-3  # keeps the index finite where a share is nought


class Intake(NamedTuple):
    """Sums over some steps; logarithms of km."""

    trips: int = 0
    log_km: float = 0.0
    square_log_km: float = 0.0
    no_passengers: int = 0
    refused: int = 0
    late: int = 0

    @classmethod
    def of(cls, step: Step) -> "Intake":
        """What came in during a step."""
        rows = step.inputs
        logs = int(rows.log_km.sum()) / MICRO, int(rows.square_log_km.sum()) / MICRO
        counts = (int(column.sum()) for column in (rows.no_passengers, rows.refused, rows.late))
        return cls(int(rows.trips.sum()), *logs, *counts)

    def plus(self, other: "Intake") -> "Intake":
        """Both together."""
        return Intake._make(mine + theirs for mine, theirs in zip(self, other, strict=True))

    def minus(self, other: "Intake") -> "Intake":
        """What is left without the other."""
        return Intake._make(mine - theirs for mine, theirs in zip(self, other, strict=True))

    @property
    def events(self) -> int:
        """Starts, good and refused."""
        return self.trips + self.refused


@dataclass(frozen=True, slots=True)
class Fault:
    """What looks wrong, in words, with the numbers."""

    name: str
    reason: str
    numbers: dict[str, float]


@dataclass(slots=True)
class LatestIntake:
    """`sums` of the last `least` events, rounded up to whole steps; `before`: PAST_FACTOR times as many before them."""

    least: int
    _steps: deque[tuple[int, Intake]] = field(default_factory=deque)
    _past: deque[Intake] = field(default_factory=deque)
    sums: Intake = field(default_factory=Intake)
    before: Intake = field(default_factory=Intake)

    def add(self, step: Step) -> None:
        """Take a step in, and let go of those that are not needed any more."""
        intake = Intake.of(step)
        if not intake.events:
            return
        self._steps.append((step.minute, intake))
        self.sums = self.sums.plus(intake)
        while self.sums.events - self._steps[0][1].events >= self.least:
            left = self._steps.popleft()[1]
            self.sums = self.sums.minus(left)
            self._past.append(left)
            self.before = self.before.plus(left)
        while self.before.events > self.least * PAST_FACTOR:
            self.before = self.before.minus(self._past.popleft())

    @property
    def since(self) -> int:
        """The end of the first step that counts."""
        return self._steps[0][0]

    @property
    def full(self) -> bool:
        """Whether there are enough."""
        return self.sums.events >= self.least

    def clear(self) -> None:
        """Begin anew."""
        self._steps.clear()
        self._past.clear()
        self.sums = self.before = Intake()


def fault_of(
    intake: Intake, normal: Baseline, limits: FeedFaults, *, scale: float = 1.0, before: Intake | None = None
) -> Fault | None:
    """The fault that these events show, if any; `scale` tightens the limits, so that healing takes more than a flicker.

    `before`: what came before them, where that is to be compared too.
    """
    if not intake.events:
        return None
    refused = intake.refused / intake.events
    if refused > limits.refused_share * scale:
        return Fault("refused", f"{refused:.0%} of the events are refused", {"refused_share": refused})
    if not intake.trips:
        return None
    missing = intake.no_passengers / intake.trips
    if missing - normal.no_passengers_share > limits.missing_share * scale:
        usual = f"normally {normal.no_passengers_share:.0%}"
        return Fault("dead_field", f"{missing:.0%} of the trips state no passengers, {usual}", {"missing_share": missing})
    late = intake.late / intake.trips
    if late > limits.late_share * scale:
        return Fault("clock", f"{late:.0%} of the trips carry a pickup time far behind the stream", {"late_share": late})
    fault = _length_fault(intake, normal, limits, scale)
    return None if fault and before and not _abrupt(intake, before, limits) else fault


def severity(intake: Intake, normal: Baseline, limits: FeedFaults) -> float | None:
    """The largest of the numbers by which `fault_of` judges, as a multiple of its limit; None of no event."""
    if not intake.events:
        return None
    refused = intake.refused / intake.events / limits.refused_share
    if not intake.trips:
        return refused
    shift, widened = _length(intake, normal)
    return max(
        refused,
        (intake.no_passengers / intake.trips - normal.no_passengers_share) / limits.missing_share,
        intake.late / intake.trips / limits.late_share,
        abs(shift) / limits.log_km if abs(widened) <= limits.log_km_spread else 0.0,
    )


def _length(intake: Intake, normal: Baseline) -> tuple[float, float]:
    """By how much mean and spread of ln(km) differ from the normal; the spread as a share of it."""
    mean = intake.log_km / intake.trips
    spread = sqrt(max(intake.square_log_km / intake.trips - mean**2, 0.0))
    return mean - normal.log_km, spread / max(normal.log_km_spread, 1e-6) - 1


def _length_fault(intake: Intake, normal: Baseline, limits: FeedFaults, scale: float) -> Fault | None:
    """A factor on every length moves the mean of the logarithm and leaves its spread alone; a changed city moves both."""
    shift, widened = _length(intake, normal)
    if abs(shift) < limits.log_km * scale or abs(widened) > limits.log_km_spread / scale:
        return None
    factor = float(np.exp(shift))
    words = (
        f"trips are {factor:.2f} times as long as normal, all alike: a unit or a decimal place (0.62 is miles for kilometres)"
    )
    return Fault("length_unit", words, {"log_km_shift": shift, "spread_ratio": 1 + widened})


def _abrupt(intake: Intake, before: Intake, limits: FeedFaults) -> bool:
    """A unit changes from one trip to the next, people's ways do so over weeks; and chance moves a mean, too."""
    if not before.trips:
        return True
    mean, usual = intake.log_km / intake.trips, before.log_km / before.trips
    variance = max(before.square_log_km / before.trips - usual**2, 0.0)
    error = sqrt(variance * (1 / intake.trips + 1 / before.trips))
    return abs(mean - usual) >= max(limits.log_km, ABRUPT_SIGMAS * error)


class DayMix:
    """The mix of each day's trips by hour and by area against the training trips', as population stability indices."""

    def __init__(self, normal: Baseline, clock: CityClock) -> None:
        self._normal, self._clock = normal, clock
        self._hours = np.zeros(24, dtype=np.int64)
        self._areas: dict[int, int] = {}
        self._ends: int | None = None
        self.size = 0  # trips behind the last indices

    def add(self, step: Step) -> dict[Signal, float]:
        """The indices of the day that this step completes, less what chance alone gives; nothing on a day with few trips."""
        local = self._clock.local(np.array([step.cohort], dtype="datetime64[m]").astype("datetime64[us]"))
        hour = int(hour_of(local)[0])
        for area, begun in zip(step.mature.area.tolist(), step.mature.started.tolist(), strict=True):
            self._areas[area] = self._areas.get(area, 0) + begun
            self._hours[hour] += begun
        if self._ends is None:
            self._ends = step.minute + DAY_MINUTES
        if step.minute < self._ends:
            return {}
        found = self._indices() if self._hours.sum() >= LEAST_DAY_TRIPS else {}
        self.size = int(self._hours.sum())
        self._hours[:], self._areas, self._ends = 0, {}, step.minute + DAY_MINUTES
        return found

    def _indices(self) -> dict[Signal, float]:
        areas = sorted({*self._areas, *self._normal.area_share})
        counts = np.array([self._areas.get(area, 0) for area in areas], dtype=np.int64)
        shares = np.array([self._normal.area_share.get(area, 0.0) for area in areas])
        return {
            Signal.HOUR_MIX: stability_index(self._hours, np.array(self._normal.hour_share)),
            Signal.AREA_MIX: stability_index(counts, shares),
        }


def stability_index(counts: NDArray[np.int64], expected_share: NDArray[np.float64]) -> float:
    """Population stability index of counts of shape (k,) against shares, less its mean where nothing has changed."""
    total = int(counts.sum())
    seen = np.maximum(counts / total, SMALLEST_SHARE)
    expected = np.maximum(expected_share, SMALLEST_SHARE)
    return float(np.sum((seen - expected) * np.log(seen / expected)) - (len(counts) - 1) / total)
