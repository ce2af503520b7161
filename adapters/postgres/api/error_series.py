"""Errors over time from the roll-ups, in a few hundred steps at most, for the board."""

from datetime import datetime, timedelta

from asyncpg import Record

from adapters.postgres.api.quality import CLOSED_UNTIL, DECISECONDS
from adapters.postgres.connection.pool import Pool, connected, transaction
from domain.entities.watched import ErrorStep, ErrorSteps, Reference

STEPS = """
select date_bin($1::interval, minute, '1970-01-01Z') as at, coalesce(minute < $2, false) as mature,
    sum(started) filter (where role = 'champion') as started, sum(settled) filter (where role = 'champion') as settled,
    sum(abs_error_ds) filter (where role = 'champion')::float8 as abs_error,
    sum(square_error_ds2) filter (where role = 'champion')::float8 as square_error,
    sum(covered) filter (where role = 'champion') as covered,
    sum(settled) filter (where role = 'challenger') as challenger_settled,
    sum(abs_error_ds) filter (where role = 'challenger')::float8 as challenger_abs_error
from quality_minutes
where minute >= $3 and minute < $4 and ($5::smallint is null or area = $5)
group by 1, 2 order by 1, 2 desc
"""
BOUNDS = "select min(minute), max(minute) from quality_minutes"
REFERENCE = "select mae_minutes, rmse_minutes from training_runs where mlflow_run_id = $1"


async def error_steps(
    pool: Pool, since: datetime, until: datetime, *, step_minutes: int, maturity: timedelta, area: int | None = None
) -> ErrorSteps:
    """Of pickups in [since, until), event time, of one area or of all. Raises DatabaseUnreachable."""
    async with connected(pool) as connection, transaction(connection, isolation="repeatable_read", readonly=True):
        closed: datetime | None = await connection.fetchval(CLOSED_UNTIL)
        mature_until = None if closed is None else closed - maturity
        rows = await connection.fetch(STEPS, timedelta(minutes=step_minutes), mature_until, since, until, area)
    return ErrorSteps(step_minutes, mature_until, tuple(map(_step, rows)))


async def rollup_bounds(pool: Pool) -> tuple[datetime, datetime] | None:
    """The first and the last minute of event time that has sums; None without any. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        row = await connection.fetchrow(BOUNDS)
    return None if row is None or row[0] is None else (row[0], row[1])


async def reference_of(pool: Pool, run_id: str) -> Reference | None:
    """What the training of this MLflow run said; None when it is not recorded here. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        row = await connection.fetchrow(REFERENCE, run_id)
    return Reference(row[0], row[1]) if row else None


def _step(row: Record) -> ErrorStep:
    def minutes(name: str, unit: float) -> float:
        return (row[name] or 0.0) / unit

    return ErrorStep(
        at=row["at"],
        mature=row["mature"],
        trips=int(row["started"] or 0),
        settled=int(row["settled"] or 0),
        abs_error=minutes("abs_error", DECISECONDS),
        square_error=minutes("square_error", DECISECONDS**2),
        covered=int(row["covered"] or 0),
        challenger_settled=int(row["challenger_settled"] or 0),
        challenger_abs_error=minutes("challenger_abs_error", DECISECONDS),
    )
