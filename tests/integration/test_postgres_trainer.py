"""What the trainer keeps in PostgreSQL: trusted trips, verdicts, what was told; and the story that people read."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np

from adapters.postgres.api.story import story
from adapters.postgres.connection.pool import Pool
from adapters.postgres.history.trips import History
from adapters.postgres.loop.gate_results import add_gate_results, gate_results, refused_by
from adapters.postgres.loop.notifications import Notifications
from adapters.postgres.loop.training_records import TrainingRecords
from adapters.postgres.stream.progress import stored_offsets
from adapters.postgres.tables.lifecycle import Journal
from cli.commands.history import champion_in_words
from domain.entities.models import LifecycleEvent
from domain.entities.trainings import TrainingRun
from domain.entities.trips import CompletionColumns
from domain.gates import GateResult
from tests.trips import random_trips

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def event(kind: str, at: datetime, subject: str = "episode 1", reason: str = "why", **details: object) -> LifecycleEvent:
    return LifecycleEvent(kind, subject, "monitor", reason, at, details)


async def test_trusted_trips_are_set_aside_once_and_come_back_to_the_bit(pool: Pool) -> None:
    records, trips = TrainingRecords(pool), random_trips(300, seed=4)
    assert await records.trusted() is None
    seconds = np.random.default_rng(1).uniform(60, 7200, 300)
    await records.set_aside(trips, seconds)
    await records.set_aside(random_trips(10), np.full(10, 60.0))
    found = await records.trusted()
    assert found is not None
    assert np.array_equal(found[1], seconds)
    for name in ("vendor_id", "passenger_count", "pickup_at", "pickup_latitude", "dropoff_longitude"):
        column = getattr(found[0], name)
        assert np.array_equal(column, getattr(trips, name))
        assert column.dtype == getattr(trips, name).dtype


async def test_verdicts_are_kept_with_their_numbers_also_those_that_are_no_numbers(pool: Pool) -> None:
    first = GateResult("rows", passed=True, reason="5,000 trips", numbers={"rows": 5000.0})
    second = GateResult("trusted", passed=False, reason="nonsense", numbers={"ratio": float("inf")})
    await add_gate_results(pool, "episode 1", 3, [first, second])
    await add_gate_results(pool, "episode 2", None, [first])
    newest, oldest = await gate_results(pool, "episode 1")
    assert (oldest.result, oldest.model_version) == (first, 3)
    assert newest.result.numbers == {"ratio": None}
    assert len(await gate_results(pool)) == 3
    assert await refused_by(pool, "episode 1") == ["trusted"]
    assert await refused_by(pool, "episode 2") == []
    again = [GateResult(gate, passed=False, reason="few") for gate in ("rows", "areas")]
    await add_gate_results(pool, "episode 1", 4, again)
    assert await refused_by(pool, "episode 1") == ["rows", "areas"]


async def test_what_a_model_has_learnt_from_is_found_by_its_run(pool: Pool) -> None:
    records = TrainingRecords(pool)
    run = TrainingRun("run-1", "xgboost", "time", NOON, 1.0, 10, NOON - HOUR, NOON, "00", 1.0, 1.0, 0.5, 1, "test")
    await records.add(run)
    assert await records.known_until("run-1") == NOON
    assert await records.known_until("run-2") is None


async def test_a_training_reads_nothing_that_was_not_known_when_it_was_asked(pool: Pool) -> None:
    trips = random_trips(50, seed=1)
    dropoff_at = trips.pickup_at + np.timedelta64(600, "s")
    await History(pool).add(trips, CompletionColumns(trips.trip_id, trips.pickup_at, dropoff_at))
    as_of = np.sort(dropoff_at)[20]
    known = as_of.astype("datetime64[us]").item().replace(tzinfo=UTC)
    _, completions = await History(pool).labelled_trips(ended_before=known)
    assert len(completions) == 20
    assert completions.dropoff_at.max() < as_of


async def test_people_are_told_what_comes_after_the_first_look_once(pool: Pool) -> None:
    journal, untold = Journal(pool), Notifications(pool)
    await journal.record(event("drift.confirmed", NOON))
    assert await untold.next(["drift.confirmed"]) == []
    await journal.record(event("drift.alarm", NOON))
    later = event("drift.confirmed", NOON + 2 * HOUR, share=0.5)
    await journal.record(later)
    [(number, found, repeated)] = await untold.next(["drift.confirmed"])
    assert (found, repeated) == (later, False)
    assert len(await Notifications(pool).next(["drift.confirmed"])) == 1, "not told yet"
    await untold.told(number)
    await untold.told(number - 1)
    assert await Notifications(pool).next(["drift.confirmed"]) == []


async def test_what_was_said_within_the_hour_is_a_repetition(pool: Pool) -> None:
    journal, untold = Journal(pool), Notifications(pool)
    assert await untold.next(["feed.fault"]) == []
    for minutes in (0, 30, 80, 200):
        await journal.record(event("feed.fault", NOON + timedelta(minutes=minutes)))
    await journal.record(event("feed.fault", NOON + timedelta(minutes=201), reason="another"))
    assert [repeated for _, _, repeated in await untold.next(["feed.fault"])] == [False, True, True, False, False]


async def test_before_anything_was_read_nothing_is_known_of_progress(pool: Pool) -> None:
    assert await stored_offsets(pool) == {}


async def test_who_was_champion_at_any_time_and_why(pool: Pool) -> None:
    journal = Journal(pool)
    await journal.record(event("model.promoted", NOON, "version 1", "there was none", version=1, replaced=None))
    await journal.record(event("model.promoted", NOON + HOUR, "version 2", "so", version=2, replaced=1, request="episode 1"))
    await journal.record(event("model.rolled_back", NOON + 2 * HOUR, "version 1", "worse", version=1, replaced=2))
    told = [champion_in_words(await story(pool, NOON + hours * HOUR)) for hours in (-1, 0, 1.5, 3)]
    assert [words.partition(" UTC ")[2] for words in told] == [
        "no version was champion.",
        "version 1 was champion. It became champion at 2026-03-01 12:00:00 by monitor: there was none",
        "version 2 was champion. It became champion instead of version 1 at 2026-03-01 13:00:00 by monitor for episode 1: so",
        "version 1 was champion. It became champion again instead of version 2 at 2026-03-01 14:00:00 by monitor: worse",
    ]


async def test_the_story_tells_events_requests_and_verdicts_as_they_stood_then(pool: Pool) -> None:
    await Journal(pool).record(event("drift.confirmed", NOON))
    await Journal(pool).record(event("drift.alarm", NOON))
    ask = """
    insert into loop_requests (kind, subject, reason, body, event_at, requested_at, answered_at, outcome)
    values ('retraining', 'episode 1', 'drift', '{}', $1, $1, $2, $3)
    """
    outcome = json.dumps({"outcome": "refused", "version": 4, "reason": "areas: a flood"})
    await pool.execute(ask, NOON, NOON + HOUR, outcome)
    await add_gate_results(pool, "episode 1", 4, [GateResult("areas", passed=False, reason="a flood")])
    then = await story(pool, NOON + HOUR / 2)
    assert ([each.kind for each in then.events], then.verdicts) == (["drift.confirmed"], ())
    assert [(each.outcome, each.answered_at) for each in then.requests] == [(None, None)]
    now = await story(pool, datetime(2100, 1, 1, tzinfo=UTC), "episode 1")
    assert [each.kind for each in now.events] == ["drift.confirmed", "drift.alarm"]
    assert [(each.outcome, each.version, each.answer) for each in now.requests] == [("refused", 4, "areas: a flood")]
    assert [(each.gate, each.passed) for each in now.verdicts] == [("areas", False)]
    assert (await story(pool, NOON + HOUR, "episode 9")).events == ()
