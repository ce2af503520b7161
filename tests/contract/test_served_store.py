"""The log of served predictions: what the fake promises, PostgreSQL keeps."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.api.served_predictions import ServedRows
from adapters.postgres.connection.line import Line
from api.identities import Identities
from api.ports import ServedStore
from domain.entities.served import ServedPredictions
from domain.entities.trips import TIME
from domain.errors import ConcurrentUpdate, DatabaseUnreachable
from tests.fakes.served import InMemoryServed
from tests.trips import random_trips

AT = np.datetime64("2026-03-01T12:00:00.123456", "us")


@dataclass
class Kept:
    """A store, and how to look into it and break it."""

    store: ServedStore
    rows: Callable[[], AsyncIterator[dict[str, Any]]]
    break_: Callable[[], None]


def rows_of(count: int, seed: int = 0) -> ServedPredictions:
    trips = random_trips(count, seed)
    seconds = np.linspace(60, 4000, count).astype(np.float32)
    return ServedPredictions(
        prediction_id=Identities().new(count)[0],
        key_id=np.array([None, "0123456789ab"] * count, dtype=object)[:count],
        vendor_id=trips.vendor_id,
        passenger_count=trips.passenger_count,
        pickup_at=trips.pickup_at,
        pickup_latitude=trips.pickup_latitude,
        pickup_longitude=trips.pickup_longitude,
        dropoff_latitude=trips.dropoff_latitude,
        dropoff_longitude=trips.dropoff_longitude,
        duration_seconds=seconds,
        lower_seconds=seconds * np.float32(0.5),
        upper_seconds=seconds * np.float32(1.5),
        model_version=np.full(count, 7, dtype=np.int32),
        feature_schema=np.array(["abc", "abcdef"] * count, dtype=object)[:count],
        served_at=np.full(count, AT, dtype=TIME),
    )


@pytest.fixture(params=["fake", "postgres"])
def where(request: pytest.FixtureRequest) -> str | None:
    """The address of the database; None for the fake."""
    return str(request.getfixturevalue("database")) if request.param == "postgres" else None


@pytest.fixture
async def kept(where: str | None) -> AsyncIterator[Kept]:
    if where is None:
        fake = InMemoryServed()

        async def remembered() -> AsyncIterator[dict[str, Any]]:
            for key, row in fake.rows.items():
                yield {"prediction_id": UUID(bytes=key), **row}

        yield Kept(fake, remembered, lambda: setattr(fake, "down", True))
        return
    settings = PostgresSettings(database=where)
    store = ServedRows(Line(settings, "test", 5.0))

    async def selected() -> AsyncIterator[dict[str, Any]]:
        connection = await asyncpg.connect(where)
        for row in await connection.fetch("select * from served_predictions"):
            yield {name: _naive(value) for name, value in row.items()}
        await connection.close()

    def lead_nowhere() -> None:
        store.close()
        store._line._settings = PostgresSettings(database="postgresql://nobody@127.0.0.1:9/nowhere")

    yield Kept(store, selected, lead_nowhere)
    store.close()


def _naive(value: object) -> object:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


async def _ids(kept: Kept) -> set[object]:
    return {row["prediction_id"] async for row in kept.rows()}


def ids_of(rows: ServedPredictions) -> set[object]:
    return {UUID(bytes=each) for each in rows.prediction_id.tolist()}


async def test_rows_are_kept_to_the_last_bit(kept: Kept) -> None:
    rows = rows_of(40)
    await kept.store.write(rows, again=False)
    found = {row["prediction_id"]: row async for row in kept.rows()}
    assert len(found) == 40
    for name in set(ServedPredictions.__slots__) - {"prediction_id"}:
        wanted = dict(zip(map(UUID, [each.hex() for each in rows.prediction_id.tolist()]), getattr(rows, name), strict=True))
        for key, value in wanted.items():
            got = found[key][name]
            assert (np.float32(got) if name.endswith("_seconds") else got) == (
                value.item() if hasattr(value, "item") else value
            )


async def test_a_repeat_adds_only_what_is_missing(kept: Kept) -> None:
    rows = rows_of(30)
    await kept.store.write(rows.take(slice(0, 12)), again=False)
    await kept.store.write(rows, again=True)
    await kept.store.write(rows, again=True)
    assert await _ids(kept) == ids_of(rows)


async def test_a_first_try_of_rows_that_are_there_fails_and_the_next_try_succeeds(kept: Kept) -> None:
    rows = rows_of(5)
    await kept.store.write(rows, again=False)
    with pytest.raises(ConcurrentUpdate):
        await kept.store.write(rows, again=False)
    await kept.store.write(rows, again=True)
    assert await _ids(kept) == ids_of(rows)


async def test_what_cannot_be_written_says_so(kept: Kept) -> None:
    await kept.store.probe()
    kept.break_()
    with pytest.raises(DatabaseUnreachable):
        await kept.store.write(rows_of(3), again=False)
    with pytest.raises(DatabaseUnreachable):
        await kept.store.probe()
    kept.store.close()
    kept.store.close()
