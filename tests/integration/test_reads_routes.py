"""The reading routes over a real database: what they answer, to whom, and what they refuse."""

import base64
import math
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from adapters.kafka.broker import Broker
from adapters.kafka.topics import end_offsets, ensure_topics, topic_source
from adapters.postgres.connection.pool import Pool, connected
from adapters.postgres.history.trip_samples import trip_sample
from adapters.postgres.history.trips import History as StoredHistory
from adapters.postgres.loop.gate_results import add_gate_results
from adapters.postgres.loop.training_runs import TrainingRuns
from adapters.postgres.stream.store import Streams
from adapters.postgres.tables.lifecycle import record_lifecycle_event
from api.settings import ApiSettings
from cli.embedded.postgres import EmbeddedPostgres
from domain.entities import models, trainings
from domain.entities.files import LoadedFile
from domain.entities.streams import StreamSource
from domain.entities.trips import SECOND, CompletionColumns
from domain.gates import GateResult
from schemas.http.health import System
from schemas.http.models import ChampionAt, History, Models
from schemas.http.quality import DriftDetail, Quality
from schemas.http.snapshot import Areas
from schemas.http.trips import DatabaseStats, DeadLetter, DeadLetters, Replayed, Trip, TripsSummary
from schemas.topics import TRIP_EVENTS
from tests.batches import End, Event, Poison, Refusals, Start, batch_of
from tests.busy_day import fill
from tests.reading import Reader, reading, settings_of
from tests.trips import random_trips

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def settings(postgres_server: EmbeddedPostgres, database: str) -> ApiSettings:
    return settings_of(postgres_server, database)


@pytest.fixture
async def reader(settings: ApiSettings) -> AsyncIterator[Reader]:
    async with reading(settings) as reader:
        yield reader


async def _stored(pool: Pool, events: list[Event]) -> None:
    streams = Streams(pool)
    source_id = await streams.register(StreamSource("cluster", "trip-events", uuid.UUID(int=1)))
    await streams.open_partition(source_id, 0, 0)
    await streams.write(source_id, batch_of(events), Refusals())


