"""The trips that were set aside once, for every new model to be tried on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.postgres.connection.pool import Pool, connected
from domain.entities.trips import TIME, Floats, TripColumns
from domain.split import instant, utc64

COLUMNS = (
    ("vendor_id", "smallint", np.int16),
    ("passenger_count", "smallint", np.int16),
    ("pickup_at", "timestamptz", TIME),
    ("pickup_latitude", "float8", np.float64),
    ("pickup_longitude", "float8", np.float64),
    ("dropoff_latitude", "float8", np.float64),
    ("dropoff_longitude", "float8", np.float64),
)
NAMES = ", ".join(name for name, _, _ in COLUMNS)
ARRAYS = ", ".join(f"${number}::{kind}[]" for number, (_, kind, _) in enumerate(COLUMNS, start=1))
INSERT = f"""
insert into trusted_trips (position, {NAMES}, duration_seconds)
select ordinality, {NAMES}, duration_seconds
from unnest({ARRAYS}, ${len(COLUMNS) + 1}::float8[]) with ordinality as given ({NAMES}, duration_seconds, ordinality)
where not exists (select from trusted_trips)
on conflict do nothing
"""
FIND = f"select {NAMES}, duration_seconds from trusted_trips order by position"


class TrustedTrips:
    """Every method raises DatabaseUnreachable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def set_aside(self, trips: TripColumns, seconds: Floats) -> None:
        """Store them, unless some were set aside before: those stay. `seconds` has the durations, shape (n,)."""
        columns = [_listed(getattr(trips, name)) for name, _, _ in COLUMNS]
        async with connected(self._pool) as connection:
            await connection.execute(INSERT, *columns, seconds.tolist())

    async def all(self) -> tuple[TripColumns, Floats] | None:
        """The trips, whose ids are empty, with their durations in seconds; None when none were set aside."""
        async with connected(self._pool) as connection:
            rows = await connection.fetch(FIND)
        if not rows:
            return None
        columns: dict[str, Any] = {name: _array([row[name] for row in rows], dtype) for name, _, dtype in COLUMNS}
        trip_id = np.full(len(rows), "", dtype=object)
        return TripColumns(trip_id=trip_id, **columns), np.array([row["duration_seconds"] for row in rows])


def _listed(column: NDArray[Any]) -> list[Any]:
    return [instant(time) for time in column] if column.dtype == TIME else column.tolist()


def _array(values: list[Any], dtype: Any) -> NDArray[Any]:  # noqa: ANN401 - whatever numpy takes
    return np.array([utc64(time) for time in values] if dtype == TIME else values, dtype=dtype)
