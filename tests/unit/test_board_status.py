"""What the pill says: every state, and what it takes to get there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.reads.lags import Lag
from api.reads.status import Seen, verdict
from schemas.http.snapshot import State

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


LIVE = Seen(
    now=NOW,
    started_at=ago(3600),
    database_up=True,
    ever_database=True,
    broker_up=True,
    ever_broker=True,
    broker_since=ago(3000),
    worker_up=True,
    ever_worker=True,
    worker_since=ago(3000),
    champion=True,
    events=True,
    lag_events=12,
    oldest=Lag(12, 3.4),
    last_event_at=ago(0.4),
    moved_at=ago(0.6),
)
YOUNG = {"started_at": ago(5)}
EMPTY = {"events": False, "lag_events": 0, "last_event_at": None, "moved_at": None}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "live"),
        ({"lag_events": 0}, "live"),
        ({"lag_events": 900_000, "moved_at": ago(2)}, "live"),
        ({"last_event_at": ago(10.1), "lag_events": 0}, "stale"),
        ({"last_event_at": ago(9.9), "lag_events": 0}, "live"),
        ({"last_event_at": ago(11), "lag_events": 0, "worker_up": False, "worker_since": ago(1)}, "stale"),
        ({"worker_up": False, "worker_since": ago(0.5), "moved_at": ago(1.1)}, "worker_stopped"),
        ({"worker_up": False, "worker_since": ago(0.1), "moved_at": ago(1.1)}, "live"),
        ({"worker_up": False, "worker_since": ago(0.5), "moved_at": ago(0.7)}, "live"),
        ({"worker_up": False, "worker_since": ago(0.5), "moved_at": None}, "worker_stopped"),
        ({"worker_up": False, "worker_since": ago(5), "moved_at": ago(1)}, "live"),
        ({"worker_up": False, "worker_since": ago(5), "lag_events": 0}, "live"),
        ({"moved_at": ago(10.1)}, "worker_stopped"),
        ({"worker_up": None, "moved_at": ago(10.1)}, "worker_stopped"),
        ({"worker_up": None, "moved_at": ago(3)}, "live"),
        ({"database_up": False}, "database_unreachable"),
        ({"database_up": False, "worker_up": False, "lag_events": 5, "last_event_at": ago(99)}, "database_unreachable"),
        ({"database_up": False, "ever_database": False, **YOUNG}, "booting"),
        ({"database_up": False, "ever_database": True, **YOUNG}, "database_unreachable"),
        ({"database_up": False, "ever_database": False}, "database_unreachable"),
        (EMPTY, "no_data"),
        ({**EMPTY, "ever_broker": False, "broker_up": False}, "booting"),
        ({**EMPTY, "ever_worker": False, "worker_up": False}, "booting"),
        ({**EMPTY, "worker_up": False}, "no_data"),
        ({**EMPTY, "champion": False}, "booting"),
        ({"champion": False}, "booting"),
        ({"champion": False, "lag_events": 0, "last_event_at": ago(20)}, "stale"),
        ({**YOUNG, "worker_up": False, "ever_worker": False, "moved_at": ago(99), "last_event_at": ago(99)}, "booting"),
        ({"worker_up": False, "ever_worker": False, "moved_at": ago(99), "worker_since": ago(3600)}, "worker_stopped"),
        ({"broker_up": False, "last_event_at": ago(11), "lag_events": 0}, "stale"),
        ({"broker_up": False, "broker_since": ago(1), "moved_at": ago(2)}, "stale"),
        ({"broker_up": False, "broker_since": ago(0.3), "moved_at": ago(2)}, "live"),
        ({"broker_up": False, "broker_since": ago(5), "moved_at": ago(0.5)}, "live"),
        ({"broker_up": False, "broker_since": ago(60), "moved_at": ago(60), "worker_up": False}, "stale"),
    ],
)
def test_the_pill(changes: dict[str, object], state: State) -> None:
    assert verdict(replace(LIVE, **changes)).state == state  # type: ignore[arg-type]


def test_booting_says_what_is_awaited() -> None:
    found = verdict(replace(LIVE, database_up=False, ever_database=False, worker_up=False, champion=False, started_at=ago(5)))
    assert found.awaiting == ("the database", "a worker", "the first model")
    assert found.detail == "Waiting for the database, a worker, the first model."


def test_a_worker_that_stands_still_since_we_look_gets_ten_seconds_from_then() -> None:
    seen = replace(LIVE, moved_at=ago(3600), started_at=ago(4), lag_events=5)
    assert verdict(seen).state == "live"
    assert verdict(replace(seen, started_at=ago(10.5))).state == "worker_stopped"


def test_words_tell_how_much_waits_and_whose_fault_it_is() -> None:
    dead = replace(LIVE, worker_up=False, worker_since=ago(1), moved_at=ago(2))
    assert verdict(dead).detail == "12 events wait, the oldest for 3 s, and no worker answers."
    before_us = replace(dead, oldest=Lag(12, 61.0, at_least=True))
    assert "the oldest for at least 61 s" in verdict(before_us).detail
    assert "no offset moves" in verdict(replace(LIVE, moved_at=ago(20))).detail
    assert "Kafka" in verdict(replace(LIVE, broker_up=False, lag_events=0, last_event_at=ago(20))).detail
