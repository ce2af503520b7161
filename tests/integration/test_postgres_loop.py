"""The loop's memory: rounds whole or not at all, one writer at a time, and what comes back is what was stored."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection.pool import Pool, connected, open_pool
from adapters.postgres.loop.baselines import add_baseline
from adapters.postgres.loop.expirations import expirations
from adapters.postgres.loop.progress import loop_progress
from adapters.postgres.loop.requests import answer, open_requests, taken
from adapters.postgres.loop.rollups import places_since, rollups_since
from adapters.postgres.loop.store import LoopStore
from adapters.postgres.stream.store import Streams
from adapters.postgres.tables.lifecycle import lifecycle_events, record_lifecycle_event
from domain.baselines import Baseline
from domain.entities.models import LifecycleEvent, RoleChange
from domain.entities.streams import StreamSource
from domain.errors import ConcurrentUpdate, Fenced
from domain.loop.decisions import (
    Answered,
    Approved,
    ChampionChanged,
    Fact,
    Outcome,
    Record,
    Request,
    RequestKind,
    ShadowChanged,
)
from domain.loop.journal import Entry, Round, Standing, moment
from domain.loop.signals import Reading
from domain.loop.steps import Step
from domain.loop.tracker import Reach
from domain.services.approve_training import APPROVED
from domain.sums import Cells, Places, Tally
from tests.batches import End, Event, Poison, Refusals, Start, batch_of
from tests.tallied import GRID, at, whole
from tests.trips import random_trips

MATURITY = 120
SIGNALS = """
select event_at, signal, value, samples, statistic, threshold, state, cooling_until, model_version
from drift_signals order by event_at
"""
NOON_MINUTE = 24280860  # 2016-03-01 17:00 UTC
BASELINE = Baseline(
    1000, 3.5, 5.5, (0.1,) * 5, {7: 0.1, -1: 0.0}, 0.4, (-1.0, 1.0), 0.7, 0.9, 0.02, {7: 0.9, -1: 0.1}, (1 / 24,) * 24
)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(PostgresSettings(database=database))
    yield pool
    await pool.close()


@pytest.fixture
def store(pool: Pool) -> LoopStore:
    return LoopStore(pool, GRID, MATURITY)


@pytest.fixture
async def source_id(pool: Pool) -> int:
    return await _source(pool)


async def _source(pool: Pool, partitions: int = 2, source: StreamSource | None = None) -> int:
    streams = Streams(pool)
    source_id = await streams.register(source or StreamSource("cluster", "trip-events", uuid.uuid4()))
    for partition in range(partitions):
        await streams.open_partition(source_id, partition, 100)
    return source_id


def _tally(seed: int = 1, first: str = "2016-03-01T17:00:00") -> Tally:
    return whole(at(random_trips(40, seed=seed), first, 30), shadow=2)


def _step(minute: int, tally: Tally) -> Step:
    return Step(minute, minute - 125, tally.cells, tally.pairs, tally.flows, tally.inputs)


def _round(before: Standing, reaches: dict[int, Reach], tally: Tally | None = None, **changes: Any) -> Round:
    tally = tally or Tally.empty()
    entries = changes.pop("entries", ())
    after = replace(before, seq=before.seq + len(entries), reaches=reaches, open=Tally.merged([before.open, tally]))
    offsets = {partition: reach.next_offset for partition, reach in before.reaches.items()}
    others = {name: changes.pop(name) for name in ("decisions", "expire", "readings") if name in changes}
    return Round(offsets, replace(after, **changes), tally.cells, tuple(entries), places=tally.places, **others)


def _same(one: Tally, other: Tally) -> bool:
    return one.as_lists() == other.as_lists()


async def test_a_new_loop_stands_where_the_partitions_begin(store: LoopStore, source_id: int) -> None:
    standing = await store.standing(source_id)
    assert (standing.seq, standing.closed_until, standing.expired_until, standing.announced_event_id) == (0, None, None, 0)
    assert standing.reaches == {number: Reach(100, None, caught_up=False) for number in (0, 1)}
    assert _same(standing.open, Tally.empty())


async def test_a_round_comes_back_as_the_next_standing(store: LoopStore, source_id: int) -> None:
    standing, tally = await store.standing(source_id), _tally()
    reaches = {0: Reach(150, NOON_MINUTE + 20), 1: Reach(100, None)}
    await store.commit(
        source_id, _round(standing, reaches, tally, closed_until=None, expired_until=NOON_MINUTE, announced_event_id=7)
    )
    found = await store.standing(source_id)
    assert found.reaches == {0: Reach(150, NOON_MINUTE + 20, caught_up=False), 1: Reach(100, None, caught_up=False)}
    assert _same(found.open, tally)
    assert (found.expired_until, found.announced_event_id) == (NOON_MINUTE, 7)


async def test_cells_that_no_step_needs_any_more_stay_in_the_roll_ups_alone(
    store: LoopStore, pool: Pool, source_id: int
) -> None:
    tally, closed = _tally(), NOON_MINUTE + MATURITY + 10
    await store.commit(source_id, _round(await store.standing(source_id), {0: Reach(200, closed)}, tally, closed_until=closed))
    found = await store.standing(source_id)
    assert found.open.cells.minute.min() == NOON_MINUTE + 10
    assert (await rollups_since(pool, None)).as_lists() == tally.cells.as_lists()


async def test_roll_ups_add_up(store: LoopStore, pool: Pool, source_id: int) -> None:
    first, second = _tally(1), _tally(2)
    await store.commit(source_id, _round(await store.standing(source_id), {0: Reach(150)}, first))
    await store.commit(source_id, _round(await store.standing(source_id), {0: Reach(200)}, second))
    assert (await rollups_since(pool, None)).as_lists() == Cells.merged([first.cells, second.cells]).as_lists()
    assert (await places_since(pool, None)).as_lists() == Places.merged([first.places, second.places]).as_lists()


async def test_what_was_seen_of_a_signal_first_stands(store: LoopStore, pool: Pool, source_id: int) -> None:
    minute, until = NOON_MINUTE, NOON_MINUTE + 600
    ok = Reading(minute, "log_ratio", None, 0, None, 0.25, "ok", None, 7)
    cooling = Reading(minute + 5, "log_ratio", -0.5, 3, 0.5, 0.25, "cooling", until, 7)
    await store.commit(source_id, _round(await store.standing(source_id), {0: Reach(150)}, readings=(ok, cooling)))
    again = tuple(replace(each, value=1.0, state="drift") for each in (ok, cooling))
    await store.commit(source_id, _round(await store.standing(source_id), {0: Reach(200)}, readings=again))
    async with connected(pool) as connection:
        rows = [tuple(row) for row in await connection.fetch(SIGNALS)]
    assert rows == [
        (moment(minute), "log_ratio", None, 0, None, 0.25, "ok", None, 7),
        (moment(minute + 5), "log_ratio", -0.5, 3, 0.5, 0.25, "cooling", moment(until), 7),
    ]


async def test_a_second_host_is_fenced_and_leaves_nothing_behind(store: LoopStore, pool: Pool, source_id: int) -> None:
    stale = await store.standing(source_id)
    await store.commit(source_id, _round(stale, {0: Reach(150)}, _tally(1)))
    before = await _everything(pool)
    late = _round(
        stale,
        {0: Reach(160)},
        _tally(2),
        entries=[Entry(1, ShadowChanged(3), 5)],
        decisions=(Record("drift.alarm", "city", "why", 5),),
    )
    with pytest.raises(Fenced):
        await store.commit(source_id, late)
    assert await _everything(pool) == before


async def test_a_host_that_only_learnt_a_fact_is_fenced_by_the_journal(store: LoopStore, pool: Pool, source_id: int) -> None:
    standing = await store.standing(source_id)
    fact = [Entry(1, ShadowChanged(3), 5)]
    await store.commit(source_id, _round(standing, {}, entries=fact))
    with pytest.raises(Fenced):
        await store.commit(source_id, _round(standing, {}, entries=fact))
    assert len(await pool.fetch("select * from loop_journal")) == 1


async def test_of_two_hosts_at_the_same_moment_one_is_fenced(store: LoopStore, pool: Pool, source_id: int) -> None:
    standing = await store.standing(source_id)
    rounds = [_round(standing, {0: Reach(150)}, _tally(seed), entries=[Entry(1, ShadowChanged(seed), 5)]) for seed in (1, 2)]
    outcomes = await asyncio.gather(*(store.commit(source_id, each) for each in rounds), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Fenced", "Stored"]
    winner = next(number for number, outcome in enumerate(outcomes) if not isinstance(outcome, Fenced))
    assert (await rollups_since(pool, None)).as_lists() == rounds[winner].cells.as_lists()


async def test_five_hosts_that_see_one_episode_ask_for_one_training(store: LoopStore, pool: Pool, source_id: int) -> None:
    """Each believes that it leads and was fed the same steps; two of them try again from what is stored."""
    standing = await store.standing(source_id)
    asked = Request(RequestKind.RETRAINING, "episode 1", "trips take 50% longer", 5, {"as_of": 5})
    confirmed = Record("drift.confirmed", "episode 1", "trips take 50% longer", 5)

    def seen(before: Standing) -> Round:
        entry = Entry(before.seq + 1, ShadowChanged(None), 5)
        return _round(before, {0: Reach(150)}, _tally(1), entries=[entry], decisions=(confirmed, asked))

    outcomes = await asyncio.gather(*(store.commit(source_id, seen(standing)) for _ in range(5)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Fenced"] * 4 + ["Stored"]
    again = await store.standing(source_id)
    await store.commit(source_id, _round(again, {0: Reach(200)}, decisions=(asked,)))
    requests = await pool.fetch("select kind, subject from loop_requests")
    assert [tuple(row) for row in requests] == [("retraining", "episode 1")]
    assert len(await pool.fetch("select * from lifecycle_events where kind = 'drift.confirmed'")) == 1


async def test_the_journal_comes_back_in_order_as_it_was_given(store: LoopStore, source_id: int) -> None:
    tally = _tally()
    given: list[Step | Fact] = [
        ChampionChanged(1, BASELINE),
        *(_step(NOON_MINUTE + 5 * number, tally) for number in range(450)),
        Answered(RequestKind.RETRAINING, "episode 1", Outcome.REGISTERED, 2, "passed"),
        ShadowChanged(2),
        Approved("episode 2"),
        ChampionChanged(2, None, rolled_back=True),
        ShadowChanged(None),
    ]
    entries = [Entry(number + 1, each, NOON_MINUTE + number) for number, each in enumerate(given)]
    await store.commit(source_id, _round(await store.standing(source_id), {}, entries=entries))
    found = [entry async for part in store.entries(len(entries)) for entry in part]
    assert [(entry.seq, entry.minute) for entry in found] == [(entry.seq, entry.minute) for entry in entries]
    for entry, expected in zip(found, given, strict=True):
        if isinstance(expected, Step):
            assert isinstance(entry.given, Step)
            assert entry.given.as_dict() == expected.as_dict()
        else:
            assert entry.given == expected
    assert [entry.seq async for part in store.entries(3) for entry in part] == [1, 2, 3]


async def test_a_topic_that_was_created_anew_goes_on_in_the_same_event_time(
    store: LoopStore, pool: Pool, source_id: int
) -> None:
    tally = _tally()
    await store.commit(source_id, _round(await store.standing(source_id), {0: Reach(150)}, tally, closed_until=NOON_MINUTE))
    other = await _source(pool, partitions=1)
    found = await store.standing(other)
    assert found.reaches == {0: Reach(100, None, caught_up=False)}
    assert (found.closed_until, _same(found.open, tally)) == (NOON_MINUTE, True)


class TestDecisions:
    REQUEST = Request(
        RequestKind.RETRAINING, "episode 1", "trips take longer", NOON_MINUTE, {"as_of": NOON_MINUTE, "since_break": None}
    )

    async def _decide(self, store: LoopStore, source_id: int, *decisions: Record | Request) -> None:
        await store.commit(source_id, _round(await store.standing(source_id), {}, decisions=decisions))

    async def test_a_request_is_made_once_however_often_it_is_asked(self, store: LoopStore, pool: Pool, source_id: int) -> None:
        for _ in range(2):
            await self._decide(store, source_id, self.REQUEST)
        [found] = await open_requests(pool)
        assert found.request == self.REQUEST
        [event] = await lifecycle_events(pool)
        assert (event.kind, event.subject, event.actor) == ("retraining.requested", "episode 1", "monitor")
        assert event.details["event_at"] == moment(NOON_MINUTE).isoformat()

    async def test_the_first_answer_stands_and_is_a_fact_until_it_is_learnt(
        self, store: LoopStore, pool: Pool, source_id: int
    ) -> None:
        await self._decide(store, source_id, self.REQUEST)
        [found] = await open_requests(pool, [RequestKind.RETRAINING])
        assert await open_requests(pool, [RequestKind.ROLLBACK]) == []
        assert await store.unlearnt() == []
        assert await answer(pool, found.request_id, Outcome.REGISTERED, "passed", version=4)
        assert not await answer(pool, found.request_id, Outcome.REFUSED, "too late")
        assert await open_requests(pool) == []
        fact = Answered(RequestKind.RETRAINING, "episode 1", Outcome.REGISTERED, 4, "passed")
        assert await store.unlearnt() == [fact]
        await store.commit(source_id, _round(await store.standing(source_id), {}, entries=[Entry(1, fact, NOON_MINUTE)]))
        assert await store.unlearnt() == []

    async def test_a_request_is_in_the_hands_of_one_process(self, store: LoopStore, pool: Pool, source_id: int) -> None:
        await self._decide(store, source_id, self.REQUEST)
        [found] = await open_requests(pool)
        async with taken(pool, found.request_id) as request:
            assert request == found
            with pytest.raises(ConcurrentUpdate):
                async with taken(pool, found.request_id):
                    pass
            await answer(pool, found.request_id, Outcome.FAILED, "no room")
        async with taken(pool, found.request_id) as request:
            assert request is None

    async def test_an_approval_is_a_fact_until_it_is_learnt(self, store: LoopStore, pool: Pool, source_id: int) -> None:
        for _ in range(2):
            await record_lifecycle_event(pool, LifecycleEvent(APPROVED, "episode 3", "somebody", "go on", moment(5)))
        assert await store.unlearnt() == [Approved("episode 3")]
        await store.commit(source_id, _round(await store.standing(source_id), {}, entries=[Entry(1, Approved("episode 3"), 5)]))
        assert await store.unlearnt() == []

    async def test_events_are_owed_until_they_are_announced(self, store: LoopStore, pool: Pool, source_id: int) -> None:
        await record_lifecycle_event(pool, LifecycleEvent("model.promoted", "version 1", "cli", "first", moment(5)))
        alarms = [Record("drift.alarm", f"area {number}", "shorter", NOON_MINUTE, {"value": 0.5}) for number in range(3)]
        await self._decide(store, source_id, *alarms)
        owed = await store.owed(0)
        assert [event.subject for _, event in owed] == ["area 0", "area 1", "area 2"]
        assert [event.subject for _, event in await store.owed(owed[0][0])] == ["area 1", "area 2"]


async def test_a_version_has_its_baseline_and_says_whether_it_came_by_a_roll_back(store: LoopStore, pool: Pool) -> None:
    assert await store.baseline(1, "run") is None
    await add_baseline(pool, 1, "run", BASELINE)
    await add_baseline(pool, 1, "run", replace(BASELINE, trips=5))
    await add_baseline(pool, 1, "run of another registry", replace(BASELINE, trips=7))
    assert await store.baseline(1, "run") == BASELINE
    assert not await store.rolled_back(1)
    for kind, expected in ((RoleChange.ROLLED_BACK, True), (RoleChange.PROMOTED, False)):
        await record_lifecycle_event(pool, LifecycleEvent(kind, "version 1", "cli", "why", moment(5)))
        assert await store.rolled_back(1) is expected


async def test_how_far_the_loop_is_counts_what_is_asked_answered_and_not_yet_learnt(store: LoopStore, pool: Pool) -> None:
    source = StreamSource("cluster", "trip-events", uuid.uuid4())
    source_id = await _source(pool, source=source)

    async def commit(**changes: Any) -> None:
        standing = await store.standing(source_id)
        reaches = changes.pop("reaches", standing.reaches)
        await store.commit(source_id, _round(standing, dict(reaches), **changes))

    async def pending() -> int:
        return (await loop_progress(pool, source)).open_requests

    await commit(reaches={0: Reach(150, NOON_MINUTE + 10), 1: Reach(100)}, closed_until=NOON_MINUTE + 5)
    found = await loop_progress(pool, source)
    assert (dict(found.next_offsets), found.newest_minute, found.closed_until) == (
        {0: 150, 1: 100},
        NOON_MINUTE + 10,
        NOON_MINUTE + 5,
    )
    assert (found.open_requests, found.champion, found.shadow) == (0, None, None)
    await commit(decisions=(TestDecisions.REQUEST,))
    assert await pending() == 1
    [asked] = await open_requests(pool)
    await answer(pool, asked.request_id, Outcome.DONE, "done", version=3)
    assert await pending() == 1  # answered, and not learnt
    fact = Answered(RequestKind.RETRAINING, "episode 1", Outcome.DONE, 3, "done")
    given: tuple[Fact, ...] = (ChampionChanged(2, None), fact, ChampionChanged(3, None), ShadowChanged(2))
    await commit(entries=[Entry(number + 1, each, NOON_MINUTE) for number, each in enumerate(given)])
    found = await loop_progress(pool, source)
    assert (found.open_requests, found.champion, found.shadow) == (0, 3, 2)


class TestExpiry:
    EVENTS: tuple[Event, ...] = (
        Start("gone"),
        Start("ended"),
        End("ended"),
        Start("young", minute=120),
        Start("late", minute=1),
    )

    async def _expire(self, store: LoopStore, source_id: int, hours: int = 1) -> int:
        expire = ((NOON_MINUTE, NOON_MINUTE + 60 * hours),)
        made = _round(await store.standing(source_id), {}, closed_until=NOON_MINUTE + 1500, expire=expire)
        return (await store.commit(source_id, made)).expired

    async def test_trips_without_an_end_are_given_up_once_and_settle_all_the_same(
        self, store: LoopStore, pool: Pool, source_id: int
    ) -> None:
        streams = Streams(pool)
        await streams.write(source_id, batch_of(self.EVENTS, {0: 100}), Refusals())
        assert (await self._expire(store, source_id), await self._expire(store, source_id)) == (2, 0)
        rows = await pool.fetch("select trip_id, expired_at from expirations order by 1")
        assert [tuple(row) for row in rows] == [(name, moment(NOON_MINUTE + 1500)) for name in ("gone", "late")]
        receipt = await streams.write(source_id, batch_of([End("late", minute=1, lasted=1600)], {0: 105}), Refusals())
        assert receipt.settled == 1
        found = await expirations(pool)
        assert (found.expired, found.late) == (2, 1)
        assert (await expirations(pool, since=moment(NOON_MINUTE + 1))).expired == 1

    async def test_only_the_hours_asked_for_are_looked_at(self, store: LoopStore, pool: Pool, source_id: int) -> None:
        await Streams(pool).write(source_id, batch_of(self.EVENTS, {0: 100}), Refusals())
        assert await self._expire(store, source_id, hours=3) == 3


class TestStretches:
    EVENTS: tuple[Event, ...] = (
        Start("a"), Poison(), End("a"), End("early"), Start("b", minute=9), End("b", minute=9), Start("early"), Start("c")
    )  # fmt: skip

    async def test_a_stretch_has_what_became_rows_in_it(self, store: LoopStore, pool: Pool, source_id: int) -> None:
        streams = Streams(pool)
        await streams.write(source_id, batch_of(self.EVENTS[:4], {0: 100}), Refusals())
        await streams.write(source_id, batch_of(self.EVENTS[4:], {0: 104}), Refusals())
        found = await store.stretch(source_id, 0, (101, 107))
        assert found.started.trip_id.tolist() == ["b", "early"]
        assert found.started_records.offset.tolist() == [104, 106]
        assert (found.ended.trip_id.tolist(), found.settled.trip_id.tolist()) == (["a", "b"], ["a", "b"])
        assert found.dropoff_at.tolist() == found.ended.dropoff_at.tolist()
        assert found.refused.offset.tolist() == [101]
        assert found.newest_before == np.datetime64("2016-03-01T17:00", "us")

    async def test_an_empty_stretch_is_empty(self, store: LoopStore, source_id: int) -> None:
        found = await store.stretch(source_id, 0, (100, 100))
        assert (len(found.started), len(found.ended), len(found.settled), len(found.refused)) == (0, 0, 0, 0)
        assert found.newest_before is None


async def _everything(pool: Pool) -> list[list[tuple[object, ...]]]:
    tables = ("quality_minutes", "loop_journal", "monitor_positions", "open_tallies", "loop_requests", "lifecycle_events")
    async with connected(pool) as connection:
        return [sorted(map(tuple, await connection.fetch(f"select * from {table}"))) for table in tables]
