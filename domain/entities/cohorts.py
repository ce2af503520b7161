"""How wrong predictions turned out, by cohort: mature ones, whose trips have nearly all ended, apart from immature ones."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.entities.predictions import Role


class By(StrEnum):
    """How trips are divided."""

    CITY = "city"
    HOUR = "hour"
    AREA = "area"
    VENDOR = "vendor"
    VERSION = "version"


@dataclass(frozen=True, slots=True)
class Cohort:
    """Trips of one segment, predicted in one role. Errors are predicted minus actual, of the settled ones; None without any.

    `coverage`: settled over started. `log_ratio`: mean of ln(actual / predicted). `interval_coverage`: share of actual
    durations inside their interval, nominally 0.9. The figures of an immature cohort are those of its short trips.
    """

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


@dataclass(frozen=True, slots=True)
class Counts:
    """Trips with a champion's prediction: `pending` ones may still end, `expired` ones were given up, `late` of them ended."""

    started: int
    settled: int
    pending: int
    expired: int
    late: int


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Cohorts of pickups in [since, until), where given. Mature are pickups before `mature_until`; None: none are yet."""

    by: By
    since: datetime | None
    until: datetime | None
    mature_until: datetime | None
    mature: tuple[Cohort, ...]
    immature: tuple[Cohort, ...]
    counts: Counts
