"""What the loop saw of its signals, step by step: for the board."""

from collections.abc import Sequence
from dataclasses import astuple

from adapters.postgres.connection.pool import Connection
from domain.loop.signals import Reading

# A topic that is read anew closes steps anew; what was seen first stands.
ADD = """
insert into drift_signals (event_at, signal, value, samples, statistic, threshold, state, cooling_until, model_version)
select to_timestamp(minute * 60), signal, value, samples, statistic, threshold, state, to_timestamp(cooling_until * 60), version
from unnest($1::bigint[], $2::text[], $3::double precision[], $4::bigint[], $5::double precision[], $6::double precision[],
    $7::text[], $8::bigint[], $9::integer[])
    as readings (minute, signal, value, samples, statistic, threshold, state, cooling_until, version)
on conflict (signal, event_at) do nothing
"""


async def add_readings(connection: Connection, readings: Sequence[Reading]) -> None:
    """Store readings that are not stored. Idempotent."""
    if readings:
        await connection.execute(ADD, *map(list, zip(*map(astuple, readings), strict=True)))
