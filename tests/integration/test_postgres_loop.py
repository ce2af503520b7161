"""The loop's memory: rounds whole or not at all, one writer at a time, and what comes back is what was stored."""

import asyncio
from dataclasses import replace

import pytest

from adapters.postgres.connection.pool import Pool, connected
from adapters.postgres.loop.rollups import places_since, rollups_since
from adapters.postgres.loop.store import LoopStore
from domain.errors import Fenced
from domain.loop.decisions import (
    Record,
    Request,
    RequestKind,
    ShadowChanged,
)
from domain.loop.journal import Entry, Round, Standing, moment
from domain.loop.signals import Reading
from domain.loop.tracker import Reach
from domain.sums import Cells, Places, Tally
from tests.loop_rounds import MATURITY, NOON_MINUTE, a_round, a_tally, same

SIGNALS = """
select event_at, signal, value, samples, statistic, threshold, state, cooling_until, model_version
from drift_signals order by event_at
"""


async def test_a_new_loop_stands_where_the_partitions_begin(store: LoopStore, source_id: int) -> None:
    standing = await store.standing(source_id)
    assert (standing.seq, standing.closed_until, standing.expired_until, standing.announced_event_id) == (0, None, None, 0)
    assert standing.reaches == {number: Reach(100, None, caught_up=False) for number in (0, 1)}
    assert same(standing.open, Tally.empty())


async def test_a_round_comes_back_as_the_next_standing(store: LoopStore, source_id: int) -> None:
    standing, tally = await store.standing(source_id), a_tally()
    reaches = {0: Reach(150, NOON_MINUTE + 20), 1: Reach(100, None)}
    await store.commit(
        source_id, a_round(standing, reaches, tally, closed_until=None, expired_until=NOON_MINUTE, announced_event_id=7)
    )
    found = await store.standing(source_id)
    assert found.reaches == {0: Reach(150, NOON_MINUTE + 20, caught_up=False), 1: Reach(100, None, caught_up=False)}
    assert same(found.open, tally)
    assert (found.expired_until, found.announced_event_id) == (NOON_MINUTE, 7)


async def test_cells_that_no_step_needs_any_more_stay_in_the_roll_ups_alone(
    store: LoopStore, pool: Pool, source_id: int
) -> None:
    tally, closed = a_tally(), NOON_MINUTE + MATURITY + 10
    await store.commit(source_id, a_round(await store.standing(source_id), {0: Reach(200, closed)}, tally, closed_until=closed))
    found = await store.standing(source_id)
    assert found.open.cells.minute.min() == NOON_MINUTE + 10
    assert (await rollups_since(pool, None)).as_lists() == tally.cells.as_lists()


async def test_roll_ups_add_up(store: LoopStore, pool: Pool, source_id: int) -> None:
    first, second = a_tally(1), a_tally(2)
    await store.commit(source_id, a_round(await store.standing(source_id), {0: Reach(150)}, first))
    await store.commit(source_id, a_round(await store.standing(source_id), {0: Reach(200)}, second))
    assert (await rollups_since(pool, None)).as_lists() == Cells.merged([first.cells, second.cells]).as_lists()
    assert (await places_since(pool, None)).as_lists() == Places.merged([first.places, second.places]).as_lists()


async def test_what_was_seen_of_a_signal_first_stands(store: LoopStore, pool: Pool, source_id: int) -> None:
    minute, until = NOON_MINUTE, NOON_MINUTE + 600
    ok = Reading(minute, "log_ratio", None, 0, None, 0.25, "ok", None, 7)
    cooling = Reading(minute + 5, "log_ratio", -0.5, 3, 0.5, 0.25, "cooling", until, 7)
    await store.commit(source_id, a_round(await store.standing(source_id), {0: Reach(150)}, readings=(ok, cooling)))
    again = tuple(replace(each, value=1.0, state="drift") for each in (ok, cooling))
    await store.commit(source_id, a_round(await store.standing(source_id), {0: Reach(200)}, readings=again))
    async with connected(pool) as connection:
        rows = [tuple(row) for row in await connection.fetch(SIGNALS)]
    assert rows == [
        (moment(minute), "log_ratio", None, 0, None, 0.25, "ok", None, 7),
        (moment(minute + 5), "log_ratio", -0.5, 3, 0.5, 0.25, "cooling", moment(until), 7),
    ]


async def test_a_second_host_is_fenced_and_leaves_nothing_behind(store: LoopStore, pool: Pool, source_id: int) -> None:
    stale = await store.standing(source_id)
    await store.commit(source_id, a_round(stale, {0: Reach(150)}, a_tally(1)))
    before = await _everything(pool)
    late = a_round(
        stale,
        {0: Reach(160)},
        a_tally(2),
        entries=[Entry(1, ShadowChanged(3), 5)],
        decisions=(Record("drift.alarm", "city", "why", 5),),
    )
    with pytest.raises(Fenced):
        await store.commit(source_id, late)
    assert await _everything(pool) == before


async def test_a_host_that_only_learnt_a_fact_is_fenced_by_the_journal(store: LoopStore, pool: Pool, source_id: int) -> None:
    standing = await store.standing(source_id)
    fact = [Entry(1, ShadowChanged(3), 5)]
    await store.commit(source_id, a_round(standing, {}, entries=fact))
    with pytest.raises(Fenced):
        await store.commit(source_id, a_round(standing, {}, entries=fact))
    assert len(await pool.fetch("select * from loop_journal")) == 1


async def test_of_two_hosts_at_the_same_moment_one_is_fenced(store: LoopStore, pool: Pool, source_id: int) -> None:
    standing = await store.standing(source_id)
    rounds = [a_round(standing, {0: Reach(150)}, a_tally(seed), entries=[Entry(1, ShadowChanged(seed), 5)]) for seed in (1, 2)]
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
        return a_round(before, {0: Reach(150)}, a_tally(1), entries=[entry], decisions=(confirmed, asked))

    outcomes = await asyncio.gather(*(store.commit(source_id, seen(standing)) for _ in range(5)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Fenced"] * 4 + ["Stored"]
    again = await store.standing(source_id)
    await store.commit(source_id, a_round(again, {0: Reach(200)}, decisions=(asked,)))
    requests = await pool.fetch("select kind, subject from loop_requests")
    assert [tuple(row) for row in requests] == [("retraining", "episode 1")]
    assert len(await pool.fetch("select * from lifecycle_events where kind = 'drift.confirmed'")) == 1


async def _everything(pool: Pool) -> list[list[tuple[object, ...]]]:
    tables = ("quality_minutes", "loop_journal", "monitor_positions", "open_tallies", "loop_requests", "lifecycle_events")
    async with connected(pool) as connection:
        return [sorted(map(tuple, await connection.fetch(f"select * from {table}"))) for table in tables]
