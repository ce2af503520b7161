"""Versions in a real registry, good ones and four that must never score, and the aliases that a test moves."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import numpy as np

from adapters.environment.settings import PostgresSettings
from adapters.kafka.broker import Broker
from adapters.kafka.lifecycle import announce
from adapters.mlflow.experiments import Experiments
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from adapters.onnx.local_models import LocalModels
from adapters.onnx.model import Graph
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.history.predictions import StoredPredictions, served_predictions, stored_predictions
from adapters.postgres.tables.lifecycle import record_lifecycle_event
from batch.verify import Verification, Verify
from domain.entities.models import Alias, RoleChange, role_change
from domain.entities.trainings import TrainedFrom
from domain.features import FEATURES, feature_schema
from domain.packages import ModelPackage
from domain.split import instant
from tests.fakes.models import CLOCK, constant_graph, distance_package, slow_graph
from tests.running import Worker, World, until
from tests.trips import random_trips

SCHEMA = feature_schema(CLOCK)
METRICS = {"rmse_minutes": 5.0}


@dataclass
class Registered:
    """One registered model in an MLflow server whose artifacts lie in `store`."""

    address: str
    store: Path
    folder: Path  # for copies that are verified here
    model: str

    @classmethod
    def new(cls, address: str, store: Path, folder: Path) -> "Registered":
        """No version yet."""
        return cls(address, store, folder, f"model-{uuid.uuid4().hex[:8]}")

    @property
    def settings(self) -> dict[str, str]:
        """What a process needs to follow it."""
        return {"TRIPCAST_MLFLOW": self.address, "TRIPCAST_MODEL": self.model}

    @property
    def registry(self) -> Registry:
        """As the worker uses it, and with the right to write."""
        return Registry(MlflowRest(self.address, seconds=20), self.model)

    def register(self, package: ModelPackage) -> int:
        """A new version without an alias."""
        experiments = Experiments(self.address, self.model, seconds=20)
        pickup_at = random_trips(2).pickup_at
        trained_from = TrainedFrom(2, instant(pickup_at.min()), instant(pickup_at.max()), "ab" * 32)
        run_id = experiments.record(package.kind, trained_from, {}, METRICS, self.folder)
        return experiments.register(run_id, package, METRICS)

    def bad(self) -> dict[int, str]:
        """Versions that must never score, each with the words of its refusal."""
        corrupt = self.register(distance_package(200.0))
        self._flip_a_byte(corrupt)
        return {
            corrupt: "the sha256 of model.onnx is not the one that the registry records",
            self.register(_answering(constant_graph(float("nan")))): "not a positive number of seconds",
            self.register(_answering(slow_graph(1_500_000))): "it is too slow",
            self.register(
                distance_package(200.0, schema="of another city")
            ): "it was trained on feature schema of another city",
        }

    def _flip_a_byte(self, version: int) -> None:
        run_id = self.registry.get(version).run_id
        [graph] = self.store.glob(f"**/{run_id}/**/model.onnx")
        content = bytearray(graph.read_bytes())
        content[len(content) // 2] ^= 1
        graph.write_bytes(content)

    async def name(self, world: World, champion: int, challenger: int | None = None, *, told: bool = True) -> None:
        """Move the aliases as promotions and rollbacks do: recorded, and announced unless the message is lost."""
        registry = self.registry
        before = await asyncio.to_thread(registry.resolve, Alias.CHAMPION)
        await asyncio.to_thread(registry.set_alias, Alias.CHAMPION, champion)
        if challenger is not None:
            await asyncio.to_thread(registry.set_alias, Alias.CHALLENGER, challenger)
        version = await asyncio.to_thread(registry.get, champion)
        back = before is not None and before.version > champion
        kind = RoleChange.ROLLED_BACK if back else RoleChange.PROMOTED
        event = role_change(kind, version, before, actor="test", reason="a swap", at=datetime.now(UTC))
        pool = await open_pool(PostgresSettings(database=world.database))
        try:
            await record_lifecycle_event(pool, event)
        finally:
            await pool.close()
        if told:
            await announce(Broker(world.kafka), f"{world.prefix}model-lifecycle", event)

    async def verify(self, world: World) -> Verification:
        """Every stored prediction again, by the version that it names, from files fetched anew."""
        pool = await open_pool(PostgresSettings(database=world.database))
        shutil.rmtree(self.folder / "verified", ignore_errors=True)
        try:
            verify = Verify(self.registry, LocalModels(self.folder / "verified", SCHEMA), CLOCK)
            return await verify(_all_of(pool), lambda _: None)
        finally:
            await pool.close()


async def _all_of(pool: Pool) -> AsyncIterator[StoredPredictions]:
    """The stream's and the API's."""
    for source in (stored_predictions(pool), served_predictions(pool)):
        async for chunk in source:
            yield chunk


async def follows(worker: Worker, champion: int, challenger: int) -> None:
    """Return when the worker is ready and scores with both."""

    async def does() -> bool:
        ready = worker.health("readyz")[0] == HTTPStatus.OK  # otherwise it does not answer yet, or has not looked around yet
        return ready and await scores_with(worker, champion, challenger)

    await until(does)


async def scores_with(worker: Worker, champion: int, challenger: int) -> bool:
    """Whether it scores with both, or would if it had something to score."""
    return [worker.metric(f"tripcast_{role}_version") for role in ("champion", "challenger")] == [champion, challenger]


def _answering(graph: bytes) -> ModelPackage:
    """With recorded answers that are good ones, so that only the graph is at fault."""
    package = distance_package()
    Graph.open(graph, len(FEATURES))
    return replace(package, graph=graph, warm_up_outputs=np.full(len(package.warm_up_inputs), 300.0, dtype=np.float32))
