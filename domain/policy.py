"""The policy of the closed loop: what counts as drift, when to train, when to trust. Its defaults are the default policy.

Hours and minutes are event time. Shifts are of the signed log ratio ln(actual / predicted) against what is normal for the
version: 0.1 means that trips take 10% longer than it would have said.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from domain.errors import InvalidInput
from domain.gates import GateLimits
from domain.paired import PairLimits


def _check(holds: bool, rule: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise InvalidInput(f"policy: {rule}")


class Method(StrEnum):
    """River's detectors that we use."""

    ADWIN = "adwin"
    PAGE_HINKLEY = "page_hinkley"


class Signal(StrEnum):
    """What a detector watches."""

    LOG_RATIO = "log_ratio"  # mature labels: ln(actual / predicted), less what is normal for the version
    COMPLETION_RATIO = "completion_ratio"  # no label: ln(completions observed / expected) of the trips on their way
    PREDICTION = "prediction"  # ln of the predicted durations, by their bins
    TRIP_LENGTH = "trip_length"  # ln of km, less the mean of the training trips
    HOUR_MIX = "hour_mix"  # population stability index against the training trips
    AREA_MIX = "area_mix"  # the same, over areas
    MISSING_SHARE = "missing_share"  # trips that state no passengers
    REFUSED_SHARE = "refused_share"  # events that were refused


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """One detector. `areas`: one for each area beside that of the city. Page-Hinkley takes `threshold`, in sums of values.

    A value is the mean of a block of trips (`Blocks`). `delta`: ADWIN's confidence, Page-Hinkley's tolerance.
    """

    signal: Signal
    method: Method
    delta: float
    threshold: float = 1.0
    least_values: int = 20
    areas: bool = False

    def __post_init__(self) -> None:
        _check(0 < self.delta < 1, "delta of a detector lies between 0 and 1")
        _check(self.threshold > 0, "threshold of a detector is positive")
        _check(self.least_values >= 1, "least_values of a detector is at least 1")


@dataclass(frozen=True, slots=True)
class Timing:
    """`step_minutes`: the loop looks once a step. `maturity_minutes`: then nearly all trips of a cohort have ended.

    `lateness_minutes`: how long a step waits for stragglers. `expiry_hours`: then a trip's completion is given up.
    `turnaround_minutes`: what a training takes, for a backtest and for a replay in lockstep.
    """

    step_minutes: int = 5
    maturity_minutes: int = 120
    lateness_minutes: int = 5
    expiry_hours: int = 24
    turnaround_minutes: int = 60

    def __post_init__(self) -> None:
        _check(1 <= self.step_minutes <= 60, "step_minutes lies between 1 and 60")  # noqa: PLR2004
        _check(self.maturity_minutes % self.step_minutes == 0, "maturity_minutes is a multiple of step_minutes")
        _check(self.turnaround_minutes % self.step_minutes == 0, "turnaround_minutes is a multiple of step_minutes")
        _check(min(self.maturity_minutes, self.expiry_hours, self.turnaround_minutes) > 0, "times are positive")
        _check(self.lateness_minutes >= 0, "lateness_minutes is not negative")