class TestTrips:
    async def test_a_trip_with_all_that_is_known_of_it(self, reader: Reader, pool: Pool) -> None:
        await _stored(pool, [Start("a"), End("a", lasted=20), Start("b c/d")])
        trip = await reader.get("/trips/a", Trip)
        assert (trip.topic, trip.partition, trip.offset, trip.actual_seconds) == ("trip-events", 0, 0, 1200)
        [said] = trip.predictions
        assert (said.role, said.model_version) == ("champion", 3)
        assert trip.error_seconds == pytest.approx(said.duration_seconds - 1200)
        assert trip.within_interval is (said.lower_seconds <= 1200 <= said.upper_seconds)
        assert trip.raw_event is not None
        assert (trip.raw_event["type"], trip.raw_event["trip_id"]) == ("trip.started.v1", "a")

    async def test_a_trip_that_still_runs_and_one_that_nobody_knows(self, reader: Reader, pool: Pool) -> None:
        await _stored(pool, [Start("running")])
        trip = await reader.get("/trips/running", Trip)
        assert (trip.dropoff_at, trip.error_seconds, trip.within_interval) == (None, None, None)
        assert await reader.problem("/trips/nobody") == (404, "No trip with this id is stored.")
        assert (await reader.problem("/trips/" + "x" * 65))[0] == 422
        assert (await reader.problem("/trips/%00"))[0] == 404

    async def test_the_summary_counts_what_is_stored(self, reader: Reader, pool: Pool) -> None:
        trips = random_trips(2000, seed=5)
        ends = CompletionColumns(trips.trip_id, trips.pickup_at, trips.pickup_at + 600 * SECOND)
        await StoredHistory(pool).add(trips, ends)
        await StoredHistory(pool).finish(LoadedFile("sha", "trips.csv", "layout", 2100, 2000, {"zone_unknown": 100}))
        await _stored(pool, [Start("running"), Poison()])
        found = await reader.get("/trips/summary", TripsSummary)
        assert (found.trips, found.exact, found.sample_share) == (2001, True, 1.0)
        assert found.mean_minutes == pytest.approx(10)
        assert sum(hour.trips for hour in found.hours) == sum(day.trips for day in found.weekdays) == 2001
        assert sum(found.vendors.values()) == 2001
        assert found.first_pickup_at == trips.pickup_at.min().astype("datetime64[us]").item().replace(tzinfo=UTC)
        assert [(each.reason, each.count) for each in found.refused_rows] == [("zone_unknown", 100)]
        assert [(each.reason, each.count) for each in found.quarantined] == [("invalid_json", 1)]
        by_name = {each.name: each for each in found.distributions}
        assert {name: sum(each.counts) for name, each in by_name.items()} == {"distance": 2001, "duration": 2000, "speed": 2000}
        assert all(len(each.edges) == len(each.counts) + 1 for each in found.distributions)

    async def test_hours_and_weekdays_are_the_citys(self, reader: Reader, pool: Pool) -> None:
        trips = random_trips(1)
        monday_night_in_new_york = replace(trips, pickup_at=np.array(["2016-03-01T03:30:00"], dtype="datetime64[us]"))
        no_ends = CompletionColumns(trips.trip_id[:0], trips.pickup_at[:0], trips.pickup_at[:0])
        await StoredHistory(pool).add(monday_night_in_new_york, no_ends)
        found = await reader.get("/trips/summary", TripsSummary)
        assert [hour.number for hour in found.hours if hour.trips] == [22]
        assert [day.number for day in found.weekdays if day.trips] == [0]
        assert found.mean_minutes is None

    async def test_many_trips_are_described_by_a_sample(self, pool: Pool) -> None:
        await fill(pool, minutes=2, trips=20_000)
        found = await trip_sample(pool, few=1000, sampled=5000)
        assert (found.exact, found.total) == (False, 20_000)
        assert found.share == 0.25
        assert 2000 < len(found.trips) < 9000
        ended = found.duration_seconds[~np.isnan(found.duration_seconds)]
        assert set(ended.tolist()) == {600.0}
        assert math.isclose(len(ended) / len(found.trips), 0.5, abs_tol=0.1)


class TestModels:
    async def test_runs_and_reigns_are_told_while_the_registry_is_away(self, reader: Reader, pool: Pool) -> None:
        for minute, (kind, version) in enumerate((("model.promoted", 1), ("model.promoted", 2), ("model.rolled_back", 1))):
            details: dict[str, object] = {"version": version, "run_id": f"run{version}"}
            at = NOON + timedelta(minutes=minute)
            await record_lifecycle_event(pool, models.LifecycleEvent(kind, f"version {version}", "trainer", "why", at, details))
        run = trainings.TrainingRun("run1", "xgboost", "time", NOON, 3.5, 1000, NOON, NOON, "sha", 4.0, 3.0, 0.7, 1, "first")
        await TrainingRuns(pool).add(run)
        found = await reader.get("/models", Models)
        assert (found.registry_up, found.versions) == (False, [])
        assert [(each.run_id, each.candidate, each.model_version) for each in found.runs] == [("run1", "xgboost", 1)]
        assert [(each.version, each.until) for each in found.reigns] == [
            (1, None),
            (2, NOON + timedelta(minutes=2)),
            (1, NOON + timedelta(minutes=1)),
        ]
        then = await reader.get("/models/champion", ChampionAt, at="2026-05-01T12:01:30Z")
        assert then.version == 2
        assert (await reader.get("/models/champion", ChampionAt, at="2026-05-01T14:00:00+02:00")).version == 1
        assert (await reader.get("/models/champion", ChampionAt, at="2020-01-01T00:00:00Z")).version is None
        assert (await reader.get("/models/champion", ChampionAt)).version == 1

    @pytest.mark.parametrize(
        "at",
        [
            "2026-05-01T12:00:00",
            "yesterday",
            "1777636800",
            "2026-13-01T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T00:00:00Z",
        ],
    )
    async def test_a_time_that_is_none_is_refused_in_words(self, reader: Reader, at: str) -> None:
        for path in ("/models/champion", "/history"):
            status, detail = await reader.problem(path, at=at)
            assert status == 422
            assert detail.startswith("at: ")

    async def test_history_is_as_it_was_known_then(self, reader: Reader, pool: Pool) -> None:
        for minute in range(3):
            event = models.LifecycleEvent(
                "retraining.finished", "episode 1", "trainer", f"{minute}", NOON + timedelta(minutes=minute)
            )
            await record_lifecycle_event(pool, event)
        await add_gate_results(pool, "episode 1", 4, [GateResult("rows", passed=True, reason="enough", numbers={"rows": 9.0})])
        found = await reader.get("/history", History, at="2026-05-01T12:01:00Z", limit=10)
        assert [event.reason for event in found.events] == ["0", "1"]
        now = await reader.get("/history", History, subject="episode 1", limit=2)
        assert [event.reason for event in now.events] == ["1", "2"]
        assert [(each.gate, each.numbers) for each in now.verdicts] == [("rows", {"rows": 9.0})]
        assert (await reader.problem("/history", limit=501))[0] == 422
        assert (await reader.problem("/history", subject="a\0b"))[0] == 422


