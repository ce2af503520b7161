"""GET /snapshot over a real database and a real broker, through the login that may only read."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec
import numpy as np
import pytest

from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from adapters.kafka.topics import ensure_topics, topic_source
from adapters.postgres.connection.pool import Pool, connected
from adapters.postgres.stream.store import Streams
from adapters.postgres.tables.lifecycle import record_lifecycle_event
from api.settings import ApiSettings
from cli.embedded.postgres import EmbeddedPostgres
from domain.entities.models import LifecycleEvent
from schemas.http.snapshot import Snapshot
from schemas.topics import TRIP_EVENTS
from tests.batches import End, Event, Poison, Refusals, Start, batch_of
from tests.busy_day import AREAS, EVENTS_A_SECOND, fill
from tests.fakes.sources import BEGAN
from tests.reading import Reader, reading, settings_of
from tests.tallied import GRID

PANELS = ("cards", "traffic", "error", "drift", "retraining", "map", "trips")


@pytest.fixture
def settings(postgres_server: EmbeddedPostgres, database: str, kafka_address: str, topic_prefix: str) -> ApiSettings:
    return settings_of(postgres_server, database, kafka=kafka_address, topic_prefix=topic_prefix)


async def _produced(settings: ApiSettings, count: int) -> None:
    async with RecordProducer(Broker(settings.kafka)) as producer:
        for number in range(count):
            await producer.send(settings.topic_prefix + TRIP_EVENTS.name, f"trip-{number}".encode(), b"{}")


async def _stored(settings: ApiSettings, pool: Pool, events: list[Event]) -> int:
    """As a worker would have stored them, of the topic that the broker has."""
    streams = Streams(pool)
    source_id = await streams.register(await topic_source(Broker(settings.kafka), settings.topic_prefix + TRIP_EVENTS.name))
    await streams.open_partition(source_id, 0, 0)
    await streams.write(source_id, batch_of(events), Refusals())
    return source_id


def _errors(found: Snapshot) -> set[str]:
    return {name for name in PANELS if getattr(found, name).error is not None}


def _at_once(reader: Reader) -> None:
    """Every panel is read anew with the next look."""
    for cached, _ in reader.reads.parts.snapshots.shelf._panels.values():
        cached._due = 0.0


async def test_an_empty_system_says_so_and_every_panel_is_there(settings: ApiSettings) -> None:
    await ensure_topics(settings)
    async with reading(settings) as reader:
        found = await reader.until(lambda seen: seen.status.state == "no_data")
        assert "tripcast simulate" in found.status.detail
        assert _errors(found) == set()
        assert all(getattr(found, name).data is not None for name in PANELS)
        assert reader.checks.get("database").ok
        assert reader.checks.get("broker").ok


async def test_what_is_stored_is_on_the_board_and_what_is_not_is_lag(settings: ApiSettings, pool: Pool) -> None:
    await ensure_topics(settings)
    await _stored(settings, pool, [Start("a"), Start("b"), End("a", lasted=20), Poison()])
    async with reading(settings) as reader:
        found = await reader.until(lambda seen: seen.cards.data is not None and seen.cards.data.lag_events.value is not None)
        assert found.trips.data is not None
        rows = {row.trip_id: row for row in found.trips.data.rows}
        assert (rows["a"].actual_seconds, rows["b"].actual_seconds) == (1200, None)
        assert (rows["a"].partition, rows["a"].offset, rows["b"].offset, rows["a"].model_version) == (0, 0, 1, 3)
        assert [rows["a"].pickup_area] == GRID.of(np.array([40.75]), np.array([-73.9])).tolist()
        assert found.cards.data is not None
        assert found.cards.data.quarantined.value == 1
        await _produced(settings, 30)
        await reader.until(lambda seen: ((seen.cards.data and seen.cards.data.lag_events.value) or 0) > 20)
        # A panel of its own, made anew in its own time.
        await reader.until(lambda seen: set(seen.traffic.data.partitions if seen.traffic.data else ()) == {"0", "1", "2"})
        exposition = reader.metrics.exposition().decode()
        assert 'tripcast_lag_events{partition="0"}' in exposition
        assert 'tripcast_lag_seconds{partition="2"}' in exposition


async def test_the_same_snapshot_is_not_sent_twice(settings: ApiSettings) -> None:
    async with reading(settings) as reader:
        found = await reader.snapshot()
        again = await reader.client.get("/snapshot", params={"after": found.seq, "boot": found.boot})
        assert (again.status_code, again.content) == (204, b"")
        other_process = await reader.client.get("/snapshot", params={"after": found.seq, "boot": "another"})
        assert other_process.status_code == 200
        newer = await reader.until(lambda seen: seen.seq > found.seq)
        assert newer.boot == found.boot


async def test_a_panel_whose_query_fails_says_so_alone_and_keeps_what_it_had(settings: ApiSettings, pool: Pool) -> None:
    await fill(pool, minutes=30, trips=300)
    async with reading(settings) as reader:
        before = await reader.until(lambda seen: seen.error.data is not None and bool(seen.error.data.times))
        async with connected(pool) as connection:
            await connection.execute("revoke select on quality_minutes from tripcast_board")
        _at_once(reader)
        found = await reader.until(lambda seen: seen.error.error is not None and seen.map.error is not None)
        assert _errors(found) == {"error", "map"}
        assert found.error.data == before.error.data
        assert "quality_minutes" not in str(found.error.error)
        async with connected(pool) as connection:
            await connection.execute("grant select on quality_minutes to tripcast_board")
        _at_once(reader)
        assert _errors(await reader.until(lambda seen: not _errors(seen))) == set()


async def test_many_who_look_cost_the_database_what_one_costs(settings: ApiSettings, pool: Pool, database: str) -> None:
    await fill(pool, minutes=30, trips=300)
    async with reading(settings) as reader:
        await reader.snapshot()
        panels = [cached for cached, _ in reader.reads.parts.snapshots.shelf._panels.values()]
        asked = 0

        def counted(load: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
            async def ask() -> object:
                nonlocal asked
                asked += 1
                return await load()

            return ask

        for cached in panels:
            cached._load, cached._due = counted(cached._load), 0.0
        answers = await asyncio.gather(*(reader.snapshot() for _ in range(20)))
        assert asked <= len(panels)
        assert len({answer.seq for answer in answers}) <= 2


async def test_the_numbers_of_a_busy_day_are_right(settings: ApiSettings, pool: Pool) -> None:
    await fill(pool, minutes=180, trips=2000)
    async with connected(pool) as connection:
        await connection.execute("update event_sources set topic = $1", settings.topic_prefix + TRIP_EVENTS.name)
    async with reading(settings) as reader:
        found = await reader.until(
            lambda seen: seen.cards.data is not None and seen.cards.data.predictions_per_second.value is not None, "24h"
        )
        assert found.cards.data is not None
        assert found.cards.data.predictions_per_second.value == pytest.approx(EVENTS_A_SECOND / 2, rel=0.01)
        assert found.cards.data.latency_p50_seconds.value == pytest.approx(0.02, rel=0.01)
        assert found.map.data is not None
        assert len(found.map.data.pickups) == len(found.map.data.dropoffs) == AREAS
        assert found.error.data is not None
        mature = [trips for at, trips in zip(found.error.data.times, found.error.data.trips, strict=True) if trips]
        assert sum(mature) > 0
        assert found.cards.data.mature_error.mae_minutes == pytest.approx(1.2)
        assert found.trips.data is not None
        assert len(found.trips.data.rows) == 200
        by_area = await reader.snapshot("24h", area=13)
        assert by_area.trips.data is not None
        assert {row.pickup_area for row in by_area.trips.data.rows} == {13}
        everything = await reader.snapshot("all")
        assert everything.traffic.data is not None
        assert max(rate or 0 for rate in everything.traffic.data.received) == pytest.approx(EVENTS_A_SECOND)
        assert len(everything.traffic.data.times) <= 240


async def test_marks_and_episodes_come_from_the_record(settings: ApiSettings, pool: Pool) -> None:
    events = [
        LifecycleEvent("drift.confirmed", "episode 1", "loop", "longer", BEGAN, {"cause": "world_change"}),
        LifecycleEvent("model.promoted", "version 2", "trainer", "better", BEGAN, {"version": 2, "run_id": "abc"}),
    ]
    for event in events:
        await record_lifecycle_event(pool, event)
    async with reading(settings) as reader:
        found = await reader.until(lambda seen: seen.traffic.data is not None and len(seen.traffic.data.marks) == 2, "all")
        assert found.retraining.data is not None
        assert [episode.subject for episode in found.retraining.data.episodes] == ["episode 1"]
        assert found.cards.data is not None
        assert (found.cards.data.champion.version, found.cards.data.champion.since) == (2, BEGAN)
        assert str(found.cards.data.champion.run_url).endswith("/#/runs/abc")


async def test_an_api_that_starts_before_everything_else_waits_for_it(
    settings: ApiSettings, postgres_server: EmbeddedPostgres
) -> None:
    alone = settings_of(postgres_server, "/no_such_database", kafka="127.0.0.1:9")
    async with reading(alone) as reader:
        found = await reader.until(lambda seen: seen.cards.error is not None)
        assert found.status.state == "booting"
        assert found.status.awaiting[:2] == ["the database", "the broker"]
        assert _errors(found) >= {"cards", "error", "trips"}
        assert found.error.data is None
        assert not reader.checks.get("database").ok


@pytest.mark.parametrize("query", [{"period": "2h"}, {"area": -1}, {"area": 5000}, {"area": "x"}, {"after": -3}])
async def test_a_view_that_does_not_exist_is_refused(settings: ApiSettings, query: dict[str, object]) -> None:
    async with reading(settings) as reader:
        status, detail = await reader.problem("/snapshot", **query)
        assert status == 422
        assert detail.startswith(next(iter(query)))


async def test_old_views_are_dropped_when_there_are_too_many(settings: ApiSettings) -> None:
    async with reading(settings) as reader:
        for area in range(20):
            await reader.snapshot("5m", area=area)
        assert len(reader.reads.parts.snapshots._views) == 16


async def test_closing_while_questions_are_under_way_ends_at_once(settings: ApiSettings, pool: Pool) -> None:
    await fill(pool, minutes=10, trips=10)
    async with connected(pool) as connection, connection.transaction():
        await connection.execute("lock table quality_minutes in access exclusive mode")
        async with reading(settings) as reader:
            found = msgspec.json.decode((await reader.client.get("/snapshot")).content, type=Snapshot)
            assert found.trips.error is None
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.until(lambda seen: False), 0.1)
