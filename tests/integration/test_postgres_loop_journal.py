"""The loop's journal and what it asks for: in order, once, with an answer that is learnt once."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from adapters.postgres.connection.pool import Pool
from adapters.postgres.loop.baselines import add_baseline
from adapters.postgres.loop.progress import loop_progress
from adapters.postgres.loop.requests import answer, open_requests, taken
from adapters.postgres.loop.store import LoopStore
from adapters.postgres.tables.lifecycle import lifecycle_events, record_lifecycle_event
from domain.baselines import Baseline
from domain.entities.models import LifecycleEvent, RoleChange
from domain.entities.streams import StreamSource
from domain.errors import ConcurrentUpdate
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
from domain.loop.journal import Entry, moment
from domain.loop.steps import Step
from domain.loop.tracker import Reach
from domain.services.approve_training import APPROVED
from tests.loop_rounds import NOON_MINUTE, a_round, a_tally, new_source, same, step_of

BASELINE = Baseline(
    1000, 3.5, 5.5, (0.1,) * 5, {7: 0.1, -1: 0.0}, 0.4, (-1.0, 1.0), 0.7, 0.9, 0.02, {7: 0.9, -1: 0.1}, (1 / 24,) * 24
)


async def test_the_journal_comes_back_in_order_as_it_was_given(store: LoopStore, source_id: int) -> None:
    tally = a_tally()
    given: list[Step | Fact] = [
        ChampionChanged(1, BASELINE),
        *(step_of(NOON_MINUTE + 5 * number, tally) for number in range(450)),
        Answered(RequestKind.RETRAINING, "episode 1", Outcome.REGISTERED, 2, "passed"),
        ShadowChanged(2),
        Approved("episode 2"),
        ChampionChanged(2, None, rolled_back=True),
        ShadowChanged(None),
    ]
    entries = [Entry(number + 1, each, NOON_MINUTE + number) for number, each in enumerate(given)]
    await store.commit(source_id, a_round(await store.standing(source_id), {}, entries=entries))
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
    tally = a_tally()
    await store.commit(source_id, a_round(await store.standing(source_id), {0: Reach(150)}, tally, closed_until=NOON_MINUTE))
    other = await new_source(pool, partitions=1)
    found = await store.standing(other)
    assert found.reaches == {0: Reach(100, None, caught_up=False)}
    assert (found.closed_until, same(found.open, tally)) == (NOON_MINUTE, True)


class TestDecisions:
    REQUEST = Request(
        RequestKind.RETRAINING, "episode 1", "trips take longer", NOON_MINUTE, {"as_of": NOON_MINUTE, "since_break": None}
    )

    async def _decide(self, store: LoopStore, source_id: int, *decisions: Record | Request) -> None:
        await store.commit(source_id, a_round(await store.standing(source_id), {}, decisions=decisions))

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
        await store.commit(source_id, a_round(await store.standing(source_id), {}, entries=[Entry(1, fact, NOON_MINUTE)]))
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
        await store.commit(
            source_id, a_round(await store.standing(source_id), {}, entries=[Entry(1, Approved("episode 3"), 5)])
        )
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
    source_id = await new_source(pool, source=source)

    async def commit(**changes: Any) -> None:
        standing = await store.standing(source_id)
        reaches = changes.pop("reaches", standing.reaches)
        await store.commit(source_id, a_round(standing, dict(reaches), **changes))

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
