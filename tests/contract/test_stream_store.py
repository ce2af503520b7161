"""What `domain.ports.StreamStore` promises, held by PostgreSQL and by the fake."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.stream.store import Streams
from domain.entities.models import LifecycleEvent
from domain.entities.rejections import DeadLetter, SkipReason
from domain.entities.streams import BatchReceipt, Contradiction, Position, Skipped, Span, StreamSource
from domain.errors import BrokerUnreachable, Fenced
from domain.ports import StreamStore
from tests.batches import SCORED_AT, SHADOW_STAMP, STAMP, End, Event, Nothing, Poison, Refusals, Start, batch_of, with_shadow
from tests.fakes.streams import InMemoryStreams
from tests.stored import Stored, stored_in_fake, stored_in_postgres


class Reader:
    """A source with its partitions, read from 0 on: writes batch after batch, and looks at what is stored."""

    def __init__(self, store: StreamStore, look: Callable[[], Awaitable[Stored]], source_id: int) -> None:
        self.store, self.look, self.source_id = store, look, source_id
        self.refusals = Refusals()

    async def write(
        self, *events: Event, published: dict[int, int] | None = None, skipped: Sequence[Skipped] = ()
    ) -> BatchReceipt:
        partitions = sorted({event.partition for event in events} | {skip.partition for skip in skipped})
        positions = {partition: await self.store.open_partition(self.source_id, partition, 0) for partition in partitions}
        firsts = {partition: position.next_offset for partition, position in positions.items()}
        return await self.store.write(self.source_id, batch_of(events, firsts, published, skipped), self.refusals)

    async def stored(self) -> Stored:
        return await self.look()


@pytest.fixture(params=["fake", "postgres"])
def address(request: pytest.FixtureRequest) -> str | None:
    """Of a database, or None for the fake."""
    return request.getfixturevalue("database") if request.param == "postgres" else None


@pytest.fixture
async def reader(address: str | None) -> AsyncIterator[Reader]:
    if address is None:
        fake = InMemoryStreams()
        yield Reader(fake, lambda: stored_in_fake(fake), await fake.register(a_source()))
        return
    pool = await open_pool(PostgresSettings(database=address))
    try:
        store = Streams(pool)
        yield Reader(store, lambda: stored_in_postgres(pool), await store.register(a_source()))
    finally:
        await pool.close()


def a_source(topic: str = "trip-events") -> StreamSource:
    return StreamSource("cluster", topic, uuid.uuid4())


class TestSources:
    async def test_an_incarnation_of_a_topic_keeps_its_id(self, reader: Reader) -> None:
        source = a_source()
        first = await reader.store.register(source)
        assert await reader.store.register(source) == first != reader.source_id

    async def test_the_newest_other_incarnation_of_a_topic_is_known(self, reader: Reader) -> None:
        first, second, third = a_source("rides"), a_source("rides"), a_source("rides")
        await reader.store.register(first)
        assert await reader.store.previous_source(first) is None
        await reader.store.register(second)
        assert await reader.store.previous_source(first) == second
        assert await reader.store.previous_source(third) == second


class TestPositions:
    async def test_a_partition_that_was_never_read_is_absent(self, reader: Reader) -> None:
        await reader.store.open_partition(reader.source_id, 4, 100)
        assert await reader.store.positions(reader.source_id, [3, 4]) == {4: Position(4, 100, 100, 100)}

    async def test_opening_again_changes_nothing(self, reader: Reader) -> None:
        await reader.write(Start("a"), Start("b"))
        assert await reader.store.open_partition(reader.source_id, 0, 77) == Position(0, 0, 2, 0)

    async def test_published_offsets_move_forward_only(self, reader: Reader) -> None:
        await reader.write(Start("a"), Start("b"), Start("c", partition=1))
        await reader.store.mark_published(reader.source_id, {0: 2, 1: 1})
        await reader.store.mark_published(reader.source_id, {0: 1})
        positions = await reader.store.positions(reader.source_id, [0, 1])
        assert [positions[0].published_offset, positions[1].published_offset] == [2, 1]

    async def test_a_batch_can_say_what_was_published_before(self, reader: Reader) -> None:
        await reader.write(Start("a"), Start("b"))
        await reader.write(Start("c"), published={0: 2})
        await reader.write(Start("d"), published={0: 1})
        assert await reader.store.positions(reader.source_id, [0]) == {0: Position(0, 0, 4, 2)}

    async def test_what_a_failed_over_database_has_lost_does_not_count_as_published(self, reader: Reader) -> None:
        """The worker published up to 9, of a transaction that the new primary never got."""
        await reader.write(Start("a"), Start("b"))
        await reader.store.mark_published(reader.source_id, {0: 9})
        await reader.write(Start("c"), published={0: 9})
        assert await reader.store.positions(reader.source_id, [0]) == {0: Position(0, 0, 3, 0)}

    async def test_suspects_are_counted_by_record_and_cleared_by_a_write(self, reader: Reader) -> None:
        await reader.store.open_partition(reader.source_id, 0, 0)
        attempts = [await reader.store.mark_suspect(reader.source_id, 0, offset) for offset in (5, 5, 6, 6, 6)]
        assert attempts == [1, 2, 1, 2, 3]
        assert await reader.store.positions(reader.source_id, [0]) == {0: Position(0, 0, 0, 0, suspect=6, attempts=3)}
        await reader.write(Start("a"))
        assert await reader.store.positions(reader.source_id, [0]) == {0: Position(0, 0, 1, 0)}


class TestWriting:
    async def test_trips_predictions_and_completions_are_stored_with_their_records(self, reader: Reader) -> None:
        receipt = await reader.write(Start("a", minute=1), Poison(), End("a", minute=1), Start("b", partition=2))
        stored = await reader.stored()
        assert stored.trips == {"a": (0, 0), "b": (2, 0)}
        assert stored.completions == {"a": (0, 2)}
        assert stored.dead_letters == {(0, 1): "invalid_json"}
        assert (receipt.stored.tolist(), receipt.settled, receipt.repeats, receipt.dead_letters) == ([True, True], 1, 0, 1)
        assert await reader.store.positions(reader.source_id, [0, 2]) == {0: Position(0, 0, 3, 0), 2: Position(2, 0, 1, 0)}

    async def test_a_shadows_predictions_are_stored_for_the_same_trips_under_its_own_name(self, reader: Reader) -> None:
        await reader.write(Start("a"))
        batch = with_shadow(batch_of([Start("a"), Start("b"), Start("c", partition=1), End("b")], {0: 1, 1: 0}))
        await reader.store.open_partition(reader.source_id, 1, 0)
        receipt = await reader.store.write(reader.source_id, batch, reader.refusals)
        said = (await reader.stored()).predictions
        assert batch.shadow is not None
        assert receipt.stored.tolist() == [False, True, True]
        assert {key: version for key, (version, _) in said.items()} == {
            ("a", "champion"): STAMP.version,
            **{(trip_id, "champion"): STAMP.version for trip_id in "bc"},
            **{(trip_id, "challenger"): SHADOW_STAMP.version for trip_id in "bc"},
        }
        for row, trip_id in ((1, "b"), (2, "c")):
            for role, predictions in (("champion", batch.predictions), ("challenger", batch.shadow.predictions)):
                seconds = predictions.duration_seconds[row], predictions.lower_seconds[row], predictions.upper_seconds[row]
                assert said[trip_id, role][1] == seconds

    async def test_a_completion_is_told_as_ended_once_and_only_when_its_trip_has_started(self, reader: Reader) -> None:
        assert (await reader.write(Start("a"), End("a"), End("x"))).ended.tolist() == [True, False]
        assert (await reader.write(Start("x"), End("a"), End("x"))).ended.tolist() == [False, False]
        assert (await reader.write(End("c"), Start("c"), Start("b"))).ended.tolist() == [True]
        assert (await reader.write(End("b"), End("b", lasted=99))).ended.tolist() == [True, False]

    async def test_a_trip_settles_once_in_either_order_of_arrival(self, reader: Reader) -> None:
        assert (await reader.write(Start("a"), End("b"))).settled == 0
        assert (await reader.write(End("a"))).settled == 1
        assert (await reader.write(Start("b"))).settled == 1
        assert (await reader.write(End("c"), Start("c"))).settled == 1
        assert (await reader.write(End("c"), Start("b"), Start("a"), End("a"))).settled == 0

    async def test_an_identical_repeat_is_a_named_skip(self, reader: Reader) -> None:
        await reader.write(Start("a"), End("a"))
        receipt = await reader.write(Start("a"), Start("b"), End("a"))
        stored = await reader.stored()
        assert (receipt.stored.tolist(), receipt.repeats, receipt.dead_letters) == ([False, True], 2, 0)
        assert stored.skipped == {(0, 2): "identical_repeat", (0, 4): "identical_repeat"}
        assert stored.trips == {"a": (0, 0), "b": (0, 3)}

    async def test_a_repeat_inside_one_batch_is_a_named_skip(self, reader: Reader) -> None:
        receipt = await reader.write(Start("a"), Start("a"), End("a"), End("a"), Start("a", partition=1))
        stored = await reader.stored()
        assert (receipt.stored.tolist(), receipt.repeats, receipt.settled) == ([True, False, False], 3, 1)
        assert stored.skipped.keys() == {(0, 1), (0, 3), (1, 0)}

    @pytest.mark.parametrize(
        ("earlier", "later"),
        [
            (Start("a"), Start("a", passengers=2)),
            (Start("a"), Start("a", minute=1)),
            (End("a"), End("a", lasted=11)),
            (Start("a"), End("a", minute=1)),
            (End("a"), Start("a", minute=1)),
        ],
    )
    @pytest.mark.parametrize("together", [True, False])
    async def test_the_later_of_two_contradicting_events_is_refused(
        self, reader: Reader, earlier: Event, later: Event, *, together: bool
    ) -> None:
        if together:
            receipt = await reader.write(earlier, later, Start("z"))
        else:
            await reader.write(earlier)
            receipt = await reader.write(later, Start("z"))
        stored = await reader.stored()
        assert [(one.partition, one.offset, one.trip_id) for one in reader.refusals.asked] == [(0, 1, "a")]
        assert stored.dead_letters == {(0, 1): "contradicts_stored"}
        assert (0, 1) not in {*stored.trips.values(), *stored.completions.values()}
        assert (receipt.settled, receipt.repeats, receipt.dead_letters) == (0, 0, 1)
        assert stored.trips["z"] == (0, 2)

    async def test_an_event_that_repeats_a_refused_one_is_refused_too(self, reader: Reader) -> None:
        await reader.write(Start("a"), Start("a", passengers=2))
        receipt = await reader.write(Start("a", passengers=2), Start("a"))
        assert (receipt.repeats, receipt.dead_letters) == (1, 1)

    async def test_nothing_is_visible_when_refusing_fails(self, reader: Reader) -> None:
        async def refuse(contradictions: Sequence[Contradiction]) -> Sequence[DeadLetter]:
            raise BrokerUnreachable("quarantine is away")

        await reader.write(Start("a"))
        before = await reader.stored()
        batch = batch_of([Start("b"), Start("a", minute=5), End("a"), Poison()], {0: 1})
        with pytest.raises(BrokerUnreachable):
            await reader.store.write(reader.source_id, batch, refuse)
        assert await reader.stored() == before
        assert (await reader.store.positions(reader.source_id, [0]))[0].next_offset == 1

    @pytest.mark.parametrize("first_offset", [0, 2])
    async def test_a_batch_that_does_not_begin_at_the_stored_offset_is_fenced(self, reader: Reader, first_offset: int) -> None:
        await reader.write(Start("a"))
        before = await reader.stored()
        with pytest.raises(Fenced):
            await reader.store.write(reader.source_id, batch_of([Start("b")], {0: first_offset}), reader.refusals)
        assert await reader.stored() == before

    async def test_one_stale_partition_fences_the_whole_batch(self, reader: Reader) -> None:
        await reader.write(Start("a"), Start("b", partition=1))
        with pytest.raises(Fenced):
            await reader.store.write(
                reader.source_id, batch_of([Start("c"), Start("d", partition=1)], {0: 1, 1: 0}), reader.refusals
            )
        assert (await reader.stored()).trips.keys() == {"a", "b"}

    async def test_a_partition_that_was_never_opened_is_fenced(self, reader: Reader) -> None:
        with pytest.raises(Fenced):
            await reader.store.write(reader.source_id, batch_of([Start("a")]), reader.refusals)

    async def test_ranges_without_records_are_accounted_for(self, reader: Reader) -> None:
        await reader.store.open_partition(reader.source_id, 0, 0)
        lost = Skipped(0, 0, 9, SkipReason.LOST)
        batch = batch_of([Start("a"), Nothing(), Start("b")], {0: 10}, skipped=[lost])
        await reader.store.write(reader.source_id, replace(batch, spans=(Span(0, 0, 13),)), reader.refusals)
        assert (await reader.stored()).skipped == dict.fromkeys([(0, n) for n in range(10)], "lost") | {(0, 11): "no_record"}

    async def test_an_empty_batch_moves_the_position(self, reader: Reader) -> None:
        await reader.write(Nothing(), Nothing())
        assert (await reader.store.positions(reader.source_id, [0]))[0].next_offset == 2

    async def test_another_incarnation_of_the_topic_repeats_what_the_first_one_stored(self, reader: Reader) -> None:
        await reader.write(Start("a"), End("a"))
        again = Reader(reader.store, reader.look, await reader.store.register(a_source()))
        receipt = await again.write(Start("a"), End("a"), Start("b"))
        assert (receipt.repeats, receipt.stored.tolist()) == (2, [False, True])

    @pytest.mark.parametrize("trip_id", ["x", "é" * 64, "\U0001f695", 'a\tb\\n"', "a" * 64])
    async def test_any_text_can_be_a_trip_id(self, reader: Reader, trip_id: str) -> None:
        receipt = await reader.write(Start(trip_id), Start("other"), End(trip_id), Start(trip_id))
        assert (receipt.settled, receipt.repeats) == (1, 1)
        assert (await reader.stored()).trips.keys() == {trip_id, "other"}


class TestPublishing:
    async def test_committed_predictions_come_back_bit_for_bit_and_in_order(self, reader: Reader) -> None:
        batch = batch_of([Start("b"), End("b"), Start("a"), Poison(), Start("c"), End("a")])
        await reader.store.open_partition(reader.source_id, 0, 0)
        await reader.store.write(reader.source_id, batch, reader.refusals)
        found, following = await reader.store.unpublished(reader.source_id, 0, 0, 100)
        assert found.predictions.trip_id.tolist() == ["b", "a", "c"]
        for name in ("duration_seconds", "lower_seconds", "upper_seconds"):
            column = getattr(found.predictions, name)
            assert column.dtype == np.float32
            assert column.tobytes() == getattr(batch.predictions, name).tobytes()
        assert found.records.offset.tolist() == [0, 2, 4]
        assert found.model_version.tolist() == [STAMP.version] * 3
        assert found.feature_schema.tolist() == [STAMP.feature_schema] * 3
        assert found.scored_at.tolist() == [SCORED_AT.astimezone(UTC).replace(tzinfo=None)] * 3
        assert following == 6

    async def test_a_trace_comes_back_with_its_prediction(self, reader: Reader) -> None:
        trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
        await reader.write(Start("b"), Start("a", traceparent=trace), Start("c", published_ms=None))
        found, _ = await reader.store.unpublished(reader.source_id, 0, 0, 100)
        assert found.traceparent.tolist() == [None, trace, None]
        envelopes = (await reader.stored()).envelopes
        assert envelopes == {"a": (Start("a").published_ms, trace), "b": (Start("b").published_ms, None), "c": (None, None)}

    async def test_the_same_trip_under_another_trace_or_published_later_is_a_repeat(self, reader: Reader) -> None:
        await reader.write(Start("a", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01"))
        before = (await reader.stored()).envelopes
        receipt = await reader.write(
            Start("a", traceparent="00-" + "c" * 32 + "-" + "b" * 16 + "-01"), Start("a", published_ms=7)
        )
        assert (receipt.stored.tolist(), receipt.repeats, receipt.dead_letters) == ([False, False], 2, 0)
        assert (await reader.stored()).envelopes == before

    async def test_what_a_shadow_said_is_never_published(self, reader: Reader) -> None:
        batch = with_shadow(batch_of([Start("a"), Start("b")]))
        await reader.store.open_partition(reader.source_id, 0, 0)
        await reader.store.write(reader.source_id, batch, reader.refusals)
        found, _ = await reader.store.unpublished(reader.source_id, 0, 0, 100)
        assert found.predictions.duration_seconds.tobytes() == batch.predictions.duration_seconds.tobytes()
        assert set(found.model_version.tolist()) == {STAMP.version}

    async def test_a_limit_says_where_to_go_on(self, reader: Reader) -> None:
        await reader.write(Start("a"), Poison(), Start("b"), End("a"), Start("c"), End("c"), Start("x", partition=1))
        seen, offset = [], 0
        while offset < 6:
            found, offset = await reader.store.unpublished(reader.source_id, 0, offset, 2)
            assert len(found.predictions) <= 2
            seen += found.predictions.trip_id.tolist()
        assert seen == ["a", "b", "c"]

    async def test_a_partition_without_rows_has_nothing_to_publish(self, reader: Reader) -> None:
        found, following = await reader.store.unpublished(reader.source_id, 9, 3, 10)
        assert (len(found.predictions), following) == (0, 3)


async def test_lifecycle_events_are_kept_whatever_they_hold(reader: Reader) -> None:
    details = {"rmse": float("nan"), "text": "nul \x00 and half \ud800", "nested": [{"at": datetime(2020, 1, 1, tzinfo=UTC)}]}
    event = LifecycleEvent("model.promoted", "trip-duration", "someone\x00", "better", datetime.now(UTC), details)
    await reader.store.record(event)
