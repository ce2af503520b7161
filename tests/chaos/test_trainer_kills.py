"""Trainers that are killed at every step of what the loop asks for: done once, completed, and never without a champion."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.kafka.topics import ensure_topics
from adapters.postgres.connection import Pool, open_pool
from adapters.postgres.history import History
from batch import bootstrap
from batch.settings import BatchSettings
from domain.city.city import City
from domain.entities.models import Alias
from domain.entities.trips import CompletionColumns, TripColumns
from domain.features import CityClock
from domain.quality import TripRules
from tests.running import REPOSITORY, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(280)]
UNTIL = np.datetime64("2026-03-01T05:00:00", "us")
AS_OF = int(UNTIL.astype("datetime64[m]").astype(np.int64))
ASK = "insert into loop_requests (kind, subject, reason, body, event_at) values ($1, $2, 'drift', $3, now())"


@dataclass
class World:
    settings: BatchSettings
    pool: Pool
    folder: Path
    champions: set[int | None] = field(default_factory=set)
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def environment(self, death: str = "", mark: str = "") -> dict[str, str]:
        settings = self.settings
        return {
            **os.environ,
            "TRIPCAST_KAFKA": settings.kafka,
            "TRIPCAST_DATABASE": settings.database.get_secret_value(),
            "TRIPCAST_MLFLOW": settings.mlflow,
            "TRIPCAST_MLFLOW_SECONDS": "30",
            "TRIPCAST_MODEL": settings.model,
            "TRIPCAST_TOPIC_PREFIX": settings.topic_prefix,
            "TRIPCAST_DATA": str(self.folder),
            "TRIPCAST_TRAIN_THREADS": "1",
            "TRIPCAST_TRAIN_LEAST_TRIPS": "1000",
            "TRIPCAST_TRAINER_POLL_SECONDS": "0.2",
            "TRIPCAST_TRAINER_PORT": "0",
            "TEST_DEATH": death,
            "TEST_DEATH_FILE": str(self.folder / (mark or uuid.uuid4().hex)),
        }

    def tripcast(self, *words: str) -> Any:
        """The JSON that a command prints."""
        command = [sys.executable, "-m", "cli", *words]
        return json.loads(subprocess.check_output(command, cwd=REPOSITORY, env=self.environment()))

    def start(self, death: str = "", mark: str = "") -> "subprocess.Popen[bytes]":
        """A trainer that kills itself at this step; of those that share a `mark` one does."""
        with (self.folder / f"trainer-{len(self.processes)}-{death}.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.trainer_process"],
                cwd=REPOSITORY,
                env=self.environment(death, mark),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    @contextmanager
    def trainer(self) -> Iterator[None]:
        """A trainer that lives."""
        process = self.start()
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)

    async def dies(self, death: str) -> None:
        """Run a trainer until it has killed itself."""
        process = self.start(death)
        code = await asyncio.to_thread(process.wait, 60)
        assert code == -9, f"it lived through {death}: {code}"
        self.champions.add(self.carries(Alias.CHAMPION))

    async def ask(self, kind: str, subject: str = "episode 1", **body: object) -> None:
        await self.pool.execute(ASK, kind, subject, json.dumps(body))

    async def answer(self, kind: str, subject: str = "episode 1") -> dict[str, Any]:
        async def answered() -> bool:
            query = "select outcome is not null from loop_requests where kind = $1 and subject = $2"
            return bool(await self.pool.fetchval(query, kind, subject))

        await until(answered, 120)
        query = "select outcome from loop_requests where kind = $1 and subject = $2"
        outcome: dict[str, Any] = json.loads(await self.pool.fetchval(query, kind, subject))
        return outcome

    async def events(self, kind: str) -> int:
        return int(await self.pool.fetchval("select count(*) from lifecycle_events where kind = $1", kind))

    def carries(self, alias: Alias) -> int | None:
        found = bootstrap.registry_of(self.settings).resolve(alias)
        return found.version if found else None

    def aliases(self) -> tuple[int | None, int | None, int | None]:
        return self.carries(Alias.CHAMPION), self.carries(Alias.CHALLENGER), self.carries(Alias.PREVIOUS)


@pytest.fixture
async def world(
    database: str, mlflow_address: str, kafka_address: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[World]:
    """A simulated month is stored, and its first twenty days have made a champion."""
    settings = BatchSettings.read(
        data=tmp_path,
        database=database,
        mlflow=mlflow_address,
        mlflow_seconds=30,
        model=f"model-{uuid.uuid4().hex[:8]}",
        kafka=kafka_address,
        topic_prefix=topic_prefix,
    )
    await ensure_topics(settings)
    pool = await open_pool(PostgresSettings(database=settings.database))
    world = World(settings, pool, tmp_path)
    days = [usable(day.trips, day.completions) for day in City(3, CityClock()).history(6000, UNTIL, 30)]
    try:
        for trips, completions in days[:20]:
            await History(pool).add(trips, completions)
        with world.trainer():
            await until(lambda: asyncio.to_thread(lambda: world.carries(Alias.CHAMPION) == 1), 120)
            await until(lambda: happened(world, "retraining.finished"), 30)
        for trips, completions in days[20:]:
            await History(pool).add(trips, completions)
        yield world
    finally:
        for process in world.processes:
            process.kill()
            process.wait()
        await pool.close()


def usable(trips: TripColumns, completions: CompletionColumns) -> tuple[TripColumns, CompletionColumns]:
    from datetime import UTC, datetime

    verdicts = TripRules().judge_whole(trips, completions, datetime(2026, 4, 1, tzinfo=UTC))
    kept = np.array([verdict is None for verdict in verdicts])
    return trips.take(kept), completions.take(kept)


async def happened(world: World, kind: str) -> bool:
    return await world.events(kind) > 0


async def test_a_trainer_that_is_killed_at_every_step_does_everything_once(world: World) -> None:
    await world.ask("retraining", as_of=AS_OF, since_break=None, cause="drift", exclude=[])
    for death in ("taken", "training", "alias-1", "answer"):
        await world.dies(death)
    with world.trainer():
        assert (await world.answer("retraining"))["outcome"] == "registered"
    challenger = world.carries(Alias.CHALLENGER)
    assert challenger is not None
    assert world.aliases() == (1, challenger, None)
    assert await world.events("retraining.finished") == 2, "the first champion's, and one for the episode"
    assert len(bootstrap.registry_of(world.settings).versions()) == 2
    assert await world.pool.fetchval("select count(*) from gate_results where subject = 'episode 1' and passed") >= 15
    assert await world.pool.fetchval("select count(*) from model_baselines") == 2

    await world.ask("promotion", version=challenger, champion=1)
    for death in ("alias-2", "record"):  # the unit tests try every step'
        await world.dies(death)
    with world.trainer():
        assert (await world.answer("promotion"))["outcome"] == "done"
    assert world.aliases() == (challenger, 1, 1)
    assert await world.events("model.promoted") == 2

    await world.ask("rollback", version=1, champion=challenger)
    for death in ("alias-1", "answer"):
        await world.dies(death)
    with world.trainer():
        assert (await world.answer("rollback"))["outcome"] == "done"
    assert world.aliases() == (1, None, None)
    assert await world.events("model.rolled_back") == 1
    assert world.champions == {1, challenger}, "at no moment is there no champion"

    told = await asyncio.to_thread(world.tripcast, "history", "--json")
    assert (told["champion"]["kind"], told["champion"]["details"]["request"]) == ("model.rolled_back", "episode 1")
    assert [(each["kind"], each["outcome"]) for each in told["requests"]] == [
        ("retraining", "registered"),
        ("promotion", "done"),
        ("rollback", "done"),
    ]


async def test_five_trainers_do_one_job_for_one_episode_and_refuse_poison(world: World) -> None:
    await world.ask("retraining", as_of=AS_OF)
    trainers = [world.start("register", "one training died") for _ in range(5)]
    assert (await world.answer("retraining"))["outcome"] == "registered"
    assert (world.folder / "one training died").exists(), "it was started again"
    assert world.aliases() == (1, 2, None)
    assert len(bootstrap.registry_of(world.settings).versions()) == 2
    assert await world.pool.fetchval("select count(*) from training_runs") == 2
    assert await world.events("retraining.finished") == 2

    await double(world.pool, since=UNTIL - np.timedelta64(9, "D"))
    await world.ask("retraining", "episode 2", as_of=AS_OF)
    answer = await world.answer("retraining", "episode 2")
    assert answer["outcome"] == "refused"
    assert answer["reason"].startswith("speed of labels: the newest labels mean")
    assert world.aliases() == (1, 2, None)
    refused = await world.pool.fetchrow("select gate, numbers from gate_results where not passed")
    assert refused is not None
    assert refused["gate"] == "speed of labels"
    assert 0.4 < json.loads(refused["numbers"])["ratio"] < 0.55

    for trainer in trainers:
        trainer.terminate()
        await asyncio.to_thread(trainer.wait, 20)
    logs = "".join(path.read_text() for path in world.folder.glob("trainer-*.log"))
    assert logs.count("request_answered") == 2


async def double(pool: Pool, since: np.datetime64) -> None:
    """Everything since then takes twice as long as it did."""
    await pool.execute(
        "update completions set dropoff_at = pickup_at + 2 * (dropoff_at - pickup_at) where pickup_at >= $1::text::timestamptz",
        f"{since}Z",
    )
