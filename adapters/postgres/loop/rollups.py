"""Errors and places by pickup minute as sums: what the Monitor adds to, and what questions about weeks are answered from."""

from dataclasses import fields

import numpy as np

from adapters.postgres.connection.pool import Connection, Pool, connected
from domain.entities.predictions import Role
from domain.sums import CHAMPION, DROPOFF, PICKUP, SHADOW, Cells, Places

ROLES = {CHAMPION: Role.CHAMPION.value, SHADOW: Role.CHALLENGER.value}
ROLE_NUMBERS = {name: number for number, name in ROLES.items()}
KEYS = "minute, role, model_version, area, vendor_id"
SUMS = (
    "started",
    "settled",
    "error_ds",
    "abs_error_ds",
    "square_error_ds2",
    "log_ratio_u",
    "square_log_ratio_u",
    "covered",
)  # in the order of the sums of `Cells`
ADD = f"""
insert into quality_minutes as q ({KEYS}, {", ".join(SUMS)})
select to_timestamp(minute * 60), role::prediction_role, model_version, area, vendor_id, {", ".join(SUMS)}
from unnest($1::bigint[], $2::text[], $3::integer[], $4::smallint[], $5::smallint[], $6::bigint[], $7::bigint[],
    $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
    as cells (minute, role, model_version, area, vendor_id, {", ".join(SUMS)})
on conflict ({KEYS}) do update set {", ".join(f"{name} = q.{name} + excluded.{name}" for name in SUMS)}
"""
ENDS = {PICKUP: "pickup", DROPOFF: "dropoff"}
END_NUMBERS = {name: number for number, name in ENDS.items()}
PLACES_SINCE = """
select (extract(epoch from minute) / 60)::bigint, place::text, area, trips, predicted_ds
from area_minutes where $1::bigint is null or minute >= to_timestamp($1 * 60)
"""
ADD_PLACES = """
insert into area_minutes as a (minute, place, area, trips, predicted_ds)
select to_timestamp(minute * 60), place::trip_end, area, trips, predicted_ds
from unnest($1::bigint[], $2::text[], $3::smallint[], $4::bigint[], $5::bigint[])
    as places (minute, place, area, trips, predicted_ds)
on conflict (minute, place, area) do update set
    trips = a.trips + excluded.trips, predicted_ds = a.predicted_ds + excluded.predicted_ds
"""
SINCE = f"""
select (extract(epoch from minute) / 60)::bigint, role::text, model_version, area, vendor_id, {", ".join(SUMS)}
from quality_minutes where $1::bigint is null or minute >= to_timestamp($1 * 60)
"""


async def add_to_rollups(connection: Connection, cells: Cells) -> None:
    """Add sums to what is stored. Not idempotent: it belongs in the transaction that moves the Monitor's positions."""
    if len(cells):
        columns = [getattr(cells, field.name).tolist() for field in fields(cells)]
        columns[1] = [ROLES[role] for role in columns[1]]
        await connection.execute(ADD, *columns)


async def add_to_places(connection: Connection, places: Places) -> None:
    """The same for where trips begin and lead."""
    if len(places):
        minute, end, *others = places.as_lists()
        await connection.execute(ADD_PLACES, minute, [ENDS[each] for each in end], *others)


async def places_since(pool: Pool, minute: int | None) -> Places:
    """Where trips of pickups from a minute on began and led; None: of all. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        rows = await connection.fetch(PLACES_SINCE, minute)
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * 5
    columns[1] = [END_NUMBERS[end] for end in columns[1]]
    return Places.from_lists(columns).added()


async def rollups_since(pool: Pool, minute: int | None) -> Cells:
    """What is stored of pickups from a minute on; None: of all. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        rows = await connection.fetch(SINCE, minute)
    if not rows:
        return Cells.empty()
    columns = [list(column) for column in zip(*rows, strict=True)]
    columns[1] = [ROLE_NUMBERS[role] for role in columns[1]]
    return Cells(*(np.array(column, dtype=np.int64) for column in columns)).added()