class TestQualityAndDrift:
    async def test_cohorts_of_the_rollups(self, reader: Reader, pool: Pool) -> None:
        await fill(pool, minutes=180, trips=10)
        [city] = (await reader.get("/quality", Quality)).mature
        assert city.mae_minutes == pytest.approx(1.2)
        by_area = await reader.get("/quality", Quality, by="area")
        assert len(by_area.mature) == 40
        assert sum(each.started for each in by_area.mature) == city.started
        for query in ({"by": "colour"}, {"since": "2016"}, {"since": "2016-03-02T00:00:00Z", "until": "2016-03-01T00:00:00Z"}):
            assert (await reader.problem("/quality", **query))[0] == 422

    async def test_a_signal_at_large(self, reader: Reader, pool: Pool) -> None:
        await fill(pool, minutes=1440, trips=10)
        found = await reader.get("/drift/log_ratio", DriftDetail, period="all")
        assert len(found.signal.times) == len(found.signal.values) == 288
        assert found.histogram is not None
        assert (sum(found.histogram.reference), sum(found.histogram.recent)) == (216, 72)
        assert (await reader.problem("/drift/no_such_signal"))[0] == 404
        assert (await reader.problem("/drift/%00"))[0] == 404


class TestDeadLetters:
    async def test_anybody_sees_why_and_only_an_operator_what(self, reader: Reader, pool: Pool) -> None:
        await _stored(pool, [Poison(), Poison()])
        found = await reader.get("/dead-letters", DeadLetters)
        assert [(each.reason, each.count, each.last_hour) for each in found.reasons] == [("invalid_json", 2, 2)]
        newest = found.letters[0]
        assert (newest.offset, newest.topic, newest.value_base64, newest.headers, newest.text) == (
            1,
            "trip-events",
            None,
            None,
            None,
        )
        one = await reader.get(f"/dead-letters/{newest.dead_letter_id}", DeadLetter)
        assert one == newest
        response = await reader.operator.get(f"/dead-letters/{newest.dead_letter_id}")
        whole = msgspec.json.decode(response.content, type=DeadLetter)
        assert base64.b64decode(whole.value_base64 or "") == b"{\xff\x00"
        assert (whole.text, whole.headers) == (None, [("trace", "\x00\\xff"), ("empty", None)])
        listed = msgspec.json.decode((await reader.operator.get("/dead-letters")).content, type=DeadLetters)
        assert listed.letters[0] == whole
        assert (await reader.problem("/dead-letters/999999"))[0] == 404
        assert (await reader.problem("/dead-letters", reason="no_such_reason"))[0] == 422
        assert (await reader.problem("/dead-letters/9999999999999999999"))[0] == 422

    async def test_a_replay_needs_an_operator_and_says_what_it_wants(self, reader: Reader) -> None:
        assert (await reader.client.post("/dead-letters/replay", json={"ids": [1]})).status_code == 401
        for body in ({}, {"ids": [1], "reason": "null_key"}, {"reason": "nonsense"}, {"ids": "1"}, {"every": True}):
            response = await reader.operator.post("/dead-letters/replay", json=body)
            assert response.status_code == 422, response.text
        response = await reader.operator.post("/dead-letters/replay", json={"ids": [12345]})
        assert msgspec.json.decode(response.content, type=Replayed) == Replayed(chosen=0, published=0)

    async def test_without_a_broker_nothing_is_replayed_and_nothing_is_marked(self, reader: Reader, pool: Pool) -> None:
        await _stored(pool, [Poison()])
        response = await reader.operator.post("/dead-letters/replay", json={"reason": "invalid_json"})
        assert response.status_code == 503
        assert (await reader.get("/dead-letters", DeadLetters)).letters[0].replayed_at is None

    async def test_a_replay_publishes_each_once(
        self, postgres_server: EmbeddedPostgres, database: str, pool: Pool, kafka_address: str, topic_prefix: str
    ) -> None:
        settings = settings_of(postgres_server, database, kafka=kafka_address, topic_prefix=topic_prefix)
        await ensure_topics(settings)
        await _stored(pool, [Poison(), Poison(), Poison()])
        topic = topic_prefix + TRIP_EVENTS.name
        async with reading(settings) as reader:
            for published in (3, 0):
                response = await reader.operator.post("/dead-letters/replay", json={"reason": "invalid_json"})
                assert msgspec.json.decode(response.content, type=Replayed).published == published
            ends = await end_offsets(Broker(kafka_address), topic)
            assert sum(ends.values()) == 3
            assert (await topic_source(Broker(kafka_address), topic)).topic == topic
            [again] = (await reader.get("/dead-letters", DeadLetters, limit=1)).letters
            assert again.replayed_at is not None


