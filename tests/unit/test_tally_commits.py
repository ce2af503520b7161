"""Signals of committed batches: whatever the batches, the groups and the restarts, the sums of a plain loop over the rows."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.areas import AreaGrid
from domain.entities.streams import Span, StreamSource
from domain.entities.trips import TIME
from domain.errors import DatabaseUnreachable
from domain.sums import Tally
from schemas.events import QualitySignal
from stream import tally_commits
from stream.metrics import Metrics
from stream.pending import PendingStarts
from stream.span_tallies import Committed
from stream.tally_commits import Group, TallyCommits, grouped
from tests.batches import NOON, SHADOW_STAMP, STAMP, End, Event, Nothing, Poison, Refusals, Start, batch_of, with_shadow
from tests.fakes.scored_history import InMemoryScoredHistory
from tests.fakes.streams import InMemoryStreams
from tests.plain_tallies import PlainTally, plain_trips, sums_of


@dataclass
class Stream:
    """Events committed batch by batch, and what the rows say of them in the end."""

    store: InMemoryStreams = field(default_factory=InMemoryStreams)
    committed: list[Committed] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    refused: set[tuple[int, int]] = field(default_factory=set)

    async def commit(self, *events: Event, shadow: bool = False) -> None:
        source_id = await self.store.register(StreamSource("cluster", "trip-events", uuid.UUID(int=1)))
        partitions = sorted({event.partition for event in events})
        firsts = {number: (await self.store.open_partition(source_id, number, 0)).next_offset for number in partitions}
        batch, refusals = batch_of(events, firsts), Refusals()
        batch = with_shadow(batch) if shadow else batch
        receipt = await self.store.write(source_id, batch, refusals)
        refused = [(letter.partition, letter.offset) for letter in batch.dead_letters]
        refused += [(one.partition, one.offset) for one in refusals.asked]
        self.refused.update(refused)
        self.ended.update(batch.completed.trip_id[receipt.ended])
        self.committed.append(Committed(source_id, batch, receipt, tuple(refused)))

    async def plain(self) -> PlainTally:
        """Counted by record, from what is stored."""
        tally, trips = PlainTally(), self.store.state.trips
        pickups = np.array([trip.facts[2] for trip in trips.values()], dtype=TIME)
        scored = await InMemoryScoredHistory(self.store).scored(list(trips), pickups)
        stored = {trip.trip_id: trip for trip in plain_trips(scored)}
        starts = {trip.record: stored[name] for name, trip in trips.items() if trip.record}
        for (source_id, partition), position in sorted(self.store.state.positions.items()):
            tally.newest = None
            for offset in range(position.next_offset):
                if trip := starts.get((source_id, partition, offset)):
                    tally.start(trip)
                elif (partition, offset) in self.refused:
                    tally.refuse()
        for name in self.ended & stored.keys():
            dropoff_at = np.datetime64(self.store.state.completions[name].facts[1], "us")  # type: ignore[call-overload]
            tally.end(stored[name], int(dropoff_at.astype(np.int64)))
        return tally


def tallying(store: InMemoryStreams, capacity: int = 1000) -> TallyCommits:
    return TallyCommits(InMemoryScoredHistory(store), AreaGrid(), Metrics(), "worker", PendingStarts(capacity))


async def signals_of(tally: TallyCommits, groups: Sequence[Group]) -> list[QualitySignal]:
    made = [await tally(group, {span.partition: True for span in group.spans}) for group in groups]
    return [msgspec.json.decode(each, type=QualitySignal) for each in made]


def merged(signals: Sequence[QualitySignal]) -> Tally:
    return Tally.merged([Tally.from_lists(signal.tally) for signal in signals])


def events() -> st.SearchStrategy[Event]:
    name = st.integers(0, 12).map(lambda number: f"t{number}")
    partition, minute = st.integers(0, 2), st.sampled_from([0, 1, 30, 55, 120])
    starts = st.builds(Start, name, minute=minute, passengers=st.integers(0, 1), partition=partition)
    ends = st.builds(End, name, minute=minute, lasted=st.sampled_from([1, 10, 45, 150]), partition=partition)
    return st.one_of(starts, starts, ends, ends, st.builds(Poison, partition), st.builds(Nothing, partition))


batches = st.lists(st.tuples(st.lists(events(), min_size=1, max_size=12), st.booleans()), min_size=1, max_size=8)


@settings(deadline=None, max_examples=120)
@given(batches, st.integers(1, 6), st.integers(0, 8), st.integers(1, 20))
async def test_the_sums_are_those_of_the_rows(
    told: list[tuple[list[Event], bool]], together: int, restart: int, capacity: int
) -> None:
    stream = Stream()
    for batch, shadow in told:
        await stream.commit(*batch, shadow=shadow)
    signals = []
    for part in (stream.committed[:restart], stream.committed[restart:]):
        tally = tallying(stream.store, capacity)  # as after a restart: nothing in memory
        for first in range(0, len(part), together):
            signals += await signals_of(tally, grouped(part[first : first + together]))
    assert sums_of(merged(signals)) == (await stream.plain()).sums
    reached: dict[int, int] = {}
    for span in (span for signal in signals for span in signal.spans):
        assert span.first_offset == reached.get(span.partition, 0)
        reached[span.partition] = span.next_offset
    assert reached == {number: each.next_offset for (_, number), each in stream.store.state.positions.items()}


async def test_a_signal_says_who_scored_how_far_it_reaches_and_who_is_caught_up() -> None:
    stream = Stream()
    await stream.commit(Start("a", minute=2), Start("b", partition=1), End("a", minute=2, lasted=7), shadow=True)
    [group] = grouped(stream.committed)
    made = await tallying(stream.store)(group, {0: False, 1: True})
    signal = msgspec.json.decode(made, type=QualitySignal)
    noon = int(NOON.astype(np.int64))
    assert (signal.source_id, signal.champion, signal.shadow, signal.worker) == (
        1,
        STAMP.version,
        SHADOW_STAMP.version,
        "worker",
    )
    assert [(span.partition, span.first_offset, span.next_offset) for span in signal.spans] == [(0, 0, 2), (1, 0, 1)]
    assert [span.newest_us for span in signal.spans] == [noon + 9 * 60_000_000, noon]
    assert [span.caught_up for span in signal.spans] == [False, True]


async def test_what_was_stored_before_is_counted_by_nobody_again() -> None:
    stream = Stream()
    await stream.commit(Start("a"), End("a"))
    await stream.commit(Start("a"), End("a"), Start("a", partition=1), Nothing())
    [first, again] = await signals_of(tallying(stream.store), [group for each in stream.committed for group in grouped([each])])
    assert merged([first]).cells.settled.sum() == 1
    assert again.tally == Tally.empty().as_lists()
    assert [span.newest_us for span in again.spans] == [None, None]


async def test_a_database_that_is_away_costs_one_signal_and_the_next_is_right() -> None:
    stream = Stream()
    await stream.commit(Start("a", minute=60), Start("b"))
    await stream.commit(End("a", minute=60), Start("c"))
    await stream.commit(End("b"), Start("d"))
    first, second, third = (grouped([each])[0] for each in stream.committed)
    await signals_of(tallying(stream.store), [first])
    tally = tallying(stream.store)
    tally.history.reachable = False  # type: ignore[attr-defined]
    with pytest.raises(DatabaseUnreachable):
        await signals_of(tally, [second])
    tally.history.reachable = True  # type: ignore[attr-defined]
    [signal] = await signals_of(tally, [third])
    assert (merged([signal]).cells.settled.sum(), merged([signal]).inputs.late.sum()) == (1, 1)


async def test_starts_in_memory_are_not_asked_for() -> None:
    stream = Stream()
    await stream.commit(Start("a"), Start("b"))
    await stream.commit(End("a"), Start("c"), End("c"), End("never"))
    tally = tallying(stream.store)
    await signals_of(tally, grouped(stream.committed))
    assert tally.history.asked == 0  # type: ignore[attr-defined]


async def test_a_gap_a_source_and_a_full_group_part_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream()
    for number in range(4):
        await stream.commit(Start(f"a{number}"), Start(f"b{number}", partition=1))
    one, two, three, four = stream.committed
    assert [group.spans for group in grouped(stream.committed)] == [(Span(0, 0, 4), Span(1, 0, 4))]
    assert [group.committed for group in grouped([one, two, four])] == [(one, two), (four,)]
    other = Committed(2, three.batch, three.receipt)
    assert [group.source_id for group in grouped([one, two, other])] == [1, 2]
    monkeypatch.setattr(tally_commits, "GROUP_ROWS", 5)
    assert [len(group.committed) for group in grouped(stream.committed)] == [2, 2]
