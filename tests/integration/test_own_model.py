"""The model of docs/guides/own-model.md, as it stands there: checked, trained, promoted, served by worker and API alike."""

import hashlib
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.history.trips import History
from batch import bootstrap, train_bootstrap
from batch.check_bootstrap import trips_of_the_city
from batch.settings import BatchSettings
from batch.train import TrainingReport, TrainingRequest
from cli.commands.candidates import app
from domain.entities.models import Alias
from domain.entities.trips import SECOND, CompletionColumns
from domain.errors import ModelRefused
from domain.services.follow_champion import FollowChampion
from tests.pages import blocks
from tests.running import World, events_of, world_of
from tests.serving import Fakes, bodies_of, serving
from tests.trips import random_trips

ROWS = 3000


@pytest.fixture
def my_model(tmp_path: Path) -> Path:
    [text] = blocks("guides/own-model.md", "python")
    path = tmp_path / "my_model.py"
    path.write_text(text)
    return path


@pytest.fixture
async def world(kafka_address: str, database: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[World]:
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world:
        labelled = trips_of_the_city(ROWS)
        dropoff_at = labelled.trips.pickup_at + labelled.seconds.astype("int64") * SECOND
        pool = await open_pool(PostgresSettings.read(database=database))
        await History(pool).add(labelled.trips, CompletionColumns(labelled.trips.trip_id, labelled.trips.pickup_at, dropoff_at))
        await pool.close()
        yield world


@pytest.fixture
def settings(world: World, mlflow_address: str, tmp_path: Path) -> BatchSettings:
    return BatchSettings.read(
        data=tmp_path / "trainer",
        database=world.database,
        mlflow=mlflow_address,
        mlflow_seconds=30,
        model=f"model-{uuid.uuid4().hex[:8]}",
        kafka=world.kafka,
        topic_prefix=world.prefix,
        train_threads=1,
        train_candidates="linear_regression",
    )


async def trained(settings: BatchSettings, candidates: object) -> TrainingReport:
    """As by hand."""
    settings = settings.model_copy(update={"train_candidates": str(candidates)})
    report = await train_bootstrap.train(settings, TrainingRequest("ann", "a test"), lambda _: None)
    assert report is not None
    return report


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_example_passes_the_check_as_the_page_shows_it(my_model: Path) -> None:
    done = CliRunner().invoke(app, ["check", str(my_model)])
    assert done.exit_code == 0, done.output
    [shown] = [block for block in blocks("guides/own-model.md", "text") if "nine_inputs" in block]
    figures = re.compile(r"nine_inputs: RMSE ([0-9.]+) min")
    assert [line for line in done.output.splitlines() if line.startswith("ok")] == shown.splitlines()[:-1]
    assert float(figures.findall(done.output)[0]) == pytest.approx(float(figures.findall(shown)[0]), abs=0.1)


async def test_a_model_of_ones_own_is_trained_promoted_and_served_alike_by_worker_and_api(
    settings: BatchSettings, world: World, my_model: Path, tmp_path: Path
) -> None:
    first = await trained(settings, "linear_regression")
    mine = await trained(settings, my_model)
    assert (mine.best.candidate.name, mine.alias) == ("nine_inputs", Alias.CHALLENGER)
    registry = bootstrap.registry_of(settings)
    parameters = MlflowClient(settings.mlflow).get_run(registry.get(mine.version).run_id).data.params
    assert parameters["candidate_source"] == str(my_model)
    assert parameters["candidate_sha256"] == digest(my_model)
    assert parameters["least_leaf"] == "10"
    await bootstrap.promote(settings, mine.version, "as good")

    trips = random_trips(40, seed=5)
    with world.worker("cli", "worker", TRIPCAST_MLFLOW=settings.mlflow, TRIPCAST_MODEL=settings.model):
        await world.publish(events_of(trips)[0])
        await world.drained()
    rows = await world.rows("select trip_id, model_version, duration_seconds from predictions where role = 'champion'")
    stored = {row["trip_id"]: row["duration_seconds"] for row in rows}
    assert {row["model_version"] for row in rows} == {mine.version}

    champion = FollowChampion(registry, bootstrap.library_of(settings))
    champion.refresh()
    async with serving(Fakes(champion=champion)) as api:
        answer = (await api.client.post("/predict/batch", json={"trips": bodies_of(trips)})).json()
    said = [each["duration_seconds"] for each in answer["predictions"]]
    assert answer["model"]["kind"] == "nine_inputs"
    assert said == [stored[trip_id] for trip_id in trips.trip_id]
    assert len(set(said)) > 20, "it tells trips apart"

    await bootstrap.roll_back(settings, "it was a test")
    champion.refresh()
    assert champion.serving()[0].version == first.version


async def test_a_model_that_is_worse_than_the_champion_is_refused_by_the_gates(
    settings: BatchSettings, world: World, my_model: Path
) -> None:
    await trained(settings, "linear_regression")
    change(my_model, "model.fit(features, seconds", "model.fit(features, 3 * seconds")
    with pytest.raises(ModelRefused, match="version 2 is not used: sound"):
        await trained(settings, my_model)
    found = bootstrap.registry_of(settings).versions()
    assert [(each.kind, each.aliases) for each in found] == [("nine_inputs", ()), ("linear_regression", ("champion",))]
