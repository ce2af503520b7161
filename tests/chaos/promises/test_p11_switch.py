"""Promise 11: models switch between two batches, every row names the version that made it, and a bad model never scores."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec
import pytest

from adapters.postgres.stream.store import OPEN_PARTITION
from schemas.events import TripPredicted
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS, in_turn, send
from tests.chaos.registered import Registered, follows, scores_with
from tests.chaos.report import Report
from tests.fakes.models import distance_package
from tests.running import Worker, World, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
RATE = 1_000.0
TOGETHER = 300  # trips
MIXED = """
select scored_at, role from predictions group by scored_at, partition, role having count(distinct model_version) > 1
"""
BESIDE = """
select c.model_version as champion, s.model_version as shadow, count(*) as trips
from predictions as c join predictions as s on s.trip_id = c.trip_id and s.role = 'challenger'
where c.role = 'champion' group by 1, 2
"""
SINCE = "select count(*) from predictions where role = 'champion' and model_version = $1 and scored_at > $2"


@dataclass
class Case:
    world: World
    registered: Registered
    versions: list[int]


@pytest.fixture
def case(world: World, mlflow_address: str, stack_folder: Path, tmp_path: Path) -> Case:
    registered = Registered.new(mlflow_address, stack_folder / "mlflow", tmp_path)
    versions = [registered.register(distance_package(seconds_per_km)) for seconds_per_km in (120.0, 150.0, 180.0)]
    return Case(world, registered, versions)


async def load_until(world: World, journal: Journal, stopped: Callable[[], bool]) -> None:
    """Starts and completions without a pause."""
    seed = 0
    while not stopped():
        await send(world.kafka, f"{world.prefix}trip-events", in_turn(TOGETHER, seed=seed), journal, RATE)
        seed += 1


@pytest.mark.promise(11, short=True)
async def test_every_row_is_of_the_version_it_names_whatever_the_alias_does(case: Case, report: Report) -> None:
    flips = report.size(full=50, short=12)
    report.fault = f"{flips} flips of champion and challenger under load; corrupt, NaN, slow and foreign champions in between"
    world, registered, versions, done = case.world, case.registered, case.versions, asyncio.Event()
    bad = registered.bad()
    await registered.name(world, versions[0], versions[1])
    journal = Journal()
    with world.worker("cli", "worker", **registered.settings) as worker:
        await follows(worker, versions[0], versions[1])
        async with asyncio.TaskGroup() as group:
            group.create_task(load_until(world, journal, done.is_set))
            for flip in range(1, flips + 1):
                champion, challenger = versions[flip % 3], versions[(flip + 1) % 3]
                await registered.name(world, champion, challenger)
                await follows(worker, champion, challenger)
                if flip <= len(bad):
                    await _is_refused(case, worker, list(bad)[flip - 1], list(bad.values())[flip - 1], champion)
            await _rolls_back(case, worker, report)
            done.set()
        await world.drained(DRAIN_SECONDS)
        shadowed = worker.metric("tripcast_shadowed_total")
    trips = len(journal.sent) // 2
    result = await registered.verify(world)
    assert (result.different, result.unverifiable_rows, result.ok) == (0, 0, True)
    assert result.checked_by_role == {"champion": trips, "challenger": shadowed}
    report.measured |= {"rows_made_again": result.checked, "flips": flips, "bad_models_refused": len(bad)}
    await _no_batch_is_mixed(world, versions)
    await _published_is_what_champions_said(world)
    report.judged(await verdict(world, journal), journal)


@pytest.mark.promise(11, short=True)
async def test_what_waits_for_a_new_owner_is_scored_by_whoever_serves_when_it_is_read(case: Case, report: Report) -> None:
    """Otherwise the first batch after a take-over went back to the models from before it."""
    report.fault = "champion and challenger switch while a worker waits to take its partitions over"
    world, registered, (old, new, beside) = case.world, case.registered, case.versions
    await registered.name(world, old)
    connection = await asyncpg.connect(world.database)
    try:
        async with connection.transaction():
            await connection.execute("lock table stream_offsets in share mode")
            worker = world.start_worker("cli", "worker", **registered.settings)
            await until(lambda: _takes_over(world))
            assert worker.metric("tripcast_champion_version") == old
            await registered.name(world, new, beside)
            await until(lambda: scores_with(worker, new, beside))
            await world.publish(in_turn(TOGETHER, seed=1))
    finally:
        await connection.close()
    await world.drained(DRAIN_SECONDS)
    versions = await world.rows("select distinct role::text, model_version from predictions order by role::text")
    assert [tuple(row) for row in versions] == [("challenger", beside), ("champion", new)]
    report.sent, report.measured["trips"] = 2 * TOGETHER, await world.count("trips")


async def _takes_over(world: World) -> bool:
    """It waits for the lock, having asked for the newest models before it. Nothing else asks this."""
    waiting = "select query from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return any(row["query"] == OPEN_PARTITION for row in await world.rows(waiting))


async def _is_refused(case: Case, worker: Worker, version: int, words: str, champion: int) -> None:
    """It becomes champion in the registry; the worker says why it does not take it, and goes on with the one before."""
    await case.registered.name(case.world, version)

    async def said() -> bool:
        return any(event["version"] == version for event in worker.events("champion_refused"))

    await until(said)
    [refusal] = [event for event in worker.events("champion_refused") if event["version"] == version]
    assert words in refusal["reason"]
    since = datetime.now(UTC)

    async def goes_on() -> bool:
        return await _rows_of(case.world, champion, since) > 0

    await until(goes_on)
    assert worker.metric("tripcast_champion_version") == champion
    assert worker.health("readyz") == (200, worker.health("readyz")[1])
    assert await case.world.rows("select 1 from predictions where model_version = $1", version) == []


async def _rolls_back(case: Case, worker: Worker, report: Report) -> None:
    """From the alias to the first row of the version that it names: with the message that says so, and when that is lost."""
    best, worse, beside = case.versions
    for told, name in ((True, "rollback_s"), (False, "rollback_without_message_s")):
        await case.registered.name(case.world, worse, beside)
        await follows(worker, worse, beside)
        since = datetime.now(UTC)
        await case.registered.name(case.world, best, told=told)

        async def scores() -> bool:
            return await _rows_of(case.world, best, since) > 0  # noqa: B023 - awaited at once

        report.measured[name] = round(await report.recovers(scores, promised_s=15), 2)


async def _rows_of(world: World, version: int, since: datetime) -> int:
    return int((await world.rows(SINCE, version, since))[0][0])


async def _no_batch_is_mixed(world: World, versions: list[int]) -> None:
    assert await world.rows(MIXED) == []
    pairs = {(row["champion"], row["shadow"]): row["trips"] for row in await world.rows(BESIDE)}
    assert {(versions[number], versions[(number + 1) % 3]) for number in range(3)} <= pairs.keys()
    assert all(champion != shadow for champion, shadow in pairs)
    assert {version for pair in pairs for version in pair} == set(versions)


async def _published_is_what_champions_said(world: World) -> None:
    rows = await world.rows("select trip_id, model_version, duration_seconds from predictions where role = 'champion'")
    events = [msgspec.json.decode(record.value, type=TripPredicted) for record in await world.published()]
    said = {(event.trip_id, event.model_version, event.duration_seconds) for event in events}
    assert said == {tuple(row) for row in rows}
