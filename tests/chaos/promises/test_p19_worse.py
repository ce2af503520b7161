"""Promise 19: a retraining cannot make things worse: poison is refused by name, and a death at any step changes nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from batch import bootstrap
from domain.entities.models import Alias
from tests.chaos.report import Report
from tests.chaos.trainers import AS_OF, Trainers, trained

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
DAY = 24 * 60  # minutes, as requests state times
KEEP = "create table kept_completions as table completions"
RESTORE = """
delete from completions where trip_id like '%-flood-%';
delete from trips where trip_id like '%-flood-%';
update completions c set dropoff_at = k.dropoff_at
from kept_completions k where k.trip_id = c.trip_id and k.pickup_at = c.pickup_at and k.dropoff_at <> c.dropoff_at
"""
FRESH = "pickup_at >= timestamptz '2026-03-01T05:00:00Z' - interval '9 days'"
FLIPPED = f"""
with ranked as (
    select trip_id, pickup_at, dropoff_at - pickup_at as took,
        row_number() over (order by dropoff_at - pickup_at, trip_id) as up,
        row_number() over (order by dropoff_at - pickup_at desc, trip_id desc) as down
    from completions where {FRESH}
)
update completions c set dropoff_at = c.pickup_at + other.took
from ranked mine join ranked other on other.up = mine.down
where c.trip_id = mine.trip_id and c.pickup_at = mine.pickup_at
"""
NOTHING = "select 1"
SCALED = f"update completions set dropoff_at = pickup_at + 2 * (dropoff_at - pickup_at) where {FRESH}"
FLOODED = f"""
create temporary table flood on commit drop as
select t.trip_id, t.pickup_at, t.trip_id || '-flood-' || n as copy from trips t, generate_series(1, 40) as n
where {FRESH} and pickup_latitude between 40.62 and 40.67 and pickup_longitude between -73.83 and -73.74;
insert into trips select (jsonb_populate_record(t, jsonb_build_object('trip_id', f.copy))).* from trips t
join flood f using (trip_id, pickup_at);
insert into completions select (jsonb_populate_record(c, jsonb_build_object('trip_id', f.copy))).* from completions c
join flood f using (trip_id, pickup_at)
"""
LEAKED = """
update completions set dropoff_at = timestamptz '2026-03-01T06:00:00Z'
where pickup_at >= timestamptz '2026-03-01T05:00:00Z' - interval '5 days'
"""
# What is done to the tables, what the request says, and how the refusal begins.
POISONS: dict[str, tuple[str, dict[str, object], str]] = {
    "one area flooded": (FLOODED, {}, "areas: "),
    "stale": (NOTHING, {"as_of": AS_OF + 5 * DAY}, "newest label: "),
    "too few": (NOTHING, {"exclude": [[0, AS_OF - DAY]]}, "rows: "),
    "leaked future": (LEAKED, {}, "newest label: "),  # ends after the moment of asking are not read; the rest is stale
    "flipped": (FLIPPED, {}, "order of labels: "),
    "scaled": (SCALED, {}, "speed of labels: "),
}


@pytest.fixture
async def world(
    database: str, mlflow_address: str, kafka_address: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[Trainers]:
    async with trained(database, mlflow_address, kafka_address, topic_prefix, tmp_path) as world:
        yield world


@pytest.mark.promise(19)
async def test_poisoned_trips_are_refused_by_name_and_the_champion_is_not_touched(world: Trainers, report: Report) -> None:
    report.fault = f"labels {', '.join(POISONS)}: a training asked for each"
    await world.pool.execute(KEEP)
    champion = bootstrap.registry_of(world.settings).resolve(Alias.CHAMPION)
    with world.trainer():
        for number, (name, (poison, asked, words)) in enumerate(POISONS.items()):
            await world.pool.execute(poison)
            await world.ask("retraining", f"episode {number}", **{"as_of": AS_OF, **asked})
            answer = await world.answer("retraining", f"episode {number}")
            assert (answer["outcome"], str(answer["reason"])[: len(words)]) == ("refused", words), (name, answer)
            report.measured[name] = answer["reason"]
            await world.pool.execute(RESTORE)
        assert bootstrap.registry_of(world.settings).resolve(Alias.CHAMPION) == champion
        assert world.aliases() == (1, None, None)
        assert len(bootstrap.registry_of(world.settings).versions()) == 1
        await world.ask("retraining", "the good trips again", as_of=AS_OF)
        assert (await world.answer("retraining", "the good trips again"))["outcome"] == "registered", "the tests' own poison"


@pytest.mark.promise(19, short=True)
async def test_a_trainer_that_is_killed_at_every_step_does_everything_once(world: Trainers, report: Report) -> None:
    report.fault = "trainer killed at each of eight steps of a training, a promotion and a rollback"
    await world.ask("retraining", as_of=AS_OF, since_break=None, cause="drift", exclude=[])
    for death in ("taken", "training", "alias-1", "answer"):
        await world.dies(death)
    with world.trainer():
        assert (await world.answer("retraining"))["outcome"] == "registered"
    challenger = world.carries(Alias.CHALLENGER)
    assert challenger is not None
    assert world.aliases() == (1, challenger, None)
    assert await world.events("retraining.finished") == 2, "the first champion's, and one for the episode"
    assert len(bootstrap.registry_of(world.settings).versions()) == 2
    assert await world.pool.fetchval("select count(*) from gate_results where subject = 'episode 1' and passed") >= 15
    assert await world.pool.fetchval("select count(*) from model_baselines") == 2

    await world.ask("promotion", version=challenger, champion=1)
    for death in ("alias-2", "record"):  # the unit tests try every step'
        await world.dies(death)
    with world.trainer():
        assert (await world.answer("promotion"))["outcome"] == "done"
    assert world.aliases() == (challenger, 1, 1)
    assert await world.events("model.promoted") == 2

    await world.ask("rollback", version=1, champion=challenger)
    for death in ("alias-1", "answer"):
        await world.dies(death)
    with world.trainer():
        assert (await world.answer("rollback"))["outcome"] == "done"
    assert world.aliases() == (1, None, None)
    assert await world.events("model.rolled_back") == 1
    assert world.champions == {1, challenger}, "at no moment is there no champion"

    told = await asyncio.to_thread(world.tripcast, "history", "--json")
    assert (told["champion"]["kind"], told["champion"]["details"]["request"]) == ("model.rolled_back", "episode 1")
    assert [(each["kind"], each["outcome"]) for each in told["requests"]] == [
        ("retraining", "registered"),
        ("promotion", "done"),
        ("rollback", "done"),
    ]