@dataclass(frozen=True, slots=True)
class Blocks:
    """How many trips one value of a detector is the mean of, at least; whole steps are never divided."""

    labels: int = 25
    inputs: int = 100

    def __post_init__(self) -> None:
        _check(min(self.labels, self.inputs) >= 1, "a block holds at least one trip")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A tier: a suspicion is confirmed when labels that came after it hold a shift of that size for so long."""

    shift: float
    hours: float
    labels: int

    def __post_init__(self) -> None:
        _check(self.shift > 0, "shift of a confirmation is positive")
        _check(self.hours >= 0, "hours of a confirmation is not negative")
        _check(self.labels >= 30, "labels of a confirmation is at least 30")  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Suspicion:
    """When a shift is no accident. `z`: how many standard errors it must be away from none.

    Residuals of one day resemble each other: weather, a parade. `day_spread` is the standard deviation of a day's true mean in
    calm times, for areas `area_factor` times as much; the standard error of d days is at least day_spread / sqrt(d),
    however many labels show it. A suspicion ends unconfirmed after `most_hours`.
    """

    z: float = 5.0
    day_spread: float = 0.05
    area_factor: float = 1.5
    most_hours: float = 24.0 * 16

    def __post_init__(self) -> None:
        _check(self.z > 0, "z is positive")
        _check(self.day_spread >= 0, "day_spread is not negative")
        _check(self.area_factor > 0, "area_factor is positive")
        _check(self.most_hours > 0, "most_hours is positive")


@dataclass(frozen=True, slots=True)
class FeedFaults:
    """What says that the feed is at fault and not the city; over at least `trips` events that came in last.

    `missing_share`, `refused_share`: rise of the share. `log_km`: shift of mean ln(km) while its spread stays the same within
    `log_km_spread`; miles instead of kilometres are 0.48. `late_share`: starts whose clock is far behind the stream. Half of
    the limits must be kept again, over as many events, before a fault counts as healed.
    """

    trips: int = 300
    missing_share: float = 0.5
    refused_share: float = 0.1
    log_km: float = 0.35
    log_km_spread: float = 0.1
    late_share: float = 0.2

    def __post_init__(self) -> None:
        _check(self.trips >= 30, "a fault needs at least 30 trips to be told")  # noqa: PLR2004
        _check(min(self.missing_share, self.refused_share, self.log_km, self.late_share) > 0, "limits of faults are positive")


@dataclass(frozen=True, slots=True)
class Retraining:
    """When a training may be asked for, and what follows it.

    `approval`: manual waits until someone approves the episode. `least_labels`: since the change; before them there is nothing
    to learn from. A champion that had to learn from few trips after a change is trained anew when the trips since then have
    grown by `growth`, or after `follow_up_days`, `follow_ups` times at most. `schedule_hours`: a training without any drift; 0
    for never.

    A change of less than `break_shift` is a season: it has no follow-ups, and is no reason for a training within `season_days`
    of another one. A larger one is a break, and may come at any time.
    """

    cooldown_hours: float = 24.0
    daily_budget: int = 2
    approval: str = "automatic"
    least_labels: int = 500
    growth: float = 3.0
    follow_up_days: float = 21.0
    follow_ups: int = 5
    break_shift: float = 0.35
    season_days: float = 90.0
    schedule_hours: float = 0.0

    def __post_init__(self) -> None:
        _check(self.approval in ("automatic", "manual"), "approval is automatic or manual")
        _check(self.growth > 1, "growth is more than 1")
        _check(min(self.follow_up_days, self.break_shift) > 0, "follow_up_days and break_shift are positive")
        _check(self.season_days >= 0, "season_days is not negative")
        _check(min(self.cooldown_hours, self.schedule_hours, self.follow_ups) >= 0, "numbers of retraining are not negative")
        _check(self.daily_budget >= 1, "daily_budget is at least 1")


@dataclass(frozen=True, slots=True)
class Trial:
    """A comparison in pairs of champion and shadow; it ends undecided after `most_pairs` or `most_hours`.

    `day_correlation`: of the differences of one day, which has its own weather. However many pairs a day has, it counts for no
    more than 1 / day_correlation independent ones, and those are what `most_pairs` counts. (With 317 pairs a day of New York's
    yellow cabs, a day's mean varied 1.4 to 4.3 times as much as that of independent pairs: 0.001 to 0.01.)
    `promote_if_ahead`: what is undecided by then and ahead on the mean is promoted all the same. Between equals that is a toss,
    and harmless; what is a tenth worse has been found out long before.
    """

    test: PairLimits = field(default_factory=PairLimits)
    most_pairs: int = 5000
    most_hours: float = 24.0 * 14
    promote_if_ahead: bool = False
    day_correlation: float = 0.005

    def __post_init__(self) -> None:
        _check(0 < self.test.alpha < 1, "alpha lies between 0 and 1")
        _check(1 <= self.test.least_pairs <= self.most_pairs, "least_pairs is at least 1 and at most most_pairs")
        _check(self.most_hours > 0, "most_hours is positive")
        _check(0 <= self.day_correlation < 1, "day_correlation lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class Shares:
    """How large a segment must be to be watched by itself: its share of the training trips, and how many at most."""

    area: float = 0.03
    most_areas: int = 12

    def __post_init__(self) -> None:
        _check(0 < self.area <= 1, "the share of an area lies between 0 and 1")
        _check(self.most_areas >= 0, "most_areas is not negative")


DETECTORS = (
    DetectorSettings(Signal.LOG_RATIO, Method.ADWIN, delta=0.002),
    DetectorSettings(Signal.LOG_RATIO, Method.PAGE_HINKLEY, delta=0.03, threshold=1.0, areas=True),
    DetectorSettings(Signal.COMPLETION_RATIO, Method.PAGE_HINKLEY, delta=0.03, threshold=0.5, least_values=6),
    DetectorSettings(Signal.PREDICTION, Method.ADWIN, delta=0.002),
    DetectorSettings(Signal.TRIP_LENGTH, Method.ADWIN, delta=0.002),
    DetectorSettings(Signal.HOUR_MIX, Method.PAGE_HINKLEY, delta=0.05, threshold=2.0),
    DetectorSettings(Signal.AREA_MIX, Method.PAGE_HINKLEY, delta=0.05, threshold=2.0),
    DetectorSettings(Signal.MISSING_SHARE, Method.PAGE_HINKLEY, delta=0.02, threshold=0.5),
    DetectorSettings(Signal.REFUSED_SHARE, Method.PAGE_HINKLEY, delta=0.02, threshold=0.5),
)
CONFIRMATIONS = (
    Confirmation(shift=0.25, hours=3, labels=200),
    Confirmation(shift=0.2, hours=30, labels=300),
    Confirmation(shift=0.16, hours=72, labels=1000),  # holidays and storms of a whole year stayed below 0.14
)


@dataclass(frozen=True, slots=True)
class Policy:
    """All of it. `shadow` compares a challenger, `follow_up_shadow` one of a champion's own lesson, of more trips.

    `watch` compares a new champion with the one before.
    """

    time: Timing = field(default_factory=Timing)
    blocks: Blocks = field(default_factory=Blocks)
    shares: Shares = field(default_factory=Shares)
    detectors: tuple[DetectorSettings, ...] = DETECTORS
    confirmation: tuple[Confirmation, ...] = CONFIRMATIONS
    suspicion: Suspicion = field(default_factory=Suspicion)
    feed: FeedFaults = field(default_factory=FeedFaults)
    retraining: Retraining = field(default_factory=Retraining)
    gates: GateLimits = field(default_factory=GateLimits)
    shadow: Trial = field(default_factory=Trial)
    follow_up_shadow: Trial = field(default_factory=lambda: Trial(most_pairs=400, most_hours=72, promote_if_ahead=True))
    watch: Trial = field(default_factory=lambda: Trial(PairLimits(alpha=0.01), most_pairs=2000, most_hours=72))

    def __post_init__(self) -> None:
        _check(bool(self.confirmation), "there is at least one tier of confirmation")
        labelled = any(detector.signal is Signal.LOG_RATIO for detector in self.detectors)
        _check(labelled, "at least one detector watches log_ratio")
        _check(not self.watch.promote_if_ahead, "watch has no promote_if_ahead: nothing is rolled back without being sure")
