"""Champion and shadow change places under load, through a real registry: every row can be made again by whom it names."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.kafka.broker import Broker
from adapters.kafka.lifecycle import announce
from adapters.mlflow.experiments import Experiments
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from adapters.onnx.local_models import LocalModels
from adapters.postgres.connection import open_pool
from adapters.postgres.predictions import stored_predictions
from batch.verify import Verification, Verify
from domain.entities.models import Alias, RoleChange, role_change
from domain.entities.trainings import TrainedFrom
from domain.features import feature_schema
from domain.split import instant
from schemas.events import TripPredicted
from tests.fakes.models import CLOCK, distance_package
from tests.running import Worker, World, events_of, until, world_of
from tests.trips import random_trips

SCHEMA = feature_schema(CLOCK)
SWAPS = 50
TOGETHER = 50  # trips
MIXED = """
select scored_at, role from predictions group by scored_at, partition, role having count(distinct model_version) > 1
"""
BESIDE = """
select c.model_version as champion, s.model_version as shadow, count(*) as trips
from predictions as c join predictions as s on s.trip_id = c.trip_id and s.role = 'challenger'
where c.role = 'champion' group by 1, 2
"""


@dataclass
class Case:
    world: World
    registry: Registry
    versions: list[int]
    folder: Path
    settings: dict[str, str]

    async def name(self, champion: int, challenger: int) -> None:
        """Both aliases, as a promotion moves them, and the message that says so."""
        await asyncio.to_thread(self.registry.set_alias, Alias.CHAMPION, champion)
        await asyncio.to_thread(self.registry.set_alias, Alias.CHALLENGER, challenger)
        version = await asyncio.to_thread(self.registry.get, champion)
        event = role_change(RoleChange.PROMOTED, version, None, actor="test", reason="a swap", at=datetime.now(UTC))
        await announce(Broker(self.world.kafka), f"{self.world.prefix}model-lifecycle", event)

    async def verify(self) -> Verification:
        pool = await open_pool(PostgresSettings(database=self.world.database))
        try:
            verify = Verify(self.registry, LocalModels(self.folder, SCHEMA), CLOCK)
            return await verify(stored_predictions(pool), lambda _: None)
        finally:
            await pool.close()


@pytest.fixture
async def case(
    kafka_address: str, mlflow_address: str, database: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[Case]:
    model = f"model-{uuid.uuid4().hex[:8]}"
    experiments = Experiments(mlflow_address, model, seconds=20)
    versions = [_register(experiments, seconds_per_km, tmp_path) for seconds_per_km in (120.0, 150.0, 180.0)]
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world:
        settings = {"TRIPCAST_MLFLOW": mlflow_address, "TRIPCAST_MODEL": model}
        yield Case(world, Registry(MlflowRest(mlflow_address, seconds=20), model), versions, tmp_path / "verified", settings)


def _register(experiments: Experiments, seconds_per_km: float, folder: Path) -> int:
    pickup_at = random_trips(2).pickup_at
    trained_from = TrainedFrom(2, instant(pickup_at.min()), instant(pickup_at.max()), "ab" * 32)
    run_id = experiments.record("distance", trained_from, {}, {"rmse_minutes": 5.0}, folder)
    return experiments.register(run_id, distance_package(seconds_per_km), {"rmse_minutes": 5.0})


async def publish_until(world: World, stopped: Callable[[], bool]) -> int:
    """Starts and completions without a pause; returns how many trips there were."""
    count = 0
    while not stopped():
        started, completed = events_of(random_trips(TOGETHER, seed=count))
        await world.publish([*started, *completed])
        count += TOGETHER
    return count


async def follows(worker: Worker, champion: int, challenger: int) -> None:
    """Return when the worker scores with both."""

    async def does() -> bool:
        if worker.health("readyz")[0] == 0:  # it does not answer yet
            return False
        versions = worker.metric("tripcast_champion_version"), worker.metric("tripcast_challenger_version")
        return versions == (champion, challenger)

    await until(does)


async def test_fifty_swaps_under_load_leave_every_row_of_both_roles_verifiable(case: Case) -> None:
    world, versions, done = case.world, case.versions, asyncio.Event()
    await case.name(versions[0], versions[1])
    with world.worker("cli", "worker", **case.settings) as worker:
        await follows(worker, versions[0], versions[1])
        publishing = asyncio.create_task(publish_until(world, done.is_set))
        for swap in range(1, SWAPS + 1):
            champion, challenger = versions[swap % 3], versions[(swap + 1) % 3]
            await case.name(champion, challenger)
            await follows(worker, champion, challenger)
        done.set()
        trips = await publishing
        await world.drained()
        shadowed = worker.metric("tripcast_shadowed_total")
    result = await case.verify()
    assert (result.different, result.unverifiable_rows, result.ok) == (0, 0, True)
    assert result.checked_by_role == {"champion": trips, "challenger": shadowed}
    assert await world.rows(MIXED) == []
    pairs = {(row["champion"], row["shadow"]): row["trips"] for row in await world.rows(BESIDE)}
    assert {(versions[number], versions[(number + 1) % 3]) for number in range(3)} <= pairs.keys()
    assert all(champion != shadow for champion, shadow in pairs)
    await _published_is_what_champions_said(world)
    assert await world.unaccounted() == []


async def _published_is_what_champions_said(world: World) -> None:
    rows = await world.rows("select trip_id, model_version, duration_seconds from predictions where role = 'champion'")
    events = [msgspec.json.decode(record.value, type=TripPredicted) for record in await world.published()]
    said = {(event.trip_id, event.model_version, event.duration_seconds) for event in events}
    assert said == {tuple(row) for row in rows}
