"""Training against a real PostgreSQL, MLflow and Kafka: from stored trips to a champion that a worker accepts."""

import json
from collections.abc import AsyncIterator

import numpy as np
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.kafka.broker import Broker
from adapters.kafka.lifecycle import listening
from adapters.kafka.topics import ensure_topics
from adapters.postgres.connection.locks import alone
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.history.labels import labelled_trips_up_to
from adapters.postgres.history.trips import History
from adapters.postgres.loop.baselines import find_baseline
from adapters.postgres.loop.gate_results import gate_results
from adapters.postgres.loop.training_runs import TrainingRuns
from adapters.postgres.tables.lifecycle import Journal
from batch import bootstrap, train_bootstrap
from batch.settings import BatchSettings
from batch.train import TrainingReport, TrainingRequest
from domain.entities.models import Alias
from domain.entities.trips import CompletionColumns
from domain.errors import ConcurrentUpdate, ModelRefused, NotEnoughTrips
from domain.features import feature_schema, features_of
from domain.services.follow_champion import FollowChampion
from tests.trips import random_trips

ROWS = 1200


@pytest.fixture
async def pool(settings: BatchSettings) -> AsyncIterator[Pool]:
    pool = await open_pool(PostgresSettings(database=settings.database))
    yield pool
    await pool.close()


@pytest.fixture
async def trips(pool: Pool, settings: BatchSettings) -> None:
    await ensure_topics(settings)
    trips = random_trips(ROWS, seed=9)
    distance = np.abs(trips.dropoff_latitude - trips.pickup_latitude) + np.abs(trips.dropoff_longitude - trips.pickup_longitude)
    seconds = np.clip(120 + distance * 9000, 61, 7000).astype(np.int64)
    dropoff_at = trips.pickup_at + seconds.astype("timedelta64[s]")
    await History(pool).add(trips, CompletionColumns(trips.trip_id, trips.pickup_at, dropoff_at))


async def train(settings: BatchSettings, *, promote: bool | None = None, subject: str | None = None) -> TrainingReport:
    request = TrainingRequest("ann", "a test", promote=promote, subject=subject)
    report = await train_bootstrap.train(settings, request, lambda _: None)
    assert report is not None
    return report


async def test_a_training_makes_a_champion_that_a_worker_accepts(settings: BatchSettings, pool: Pool, trips: None) -> None:
    report = await train(settings)
    assert report.promoted
    champion = FollowChampion(bootstrap.registry_of(settings), bootstrap.library_of(settings))
    found = champion.refresh().active
    assert found is not None
    assert (found.version, found.kind) == (report.version, report.best.candidate.name)
    assert found.feature_schema == feature_schema(settings.clock())
    assert found.metrics["rmse_minutes"] == report.best.time.rmse_minutes
    answers = champion.current().duration_seconds(features_of(random_trips(50), settings.clock()))
    assert (answers >= 60).all()
    assert (answers <= 7200).all()


async def test_every_candidate_is_recorded_and_what_happened_is_told(settings: BatchSettings, pool: Pool, trips: None) -> None:
    report = await train(settings, subject="episode-1")
    runs = await TrainingRuns(pool).newest()
    assert sorted(run.candidate for run in runs) == ["linear_regression", "random_forest", "xgboost"]
    assert {run.candidate: run.model_version for run in runs if run.model_version} == {
        report.best.candidate.name: report.version
    }
    assert {run.data_sha256 for run in runs} == {report.trained_from.data_sha256}
    assert all(run.rows == ROWS for run in runs)
    finished = await Journal(pool).newest(["retraining.finished"], "episode-1")
    assert finished is not None
    assert (finished.actor, finished.details["outcome"], finished.details["version"]) == ("ann", "promoted", report.version)
    told = []
    async with listening(
        Broker(settings.kafka), f"{settings.topic_prefix}model-lifecycle", f"{settings.topic_prefix}test"
    ) as messages:
        async for message, done in messages:
            told.append(message.kind)
            await done()
            if message.kind == "retraining.finished":
                break
    assert told == ["model.promoted", "retraining.finished"]


async def test_a_training_beside_a_champion_passes_the_gates_and_becomes_challenger(
    settings: BatchSettings, pool: Pool, trips: None
) -> None:
    first = await train(settings)
    second = await train(settings, subject="episode 1")
    assert (first.alias, second.alias) == (Alias.CHAMPION, Alias.CHALLENGER)
    registry = bootstrap.registry_of(settings)
    found = {alias: registry.resolve(alias) for alias in Alias}
    assert {alias: version.version for alias, version in found.items() if version} == {
        Alias.CHAMPION: first.version,
        Alias.CHALLENGER: second.version,
    }
    verdicts = {each.result.gate: each for each in await gate_results(pool, "episode 1")}
    assert {"rows", "order of labels", "speed of labels", "areas", "trusted", "newest window", "slices"} <= verdicts.keys()
    assert all(each.result.passed and each.model_version == second.version for each in verdicts.values())
    assert verdicts["trusted"].result.numbers["trips"] > 500
    assert await find_baseline(pool, first.version, registry.get(first.version).run_id) is not None
    assert await find_baseline(pool, second.version, registry.get(second.version).run_id) is not None
    request = TrainingRequest("ann", "again", subject="episode 1")
    assert await train_bootstrap.train(settings, request, lambda _: None) is None, "it was dealt with"


