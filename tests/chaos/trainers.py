"""A world for trainers: a stored month, a first champion, and trainers as processes that may die at any step."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from adapters.environment.settings import PostgresSettings
from adapters.kafka.topics import ensure_topics
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.history.trips import History
from batch import bootstrap
from batch.settings import BatchSettings
from domain.city.city import City
from domain.entities.models import Alias
from domain.entities.trips import CompletionColumns, TripColumns
from domain.features import CityClock
from domain.quality import TripRules
from tests.running import REPOSITORY, until

UNTIL = np.datetime64("2026-03-01T05:00:00", "us")
DEADLINE_SECONDS = 240.0  # of what takes seconds on a quiet machine
AS_OF = int(UNTIL.astype("datetime64[m]").astype(np.int64))
ASK = "insert into loop_requests (kind, subject, reason, body, event_at) values ($1, $2, 'drift', $3, now())"


@dataclass
class Trainers:
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
        code = await asyncio.to_thread(process.wait, DEADLINE_SECONDS)
        assert code == -9, f"it lived through {death}: {code}"
        self.champions.add(self.carries(Alias.CHAMPION))

    async def ask(self, kind: str, subject: str = "episode 1", **body: object) -> None:
        await self.pool.execute(ASK, kind, subject, json.dumps(body))

    async def answer(self, kind: str, subject: str = "episode 1") -> dict[str, Any]:
        async def answered() -> bool:
            query = "select outcome is not null from loop_requests where kind = $1 and subject = $2"
            return bool(await self.pool.fetchval(query, kind, subject))

        await until(answered, DEADLINE_SECONDS)
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


@asynccontextmanager
async def trained(database: str, mlflow: str, kafka: str, prefix: str, folder: Path) -> AsyncIterator[Trainers]:
    """A simulated month is stored, and its first twenty days have made a champion."""
    settings = BatchSettings.read(
        data=folder,
        database=database,
        mlflow=mlflow,
        mlflow_seconds=30,
        model=f"model-{uuid.uuid4().hex[:8]}",
        kafka=kafka,
        topic_prefix=prefix,
    )
    await ensure_topics(settings)
    pool = await open_pool(PostgresSettings(database=settings.database))
    world = Trainers(settings, pool, folder)
    days = [usable(day.trips, day.completions) for day in City(3, CityClock()).history(6000, UNTIL, 30)]
    try:
        for trips, completions in days[:20]:
            await History(pool).add(trips, completions)
        with world.trainer():
            await until(lambda: asyncio.to_thread(lambda: world.carries(Alias.CHAMPION) == 1), DEADLINE_SECONDS)
            await until(lambda: happened(world, "retraining.finished"), DEADLINE_SECONDS)
        for trips, completions in days[20:]:
            await History(pool).add(trips, completions)
        yield world
    finally:
        for process in world.processes:
            process.kill()
            process.wait()
        await pool.close()


def usable(trips: TripColumns, completions: CompletionColumns) -> tuple[TripColumns, CompletionColumns]:
    verdicts = TripRules().judge_whole(trips, completions, datetime(2026, 4, 1, tzinfo=UTC))
    kept = np.array([verdict is None for verdict in verdicts])
    return trips.take(kept), completions.take(kept)


async def happened(world: Trainers, kind: str) -> bool:
    return await world.events(kind) > 0


async def double(pool: Pool, since: np.datetime64) -> None:
    """Everything since then takes twice as long as it did."""
    await pool.execute(
        "update completions set dropoff_at = pickup_at + 2 * (dropoff_at - pickup_at) where pickup_at >= $1::text::timestamptz",
        f"{since}Z",
    )