class TestSystem:
    async def test_what_runs_and_with_which_settings(self, reader: Reader, settings: ApiSettings) -> None:
        found = await reader.get("/system", System)
        roles = {role.name: role for role in found.roles}
        assert roles["API"].up
        assert (roles["worker"].up, roles["trainer"].address) == (None, None)
        assert {pool.name for pool in found.pools} == {"watch", "reads", "summary", "own"}
        assert found.builds.builds == []
        assert "TRIPCAST_CI_REPOSITORY" in (found.builds.hint or "")
        assert found.database_bytes is not None
        assert found.machine_memory_bytes > found.machine_memory_used_bytes > 0
        values = {setting.name: setting.value for setting in found.settings}
        assert values["TRIPCAST_DATABASE"] == "********"

    async def test_sizes_of_tables(self, reader: Reader, pool: Pool) -> None:
        await _stored(pool, [Start("a"), End("a"), Poison()])
        found = await reader.get("/stats/database", DatabaseStats)
        tables = {table.name: table for table in found.tables}
        assert (tables["trips"].rows, tables["trips"].exact) == (1, True)
        assert tables["dead_letters"].rows == 1
        assert found.bytes > 1_000_000
        assert found.connections >= 2

    async def test_the_city_has_cells_with_borders(self, reader: Reader) -> None:
        found = await reader.get("/areas", Areas)
        assert len(found.areas) == 11 * 12
        first = found.areas[0]
        assert (first.area, first.south, first.west) == (0, 40.5, -74.3)
        assert found.timezone == "America/New_York"


async def test_without_a_database_every_route_says_so_and_none_fails(postgres_server: EmbeddedPostgres) -> None:
    async with reading(settings_of(postgres_server, "/no_such_database")) as reader:
        for path in ("/trips/a", "/trips/summary", "/models", "/models/champion", "/quality", "/drift", "/drift/log_ratio"):
            assert (await reader.client.get(path)).status_code == 503, path
        for path in ("/history", "/dead-letters", "/dead-letters/1", "/stats/database"):
            assert (await reader.client.get(path)).status_code == 503, path
        for path in ("/system", "/areas", "/snapshot"):
            assert (await reader.client.get(path)).status_code == 200, path


async def test_what_only_reads_cannot_write(settings: ApiSettings) -> None:
    from adapters.postgres.connection.read_pool import open_read_pool

    pool = await open_read_pool(settings.database.get_secret_value(), "test", connections=1, seconds=2.0)
    async with connected(pool) as connection:
        assert await connection.fetchval("show default_transaction_read_only") == "on"
    await pool.close()
