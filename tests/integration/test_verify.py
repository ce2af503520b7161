"""Verification against a real PostgreSQL: predictions are made again, to the bit, by the version that each names."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.onnx.local_models import LocalModels
from adapters.postgres.api.served_predictions import ServedRows
from adapters.postgres.connection.line import Line
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.history.predictions import served_predictions, stored_predictions
from adapters.postgres.stream.store import Streams
from batch import bootstrap
from batch.verify import LISTED, Verification, Verify
from domain.entities.predictions import PredictionColumns, Role
from domain.entities.served import ServedPredictions
from domain.entities.streams import ModelStamp, ShadowPredictions, StreamSource
from domain.entities.trips import TripColumns
from domain.errors import RegistryUnreachable
from domain.features import feature_schema
from domain.services.score_trips import score_trips
from tests.batches import Refusals, Start, batch_of
from tests.fakes.models import CLOCK, distance_package, files_of
from tests.fakes.registry import InMemoryRegistry

SCHEMA = feature_schema(CLOCK)
INPUTS, ANSWERS = ([each.name for each in fields(columns)[1:]] for columns in (TripColumns, PredictionColumns))  # no trip id


class World:
    def __init__(self, pool: Pool, folder: Path) -> None:
        self.pool, self.registry = pool, InMemoryRegistry()
        self.library = LocalModels(folder, SCHEMA)

    async def score(self, count: int, first: int = 0, seconds_per_km: float = 150.0, *, shadow: bool = False) -> int:
        """Register a version and store `count` predictions that it makes; `shadow`: the version before it shadows."""
        version = self.registry.add(files_of(distance_package(seconds_per_km)), "distance", SCHEMA)
        model = self.library.admit(self.registry.get(version), self.registry.download)
        store = Streams(self.pool)
        source_id = await store.register(StreamSource("cluster", "trip-events", uuid.UUID(int=1)))
        position = (await store.open_partition(source_id, 0, 0)).next_offset
        batch = batch_of([Start(f"t{first + number}", minute=number % 60) for number in range(count)], {0: position})
        predictions = score_trips(batch.started, model, CLOCK)
        batch = replace(batch, predictions=predictions, stamp=ModelStamp(version, SCHEMA))
        if shadow:
            other = self.library.admit(self.registry.get(version - 1), self.registry.download)
            stamp = ModelStamp(version - 1, SCHEMA, Role.CHALLENGER)
            batch = replace(batch, shadow=ShadowPredictions(score_trips(batch.started, other, CLOCK), stamp))
        await store.write(source_id, batch, Refusals())
        return version

    async def verify(self, version: int | None = None) -> Verification:
        return await Verify(self.registry, self.library, CLOCK)(stored_predictions(self.pool, version=version), lambda _: None)

    async def serve(self, count: int, version: int, settings: PostgresSettings) -> list[str]:
        """Store `count` predictions of a version as the API does; returns their ids, in order."""
        trips = batch_of([Start(f"s{number}", minute=number % 60) for number in range(count)], {0: 0}).started
        model = self.library.admit(self.registry.get(version), self.registry.download)
        made, ids = score_trips(trips, model, CLOCK), [uuid.UUID(int=number + 1) for number in range(count)]
        rows = ServedPredictions(
            prediction_id=np.array([each.bytes for each in ids], dtype="V16"),
            key_id=np.full(count, None, dtype=object),
            model_version=np.full(count, version, dtype=np.int32),
            feature_schema=np.full(count, SCHEMA, dtype=object),
            served_at=np.full(count, np.datetime64("2026-01-01", "us")),
            **{name: getattr(columns, name) for columns, names in ((trips, INPUTS), (made, ANSWERS)) for name in names},
        )
        line = Line(settings, "tests", 10.0)
        await ServedRows(line).write(rows, again=False)
        line.close()
        return [str(each) for each in ids]

    async def verify_served(self) -> Verification:
        return await Verify(self.registry, self.library, CLOCK)(served_predictions(self.pool), lambda _: None)


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[World]:
    pool = await open_pool(PostgresSettings(database=database))
    yield World(pool, tmp_path / "models")
    await pool.close()


async def test_what_was_stored_can_be_made_again_by_the_version_that_it_names(world: World) -> None:
    await world.score(30)
    second = await world.score(20, first=30, seconds_per_km=175.0)
    everything, part = await world.verify(), await world.verify(second)
    assert (everything.checked, everything.different, everything.ok) == (50, 0, True)
    assert (part.checked, part.ok) == (20, True)


async def test_both_roles_are_checked_and_counted(world: World) -> None:
    first = await world.score(5)
    await world.score(7, first=5, seconds_per_km=175.0, shadow=True)
    result = await world.verify()
    assert (result.ok, result.checked, result.checked_by_role) == (True, 19, {"champion": 12, "challenger": 7})
    await world.pool.execute("update predictions set duration_seconds = duration_seconds + 1 where role = 'challenger'")
    result = await world.verify(first)
    assert (result.checked, result.different, {each.role for each in result.differences}) == (12, 7, {"challenger"})


@pytest.mark.parametrize("column", ["duration_seconds", "lower_seconds", "upper_seconds"])
async def test_one_changed_bit_is_found_and_listed(world: World, column: str) -> None:
    version = await world.score(30)
    bit = f"update predictions set {column} = {column} * (1 + 1.2e-7::real) where trip_id = 't7'"
    await world.pool.execute(bit)
    result = await world.verify()
    assert (result.checked, result.different, result.ok) == (30, 1, False)
    assert [(each.trip_id, each.model_version) for each in result.differences] == [("t7", version)]


async def test_a_changed_input_is_found(world: World) -> None:
    await world.score(30)
    await world.pool.execute("update trips set dropoff_latitude = dropoff_latitude + 0.01 where trip_id = 't3'")
    assert (await world.verify()).different == 1


async def test_a_prediction_under_another_versions_name_is_found(world: World) -> None:
    first = await world.score(5)
    second = await world.score(5, first=5, seconds_per_km=175.0)
    await world.pool.execute("update predictions set model_version = $1 where model_version = $2", first, second)
    assert (await world.verify()).different == 5


async def test_a_version_that_is_not_here_is_fetched_and_checked(world: World, tmp_path: Path) -> None:
    version = await world.score(5)
    world.library = LocalModels(tmp_path / "elsewhere", SCHEMA)
    assert (await world.verify()).ok
    assert world.registry.downloads == [version, version]
    world.library, world.registry.down = LocalModels(tmp_path / "third", SCHEMA), True
    with pytest.raises(RegistryUnreachable):
        await world.verify()


async def test_a_version_that_cannot_be_used_is_named_and_is_no_success(world: World, tmp_path: Path) -> None:
    version = await world.score(5)
    world.registry.replace_file(version, "model.onnx", b"gone bad")
    world.library = LocalModels(tmp_path / "elsewhere", SCHEMA)
    result = await world.verify()
    assert (result.checked, result.unverifiable_rows, result.ok) == (0, 5, False)
    assert "model.onnx has 8 bytes" in result.unverifiable[version]


async def test_many_differences_are_counted_and_the_first_are_listed(world: World) -> None:
    await world.score(LISTED + 10)
    await world.pool.execute("update predictions set upper_seconds = upper_seconds + 1")
    result = await world.verify()
    assert (result.different, len(result.differences)) == (LISTED + 10, LISTED)


async def test_what_the_api_gave_is_made_again_by_the_version_that_gave_it(world: World, database: str) -> None:
    version = await world.score(5)
    await world.serve(40, version, PostgresSettings(database=database))
    result = await world.verify_served()
    assert (result.ok, result.checked, result.checked_by_source) == (True, 40, {"api": 40})
    assert (await world.verify()).checked_by_source == {"stream": 5}


@pytest.mark.parametrize("column", ["duration_seconds", "lower_seconds", "upper_seconds", "pickup_latitude"])
async def test_one_changed_value_of_a_served_prediction_is_found(world: World, database: str, column: str) -> None:
    version = await world.score(5)
    ids = await world.serve(40, version, PostgresSettings(database=database))
    change = "+ 0.01" if column == "pickup_latitude" else "* (1 + 1.2e-7::real)"
    await world.pool.execute(f"update served_predictions set {column} = {column} {change} where prediction_id = $1", ids[7])
    result = await world.verify_served()
    assert (result.ok, result.checked, result.different) == (False, 40, 1)
    assert [(each.trip_id, each.source) for each in result.differences] == [(ids[7], "api")]


async def test_the_stream_comes_first_and_a_limit_counts_both(world: World, database: str) -> None:
    version = await world.score(5)
    await world.serve(4, version, PostgresSettings(database=database))

    async def sources(**wanted: object) -> list[tuple[str, int]]:
        chunks = [chunk async for chunk in bootstrap.stored(world.pool, bootstrap.Range(**wanted))]  # type: ignore[arg-type]
        return [(chunk.source, len(chunk.trips)) for chunk in chunks]

    assert await sources() == [("stream", 5), ("api", 4)]
    assert await sources(limit=7) == [("stream", 5), ("api", 2)]
    assert await sources(limit=5) == [("stream", 5)]
    assert await sources(source=bootstrap.Source.API, limit=3) == [("api", 3)]
    assert await sources(source=bootstrap.Source.STREAM) == [("stream", 5)]
    assert await sources(version=version + 1) == []
