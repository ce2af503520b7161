"""How wrong predictions turned out, from the roll-ups: mature cohorts, and apart from them the immature ones."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from asyncpg import Record

from adapters.postgres.connection.pool import Connection, Pool, connected, transaction
from adapters.postgres.loop.expirations import Expirations, expirations
from domain.areas import AreaGrid
from domain.baselines import BAND_NAMES, BAND_STARTS
from domain.entities.cohorts import By, Cohort, Counts, QualityReport
from domain.entities.predictions import Role
from domain.features import CityClock

MATURITY = timedelta(minutes=120)  # before that, the trips that have ended are the short ones, and errors read half as large
WINDOW = timedelta(minutes=60)
DECISECONDS = 600  # a minute has so many
CLOSED_UNTIL = "select closed_until from open_tallies order by source_id desc limit 1"
SUMS = """
    sum(started)::bigint as started, sum(settled)::bigint as settled, sum(error_ds)::float8 as error,
    sum(abs_error_ds)::float8 as abs_error, sum(square_error_ds2)::float8 as square_error,
    sum(log_ratio_u)::float8 as log_ratio, sum(covered)::bigint as covered
"""
SEGMENTS = {
    By.CITY: "0",
    By.HOUR: "width_bucket(extract(hour from minute at time zone $4)::integer, $5::integer[])",
    By.AREA: "area",
    By.VENDOR: "vendor_id",
    By.VERSION: "model_version",
}
COHORTS = """
select {segment} as segment, role::text, coalesce(minute < $3, false) as mature, {sums}
from quality_minutes
where ($1::timestamptz is null or minute >= $1) and ($2::timestamptz is null or minute < $2)
    and (role = 'champion' or {by_version}) and $4::text is not null and $5::integer[] is not null
group by 1, 2, 3 order by 1, 2
"""
MATURE_ERROR = f"select {SUMS} from quality_minutes where role = 'champion' and minute >= $1 and minute < $2"


@dataclass(frozen=True, slots=True)
class MatureError:
    """Errors of predicted durations, predicted minus actual, in minutes, over `trips` trips that have ended.

    They are `coverage` of all trips with a pickup in [since, until), event time.
    """

    trips: int
    coverage: float
    mae_minutes: float
    rmse_minutes: float
    bias_minutes: float
    since: datetime
    until: datetime


async def mature_error(pool: Pool, maturity: timedelta = MATURITY, window: timedelta = WINDOW) -> MatureError | None:
    """The error over the `window` of pickups that became mature last; None when there are none yet.

    Cheap enough to be asked every second. Raises DatabaseUnreachable.
    """
    async with connected(pool) as connection:
        until = await _mature_until(connection, maturity)
        if until is None:
            return None
        [row] = await connection.fetch(MATURE_ERROR, until - window, until)
    if not row["settled"]:
        return None
    found = _cohort(row, "city", Role.CHAMPION, mature=True)
    errors = {name: getattr(found, name) for name in ("mae_minutes", "rmse_minutes", "bias_minutes")}
    return MatureError(found.settled, found.coverage, **errors, since=until - window, until=until)


@dataclass(frozen=True, slots=True)
class Quality:
    """Answers questions about a city. Raises DatabaseUnreachable."""

    pool: Pool
    clock: CityClock
    grid: AreaGrid
    maturity: timedelta = MATURITY

    async def __call__(self, by: By, since: datetime | None = None, until: datetime | None = None) -> QualityReport:
        """The cohorts of pickups in [since, until), champion's alone but for By.VERSION; of hours: in the city's time."""
        query = COHORTS.format(segment=SEGMENTS[by], sums=SUMS, by_version=by is By.VERSION)
        async with connected(self.pool) as connection, transaction(connection, isolation="repeatable_read", readonly=True):
            mature_until = await _mature_until(connection, self.maturity)
            rows = await connection.fetch(query, since, until, mature_until, self.clock.timezone, list(BAND_STARTS[1:]))
        cohorts = [_cohort(row, self._name(by, row["segment"]), Role(row["role"]), mature=row["mature"]) for row in rows]
        return QualityReport(
            by,
            since,
            until,
            mature_until,
            mature=tuple(cohort for cohort in cohorts if cohort.mature),
            immature=tuple(cohort for cohort in cohorts if not cohort.mature),
            counts=_counts(cohorts, await expirations(self.pool, since, until)),
        )

    def _name(self, by: By, segment: int) -> str:
        match by:
            case By.CITY:
                return "city"
            case By.HOUR:
                return BAND_NAMES[segment]
            case By.AREA:
                return self.grid.name(segment)
            case By.VENDOR | By.VERSION:
                return f"{by.value} {segment}"


async def _mature_until(connection: Connection, maturity: timedelta) -> datetime | None:
    closed_until: datetime | None = await connection.fetchval(CLOSED_UNTIL)
    return None if closed_until is None else closed_until - maturity


def _cohort(row: Record, segment: str, role: Role, *, mature: bool) -> Cohort:
    settled = row["settled"]

    def mean(name: str, unit: float) -> float | None:
        return row[name] / settled / unit if settled else None

    square = mean("square_error", DECISECONDS**2)
    return Cohort(
        segment=segment,
        role=role,
        mature=mature,
        started=row["started"],
        settled=settled,
        coverage=settled / row["started"] if row["started"] else 0.0,
        mae_minutes=mean("abs_error", DECISECONDS),
        rmse_minutes=None if square is None else math.sqrt(square),
        bias_minutes=mean("error", DECISECONDS),
        log_ratio=mean("log_ratio", 1e6),
        interval_coverage=mean("covered", 1),
    )


def _counts(cohorts: list[Cohort], given_up: Expirations) -> Counts:
    mine = [cohort for cohort in cohorts if cohort.role is Role.CHAMPION]
    started, settled = sum(cohort.started for cohort in mine), sum(cohort.settled for cohort in mine)
    gone = given_up.expired - given_up.late
    return Counts(started, settled, max(0, started - settled - gone), given_up.expired, given_up.late)
