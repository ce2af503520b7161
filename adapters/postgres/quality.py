"""How wrong predictions turned out, over trips old enough that nearly all of them have ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.postgres.batch_writer import BY_KEY
from adapters.postgres.connection import Pool, connected

MATURITY = timedelta(minutes=120)  # before that, the trips that have ended are the short ones, and errors read half as large
WINDOW = timedelta(minutes=60)
SAMPLE_TRIPS = 5_000  # bounds the cost; the standard error of an MAE over as many is about 1.5%
# Event time: the newest pickup among each partition's last records; one wrong clock is forgotten a hundred records later.
WATERMARK = """
select max(pickup_at) from stream_offsets as o cross join lateral (
    select pickup_at from trips as t
    where t.source_id = o.source_id and t.partition = o.partition order by record_offset desc limit 100
) as newest
"""
MATURE_ERROR = """
select count(*) as cohort, count(*) filter (where seconds is not null) as trips,
    avg(abs(error)) / 60 as mae_minutes, sqrt(avg(error * error)) / 60 as rmse_minutes, avg(error) / 60 as bias_minutes
from (
    select seconds, p.duration_seconds::double precision - seconds as error
    from (
        select trip_id, pickup_at from trips
        where pickup_at > $1 and pickup_at <= $2 and source_id is not null limit $3
    ) as t
    cross join lateral (
        select duration_seconds from predictions as p where p.trip_id = t.trip_id and p.role = 'champion' offset 0
    ) as p
    left join lateral (
        select extract(epoch from c.dropoff_at - c.pickup_at)::double precision as seconds
        from completions as c where c.trip_id = t.trip_id offset 0
    ) as ended on true
) as scored
"""


@dataclass(frozen=True, slots=True)
class MatureError:
    """Errors of predicted durations, predicted minus actual, in minutes, over `trips` trips that have ended.

    They are `coverage` of all trips with a pickup in (since, until], event time, or of a sample of those.
    """

    trips: int
    coverage: float
    mae_minutes: float
    rmse_minutes: float
    bias_minutes: float
    since: datetime
    until: datetime


async def mature_error(pool: Pool, maturity: timedelta = MATURITY, window: timedelta = WINDOW) -> MatureError | None:
    """The error over pickups that were `maturity` to `maturity + window` before the newest; None when there are none yet.

    Cheap enough to be asked every second or two. Raises DatabaseUnreachable.
    """
    async with connected(pool) as connection:
        watermark = await connection.fetchval(WATERMARK)
        if watermark is None:
            return None
        since, until = watermark - maturity - window, watermark - maturity
        async with connection.transaction(readonly=True):
            await connection.execute(BY_KEY)
            row = await connection.fetchrow(MATURE_ERROR, since, until, SAMPLE_TRIPS)
    if row is None or not row["trips"]:
        return None
    errors = {name: row[name] for name in ("mae_minutes", "rmse_minutes", "bias_minutes")}
    return MatureError(row["trips"], row["trips"] / row["cohort"], **errors, since=since, until=until)
