"""Predictions read back for verification, and the record of trainings."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from adapters.postgres.connection.pool import Pool
from adapters.postgres.history.predictions import StoredPredictions, served_predictions, stored_predictions
from adapters.postgres.loop.training_runs import TrainingRuns
from adapters.postgres.stream.store import Streams
from adapters.postgres.tables.lifecycle import lifecycle_events, record_lifecycle_event
from domain.entities.models import LifecycleEvent
from domain.entities.predictions import PredictionColumns, Role
from domain.entities.streams import ModelStamp, StreamSource
from domain.entities.trainings import TrainingRun
from tests.batches import Event, Refusals, Start, batch_of

NOON = datetime(2016, 3, 1, 17, tzinfo=UTC)


async def _write(pool: Pool, events: list[Event], stamp: ModelStamp, seconds: float | None = None) -> PredictionColumns:
    store = Streams(pool)
    source_id = await store.register(StreamSource("cluster", "trip-events", uuid.UUID(int=1)))
    first = (await store.open_partition(source_id, 0, 0)).next_offset
    batch = replace(batch_of(events, {0: first}), stamp=stamp)
    if seconds is not None:
        constant = np.full(len(batch.started), seconds, dtype=np.float32)
        batch = replace(batch, predictions=PredictionColumns(batch.started.trip_id, constant, constant, constant))
    await store.write(source_id, batch, Refusals())
    return batch.predictions


async def _read(pool: Pool, **filters: object) -> list[StoredPredictions]:
    return [chunk async for chunk in stored_predictions(pool, **filters)]  # type: ignore[arg-type]


async def test_predictions_come_back_bit_for_bit_with_their_trips_and_makers(pool: Pool) -> None:
    old = await _write(pool, [Start("b", minute=1), Start("a")], ModelStamp(1, "schema1"))
    await _write(pool, [Start("c", passengers=5)], ModelStamp(2, "schema2"))
    first, second = await _read(pool)
    assert (first.model_version, first.feature_schema, first.role) == (1, "schema1", Role.CHAMPION)
    assert first.predictions.trip_id.tolist() == first.trips.trip_id.tolist() == ["a", "b"]
    assert first.predictions.lower_seconds.tobytes() == old.lower_seconds[::-1].tobytes()
    assert first.trips.pickup_at.tolist() == [NOON.replace(tzinfo=None), NOON.replace(tzinfo=None, minute=1)]
    assert (second.model_version, second.trips.passenger_count.tolist()) == (2, [5])


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
async def test_chunks_cover_everything_once_in_one_order(pool: Pool, chunk: int) -> None:
    await _write(pool, [Start(f"t{number}") for number in range(7)], ModelStamp(1, "s"))
    found = [trip_id for part in await _read(pool, chunk=chunk) for trip_id in part.trips.trip_id]
    assert found == [f"t{number}" for number in range(7)]
    assert max(len(part.trips) for part in await _read(pool, chunk=chunk)) <= chunk


async def test_filters_by_version_pickup_and_count(pool: Pool) -> None:
    await _write(pool, [Start("a"), Start("b", minute=5)], ModelStamp(1, "s"))
    await _write(pool, [Start("c"), Start("d", minute=5)], ModelStamp(2, "s"))

    async def ids(**filters: object) -> list[str]:
        return [trip_id for part in await _read(pool, **filters) for trip_id in part.trips.trip_id]

    assert await ids(version=2) == ["c", "d"]
    assert await ids(since=NOON + timedelta(minutes=1)) == ["b", "d"]
    assert await ids(until=NOON + timedelta(minutes=1)) == ["a", "c"]
    assert await ids(limit=3, chunk=2) == ["a", "c", "b"]  # by pickup
    assert await ids(source_id=99) == []


SERVE = """
insert into served_predictions
select $1, 'api', 1, 2, $2, 40.75, -73.97, 40.76, -73.98, 600.1, 300.2, 900.3, $3, 'schema', null, now()
"""


async def _serve(pool: Pool, number: int, version: int, minute: int = 0) -> None:
    await pool.execute(SERVE, uuid.UUID(int=number), NOON + timedelta(minutes=minute), version)


async def _ids_served(pool: Pool, **filters: object) -> list[int]:
    found = [chunk async for chunk in served_predictions(pool, **filters)]  # type: ignore[arg-type]
    return [uuid.UUID(trip_id).int for chunk in found for trip_id in chunk.trips.trip_id]


async def test_served_predictions_come_back_bit_for_bit_by_their_ids(pool: Pool) -> None:
    await _serve(pool, 5, version=3, minute=1)
    (found,) = [chunk async for chunk in served_predictions(pool)]
    assert (found.model_version, found.feature_schema, found.role, found.source) == (3, "schema", Role.CHAMPION, "api")
    assert found.trips.trip_id.tolist() == found.predictions.trip_id.tolist() == [str(uuid.UUID(int=5))]
    assert found.trips.pickup_at.tolist() == [NOON.replace(tzinfo=None, minute=1)]
    assert (found.trips.vendor_id.tolist(), found.trips.passenger_count.tolist()) == ([1], [2])
    assert (found.trips.pickup_longitude.tolist(), found.trips.dropoff_latitude.tolist()) == ([-73.97], [40.76])
    assert found.predictions.upper_seconds.tobytes() == np.float32(900.3).tobytes()


@pytest.mark.parametrize("chunk", [1, 2, 7, 100])
async def test_chunks_of_served_predictions_cover_everything_once_beside_the_stream(pool: Pool, chunk: int) -> None:
    await _write(pool, [Start("a")], ModelStamp(1, "s"))
    for number in (3, 1, 7, 2, 5):
        await _serve(pool, number, version=1)
    assert await _ids_served(pool, chunk=chunk) == [1, 2, 3, 5, 7]
    assert [trip_id for part in await _read(pool) for trip_id in part.trips.trip_id] == ["a"]


async def test_served_predictions_are_chosen_by_version_pickup_and_count(pool: Pool) -> None:
    for number, version, minute in ((1, 1, 0), (2, 1, 5), (3, 2, 0), (4, 2, 5)):
        await _serve(pool, number, version, minute)
    assert await _ids_served(pool, version=2) == [3, 4]
    assert await _ids_served(pool, since=NOON + timedelta(minutes=1)) == [2, 4]
    assert await _ids_served(pool, until=NOON + timedelta(minutes=1)) == [1, 3]
    assert await _ids_served(pool, limit=3, chunk=2) == [1, 2, 3]


async def test_training_runs_are_recorded_once(pool: Pool) -> None:
    runs = TrainingRuns(pool)
    run = TrainingRun("run1", "xgboost", "time", NOON, 12.5, 1000, NOON, NOON, "00ff", 5.1, 3.2, 0.8, 4, "first champion")
    await runs.add(run)
    await runs.add(run)
    await runs.add(replace(run, mlflow_run_id="run2", model_version=None))
    assert await runs.newest() == [replace(run, mlflow_run_id="run2", model_version=None), run]


async def test_lifecycle_events_come_back_newest_first(pool: Pool) -> None:
    one = LifecycleEvent("model.promoted", "trip-duration/4", "someone", "better", NOON, {"rmse": 5.1})
    two = LifecycleEvent("model.rolled_back", "trip-duration/3", "someone", "worse", NOON)
    for event in (one, two):
        await record_lifecycle_event(pool, event)
    assert list(await lifecycle_events(pool)) == [two, one]
    assert list(await lifecycle_events(pool, kind="model.promoted")) == [one]