async def test_labels_that_the_loop_should_not_learn_from_are_refused_with_a_row(
    settings: BatchSettings, pool: Pool, trips: None
) -> None:
    champion = await train(settings)
    await pool.execute("update completions set dropoff_at = pickup_at + interval '10 minutes' where pickup_at > '2016-02-01'")
    with pytest.raises(ModelRefused, match="nothing was trained: order of labels"):
        await train(settings, subject="episode 1")
    refused = [each for each in await gate_results(pool, "episode 1") if not each.result.passed]
    assert [each.result.gate for each in refused][-1:] == ["order of labels"]
    finished = await Journal(pool).newest(["retraining.finished"], "episode 1")
    assert finished is not None
    assert finished.details["outcome"] == "refused"
    versions = bootstrap.registry_of(settings).versions()
    assert [(each.version, each.aliases) for each in versions] == [(champion.version, ("champion",))]


async def test_what_a_training_by_hand_makes_leaves_a_watch_alone(settings: BatchSettings, pool: Pool, trips: None) -> None:
    first, second = await train(settings), await train(settings, promote=True)
    registry = bootstrap.registry_of(settings)
    registry.set_alias(Alias.CHALLENGER, first.version)
    third = await train(settings)
    assert third.alias is None
    assert {each.version: each.aliases for each in registry.versions()} == {
        third.version: (),
        second.version: ("champion",),
        first.version: ("challenger", "previous"),
    }


async def test_without_promotion_the_version_is_challenger(settings: BatchSettings, pool: Pool, trips: None) -> None:
    report = await train(settings, promote=False)
    registry = bootstrap.registry_of(settings)
    challenger = registry.resolve(Alias.CHALLENGER)
    assert registry.resolve(Alias.CHAMPION) is None
    assert challenger is not None
    assert challenger.version == report.version


async def test_promotion_and_rollback_between_two_trainings(settings: BatchSettings, pool: Pool, trips: None) -> None:
    first, second = await train(settings), await train(settings, promote=True)
    registry = bootstrap.registry_of(settings)
    assert [(each.version, each.aliases) for each in registry.versions()] == [
        (second.version, ("champion",)),
        (first.version, ("previous",)),
    ]
    event = await bootstrap.roll_back(settings, "worse")
    assert event.details == {"version": first.version, "run_id": registry.get(first.version).run_id, "replaced": second.version}
    promoted = await bootstrap.promote(settings, second.version, "after all")
    assert promoted is not None
    assert promoted.details["replaced"] == first.version


async def test_two_trainings_at_once_are_one(settings: BatchSettings, pool: Pool, trips: None) -> None:
    async with alone(pool, bootstrap.TRAININGS):
        with pytest.raises(ConcurrentUpdate, match="another process"):
            await train(settings)
    assert bootstrap.registry_of(settings).versions() == []


async def test_too_few_trips_change_nothing(settings: BatchSettings, pool: Pool) -> None:
    with pytest.raises(NotEnoughTrips):
        await train(settings)
    assert bootstrap.registry_of(settings).versions() == []


async def test_labelled_trips_are_counted_no_further_than_asked(pool: Pool, trips: None) -> None:
    assert await labelled_trips_up_to(pool, 10) == 10
    assert await labelled_trips_up_to(pool, 10 * ROWS) == ROWS


async def test_a_message_that_is_no_lifecycle_event_is_passed_over(settings: BatchSettings, trips: None) -> None:
    from adapters.kafka.producer import RecordProducer

    topic = f"{settings.topic_prefix}model-lifecycle"
    good = {"type": "lifecycle.v1", "kind": "retraining.requested", "subject": "e1", "actor": "a", "reason": "r"}
    async with RecordProducer(Broker(settings.kafka)) as producer:
        for value in (b"not json", b"\xff", None, json.dumps({**good, "at": "2026-01-01T00:00:00Z"}).encode()):
            await producer.send(topic, b"k", value)
    async with listening(Broker(settings.kafka), topic, f"{settings.topic_prefix}other") as messages:
        message, _ = await anext(messages)
    assert message.subject == "e1"
