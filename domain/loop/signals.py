"""What the loop sees of each monitored signal at the end of a step, for people: a view that changes nothing it looks at.

| signal | value of the step | statistic | threshold |
|---|---|---|---|
| log_ratio | mean residual of the city's mature labels | size of its mean over a tier's window | the tier's shift |
| completion_ratio, hour_mix, area_mix | the value, where the step completes one | Page-Hinkley's larger sum | the detector's |
| trip_length | mean ln(km) less the normal | size of its mean over the latest `feed.trips` events | the feed's |
| missing_share, refused_share | share less the normal | the same share over the latest `feed.trips` events | the feed's |
| prediction | mean ln(predicted seconds) | last hour's mean less that of 24 h | none: ADWIN has no one threshold |
| feed_fault | the worst of the feed's numbers over its limit | the same over the latest `feed.trips` events | 1; 0.5 to heal |

Of the tiers of confirmation it is the one nearest to being held whose window is filled by labels since the suspicion. Without
a suspicion, or before any window is filled, it is the first tier, and whatever labels there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from domain.loop.episodes import LOCAL_CHANGE, WORLD_CHANGE, Episode
from domain.loop.evidence import HOUR
from domain.loop.feed import Intake, severity
from domain.loop.feed_watch import FeedWatch
from domain.loop.residuals import CITY, Sample
from domain.loop.steps import Step
from domain.loop.watcher import PREDICTION_HOURS, Watcher
from domain.policy import Policy, Signal

State = Literal["ok", "warning", "drift", "cooling"]
Compared = tuple[float | None, float | None]  # a statistic, and the threshold that it is compared with

FEED_FAULT = "feed_fault"
ALARM_HOURS = 6  # so long an alarm of a signal that opens no suspicion is shown
DAILY = (Signal.HOUR_MIX, Signal.AREA_MIX)
FAULT_OF = {Signal.REFUSED_SHARE: "refused", Signal.MISSING_SHARE: "dead_field", Signal.TRIP_LENGTH: "length_unit"}


@dataclass(frozen=True, slots=True)
class Reading:
    """One signal in the step that ended at `minute`; minutes are event time. See the module for the numbers."""

    minute: int
    signal: str
    value: float | None
    samples: int
    statistic: float | None
    threshold: float | None
    state: State
    cooling_until: int | None
    version: int


@dataclass(frozen=True, slots=True)
class View:
    """The parts of a loop that are looked at, just after it took a step in."""

    policy: Policy
    watcher: Watcher
    feed: FeedWatch
    episode: Episode | None  # that has not brought a new champion
    cooling_until: int | None

    def readings(self, step: Step) -> Iterator[Reading]:
        """One of each signal that is watched; those that have a value once a day, only then."""
        yield self._reading(step, Signal.LOG_RATIO, self._log_ratio())
        if self.watcher.baseline is None:
            return
        for signal in (Signal.COMPLETION_RATIO, *(daily for daily in DAILY if daily in self._seen(step))):
            yield self._reading(step, signal, self.watcher.nearest_detector(signal) or (None, None))
        for signal in (Signal.TRIP_LENGTH, Signal.MISSING_SHARE, Signal.REFUSED_SHARE):
            yield self._reading(step, signal, self._share(signal))
        yield self._reading(step, Signal.PREDICTION, (self._prediction(), None))
        yield self._feed_fault(step)

    def _reading(self, step: Step, signal: Signal, compared: Compared) -> Reading:
        sample = self._seen(step).get(signal, Sample())
        state = self._state(signal, step.minute)
        until = self.cooling_until if state == "cooling" else None
        value = _number(sample.mean) if sample.size else None
        statistic, threshold = compared
        numbers = (value, sample.size, _number(statistic), threshold)
        return Reading(step.minute, str(signal), *numbers, state, until, self.watcher.version)

    def _seen(self, step: Step) -> dict[Signal, Sample]:
        """While the feed is at fault the watcher is shown nothing."""
        return self.watcher.seen if self.feed.fault is None else self.watcher.input_samples(step)

    # --- what is compared ---------------------------------------------------------------------------------------------

    def _log_ratio(self) -> Compared:
        watcher, tiers = self.watcher, self.policy.confirmation
        trail = watcher.suspicion.evidence.trails.get(CITY) if watcher.suspicion else None
        if trail is not None:
            shifts = [(abs(shift), tier.shift) for tier in tiers if (shift := trail.shift(tier)) is not None]
            if shifts:
                return max(shifts, key=lambda pair: pair[0] / pair[1])
        first, hours = tiers[0], watcher.hours.get(CITY)
        sample = trail.since(0) if trail is not None else hours.latest(first.hours, first.labels) if hours else Sample()
        return abs(sample.mean) if sample.size else None, first.shift

    def _share(self, signal: Signal) -> Compared:
        latest, normal, limits, scale = self.feed.latest, self.watcher.baseline, self.policy.feed, self.feed.scale
        if normal is None or not latest.events:
            return None, None
        if signal is Signal.REFUSED_SHARE:
            return latest.refused / latest.events, limits.refused_share * scale
        if not latest.trips:
            return None, None
        if signal is Signal.MISSING_SHARE:
            return latest.no_passengers / latest.trips - normal.no_passengers_share, limits.missing_share * scale
        return abs(latest.log_km / latest.trips - normal.log_km), limits.log_km * scale

    def _prediction(self) -> float | None:
        day = self.watcher.predictions.latest(PREDICTION_HOURS)
        return self.watcher.predictions.latest(1).mean - day.mean if day.size else None

    def _feed_fault(self, step: Step) -> Reading:
        intake, fault = Intake.of(step), self.feed.fault
        value, statistic = self._severity(intake), self._severity(self.feed.latest)
        state: State = "ok" if fault is None else "drift"
        numbers = (value, intake.events, statistic, self.feed.scale)
        return Reading(step.minute, FEED_FAULT, *numbers, state, None, self.watcher.version)

    def _severity(self, intake: Intake) -> float | None:
        normal = self.watcher.baseline
        return _number(severity(intake, normal, self.policy.feed)) if normal else None

    # --- what it means ------------------------------------------------------------------------------------------------

    def _state(self, signal: Signal, minute: int) -> State:
        alarmed, suspicion = self.watcher.alarmed.get(signal), self.watcher.suspicion
        if signal not in (Signal.LOG_RATIO, Signal.COMPLETION_RATIO):
            fault = self.feed.fault
            if fault is not None and fault.name == FAULT_OF.get(signal):
                return "drift"
            return "warning" if alarmed is not None and minute - alarmed < ALARM_HOURS * HOUR else "ok"
        concerned = signal is Signal.LOG_RATIO or alarmed is not None
        if concerned and self._drifting:
            return "drift"
        if concerned and suspicion is not None and not suspicion.silent:
            return "warning"
        return "cooling" if self.cooling_until is not None and minute < self.cooling_until else "ok"

    @property
    def _drifting(self) -> bool:
        return self.episode is not None and self.episode.cause.kind in (WORLD_CHANGE, LOCAL_CHANGE)


def _number(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
