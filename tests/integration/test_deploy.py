"""From one registry to another over a real MLflow and PostgreSQL: promoted where the service is well, rolled back where not."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from adapters.environment.settings import PostgresSettings
from adapters.mlflow.experiments import Experiments
from adapters.mlflow.runs import parameters_of
from adapters.onnx.local_models import LocalModels
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.loop.training_runs import TrainingRuns
from adapters.postgres.tables.lifecycle import Journal
from batch import bootstrap
from batch.deploy import Deployed
from batch.deploy_bootstrap import DeployOptions, deploy
from batch.settings import DeploySettings
from domain.entities.models import Alias, LifecycleEvent, ModelVersion
from domain.entities.trainings import TrainedFrom
from domain.errors import InvalidInput, ModelRefused, NoChampion
from domain.features import feature_schema
from tests.fakes.models import CLOCK, distance_package

METRICS = {"rmse_minutes": 5.0, "mae_minutes": 3.0, "r2": 0.7, "training_seconds": 4.0}
FIRST, LAST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)
TRAINED_FROM = TrainedFrom(9, FIRST, LAST, "ab" * 32)
NOTED: dict[str, float | str] = {
    "data_rows": 9,
    "data_from": FIRST.isoformat(),
    "data_to": LAST.isoformat(),
    "data_sha256": "ab" * 32,
}


@dataclass
class World:
    """Two models of one server: what is staging and what is production. `told`: what was announced."""

    settings: DeploySettings
    told: list[str]

    def register(self, seconds_per_km: float, schema: str | None = None, *, production: bool = False) -> int:
        model = self.settings.model if production else self.settings.source_model
        experiments = Experiments(self.settings.mlflow, model, 30)
        run_id = experiments.record("distance", TRAINED_FROM, NOTED, METRICS, None)
        return experiments.register(run_id, distance_package(seconds_per_km, schema=schema), METRICS)

    def champion(self) -> ModelVersion | None:
        return bootstrap.registry_of(self.settings).resolve(Alias.CHAMPION)

    async def events(self) -> list[LifecycleEvent | None]:
        pool = await open_pool(PostgresSettings(database=self.settings.database))
        try:
            return [await Journal(pool).newest([kind]) for kind in ("model.promoted", "model.rolled_back")]
        finally:
            await pool.close()


@pytest.fixture
def world(database: str, mlflow_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    name, told = uuid.uuid4().hex[:8], []

    async def announce(event: LifecycleEvent) -> None:
        told.append(event.kind)

    monkeypatch.setattr(bootstrap, "announcing", lambda _: announce)
    settings = DeploySettings.read(
        data=tmp_path,
        database=database,
        mlflow=mlflow_address,
        mlflow_seconds=30,
        model=f"production-{name}",
        source_mlflow=mlflow_address,
        source_model=f"staging-{name}",
    )
    return World(settings, told)


class Service(BaseHTTPRequestHandler):
    """Stands for the API and a worker of production."""

    serving: ClassVar[Callable[[], int | None]]

    def do_GET(self) -> None:
        version = type(self).serving() or 0
        info = {"name": "m", "version": version, "kind": "k", "run_id": "r", "feature_schema": "s", "metrics": {}}
        info |= {
            "created_at": "2026-01-01T00:00:00Z",
            "registry_up": True,
            "local_copy": False,
            "refused": None,
            "run_url": None,
        }
        texts = {"/readyz": "{}", "/model/info": json.dumps(info), "/metrics": f"tripcast_champion_version {version}\n"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(texts[self.path].encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(version: Callable[[], int | None]) -> Iterator[str]:
    handler = type("Serving", (Service,), {"serving": staticmethod(version)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


async def deployed(
    world: World, serves: Callable[[], int | None], version: int | None = None, gate: dict[str, str] | None = None
) -> Deployed:
    with serving(serves) as address:
        settings = world.settings.model_copy(update={"deploy_api": address, "deploy_workers": f"{address}/"})
        options = DeployOptions("a test", version, within_seconds=0.1, watch_seconds=0.1, gate=gate or {})
        return await deploy(settings, options, lambda _: None)


def follows(world: World) -> Callable[[], int | None]:
    """What a service that follows the registry serves."""

    def version() -> int | None:
        champion = world.champion()
        return champion.version if champion else None

    return version


async def test_a_version_is_copied_by_its_hashes_promoted_and_kept_where_the_service_is_well(world: World) -> None:
    world.register(100.0, production=True)
    bootstrap.registry_of(world.settings).set_alias(Alias.CHAMPION, 1)
    staged = world.register(150.0)
    outcome = await deployed(world, follows(world), staged, gate={"rmse_minutes": "4.7"})
    assert (outcome.version, outcome.replaced, outcome.source.version) == (2, 1, staged)
    champion = world.champion()
    assert champion is not None
    assert (champion.version, champion.files) == (2, outcome.source.files)
    assert champion.metrics == METRICS
    model = LocalModels(world.settings.data / "models", feature_schema(CLOCK)).admit(
        champion, bootstrap.registry_of(world.settings).download
    )
    assert model.version == 2
    promoted, rolled_back = await world.events()
    assert rolled_back is None
    assert promoted is not None
    assert promoted.details["replaced"] == 1
    assert promoted.reason == f"a test ({world.settings.source_model} at {world.settings.mlflow[7:]} version {staged})"
    noted = parameters_of(bootstrap.registry_of(world.settings).rest, champion.run_id)
    assert (noted["origin_version"], noted["origin_run_id"]) == (str(staged), outcome.source.run_id)
    assert noted["origin_gate_rmse_minutes"] == "4.7"
    pool = await open_pool(PostgresSettings(database=world.settings.database))
    assert await TrainingRuns(pool).known_until(champion.run_id) == LAST, "later gates must know what it has learnt from"
    await pool.close()


async def test_a_version_that_the_service_does_not_take_up_is_rolled_back_with_the_reason(world: World) -> None:
    first = world.register(100.0)
    await deployed(world, follows(world), first)
    second = world.register(150.0)
    with pytest.raises(ModelRefused, match=r"version 2 was rolled back to version 1: after 0\.1 s .* serves version 1"):
        await deployed(world, lambda: 1, second)
    champion = world.champion()
    assert champion is not None
    assert champion.version == 1
    promoted, rolled_back = await world.events()
    assert promoted is not None
    assert rolled_back is not None
    assert (promoted.subject, rolled_back.subject) == ("version 2", "version 1")
    assert world.told == ["model.promoted", "model.promoted", "model.rolled_back"]
    assert rolled_back.reason.startswith("version 2 is not well: after 0.1 s ")


async def test_a_deployment_that_is_run_again_copies_nothing_twice(world: World) -> None:
    staged = world.register(100.0)
    again = [await deployed(world, follows(world), staged) for _ in range(2)]
    assert [each.version for each in again] == [1, 1]
    assert len(bootstrap.registry_of(world.settings).versions()) == 1


async def test_the_first_version_has_nothing_to_go_back_to_and_says_so(world: World) -> None:
    world.register(100.0)
    with pytest.raises(NoChampion, match="has no champion to deploy"):
        await deployed(world, follows(world))
    with pytest.raises(ModelRefused, match="there is no version to go back to"):
        await deployed(world, lambda: None, 1)


async def test_a_version_that_a_worker_would_refuse_is_not_copied(world: World) -> None:
    staged = world.register(100.0, schema="0" * 12)
    with pytest.raises(ModelRefused, match="feature schema"):
        await deployed(world, follows(world), staged)
    assert bootstrap.registry_of(world.settings).versions() == []
    assert world.champion() is None


async def test_a_deployment_without_anybody_to_watch_is_not_begun(world: World) -> None:
    world.register(100.0)
    with pytest.raises(InvalidInput, match="name the service to watch"):
        await deploy(world.settings, DeployOptions("a test", 1), lambda _: None)
    same = world.settings.model_copy(update={"source_model": world.settings.model})
    with pytest.raises(InvalidInput, match="the same registry and model"):
        await deploy(same, DeployOptions("a test", 1), lambda _: None)
    assert world.champion() is None
