"""How wrong predictions turned out, and what the drift detectors say. Times are event time where nothing else is said."""

from typing import Literal

from schemas.http.base import Answer, Instant, Role

SignalState = Literal["ok", "warning", "drift", "cooling"]


class Cohort(Answer, frozen=True):
    """See `domain.entities.cohorts.Cohort`: errors are predicted minus actual, minutes; None without settled trips."""

    segment: str
    role: Role
    mature: bool
    started: int
    settled: int
    coverage: float
    mae_minutes: float | None
    rmse_minutes: float | None
    bias_minutes: float | None
    log_ratio: float | None
    interval_coverage: float | None


class Quality(Answer, frozen=True):
    """Cohorts of pickups in [since, until), mature ones apart from immature ones."""

    by: str
    since: Instant | None
    until: Instant | None
    mature_until: Instant | None
    mature: list[Cohort]
    immature: list[Cohort]
    started: int
    settled: int
    pending: int
    expired: int
    late: int


class DriftSignal(Answer, frozen=True):
    """One monitored signal. All lists have one length, oldest first; None where the step had no sample."""

    signal: str
    title: str
    unit: str
    value: float | None
    statistic: float | None
    threshold: float | None
    state: SignalState
    cooling_until: Instant | None
    last_alarm_at: Instant | None
    last_alarm: str | None
    times: list[Instant]
    values: list[float | None]
    statistics: list[float | None]


class Drift(Answer, frozen=True):
    """The closed loop's phase and its signals. `phase_text` says it in words."""

    phase: str | None
    phase_text: str
    episode: str | None
    signals: list[DriftSignal]


class Histogram(Answer, frozen=True):
    """Counts between neighbouring edges: one count less than edges."""

    edges: list[float]
    reference: list[int]
    recent: list[int]


class DriftDetail(Answer, frozen=True):
    """One signal over a longer time, the alarms in it, and how its values lay then (reference) and lie now (recent)."""

    signal: DriftSignal
    alarms: list[Instant]
    reference_since: Instant | None
    recent_since: Instant | None
    histogram: Histogram | None
