"""What the pill says: one state, decided from what was seen last and when. Pure; all times are wall time."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from api.reads.lags import Lag
from schemas.http.snapshot import State

STALE = timedelta(seconds=10)  # without a new event; and how long offsets may stand still while events wait
SILENT = timedelta(seconds=0.4)  # a worker that misses one look may be busy; and one that has just moved offsets is
JUST_NOW = timedelta(seconds=1)
GONE = timedelta(seconds=0.4)  # as SILENT: a broker that misses one look may be busy
BOOTING = timedelta(seconds=30)  # what does not answer so soon after the start may still be starting


@dataclass(frozen=True, slots=True)
class Seen:
    """`ever_*`: since this API started. `worker_up` None: nobody has told us where workers are.

    `broker_since`: since when the broker answers, or does not.
    `oldest`: lag of the partition whose unread events are oldest. `events`: whether the topic has, or ever had, an event.
    `moved_at`: when a stored offset moved last. `worker_since`: since when the workers answer, or do not.
    """

    now: datetime
    started_at: datetime
    database_up: bool
    ever_database: bool
    broker_up: bool
    ever_broker: bool
    broker_since: datetime
    worker_up: bool | None
    ever_worker: bool
    worker_since: datetime
    champion: bool
    events: bool
    lag_events: int
    oldest: Lag | None
    last_event_at: datetime | None
    moved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state, a sentence for it, and what is awaited while booting."""

    state: State
    detail: str
    awaiting: tuple[str, ...] = field(default=())


def verdict(seen: Seen) -> Verdict:
    """The first that applies, the worst first: without the database nothing else is known."""
    young = seen.now - seen.started_at < BOOTING
    if not seen.database_up:
        if not seen.ever_database and young:
            return _booting(seen)
        return Verdict("database_unreachable", "PostgreSQL does not answer; what is shown was read before.")
    if seen.worker_up is not False and not seen.champion and (seen.lag_events or not seen.events):
        return _booting(seen)
    if not seen.events:
        waits = not seen.ever_broker or (seen.worker_up is False and not seen.ever_worker)
        return _booting(seen) if waits else Verdict("no_data", "No event has arrived yet.")
    if young and seen.worker_up is False and not seen.ever_worker:
        return _booting(seen)
    return _of_stream(seen)


def _of_stream(seen: Seen) -> Verdict:
    if _broker_gone(seen):
        return Verdict("stale", "Kafka does not answer: no new event can arrive.")
    if seen.lag_events > 0 and _stands_still(seen):
        who = "no worker answers" if seen.worker_up is False else "no offset moves"
        return Verdict("worker_stopped", f"{seen.lag_events:,} events wait{_since(seen.oldest)} and {who}.")
    if seen.last_event_at is None or seen.now - seen.last_event_at >= STALE:
        why = "" if seen.broker_up else " Kafka does not answer."
        return Verdict("stale", f"No new event for 10 s or more.{why}")
    return Verdict("live", "Events arrive and are scored.")


def _broker_gone(seen: Seen) -> bool:
    """Not while offsets still move: then it is our own way to it that is cut."""
    still = seen.moved_at is None or seen.now - seen.moved_at >= JUST_NOW
    return not seen.broker_up and seen.now - seen.broker_since >= GONE and still


def _stands_still(seen: Seen) -> bool:
    """A worker that dies is noticed within a second; one that answers and does nothing, after ten."""
    moved = seen.moved_at
    silent = seen.worker_up is False and seen.now - seen.worker_since >= SILENT
    if silent and (moved is None or (moved <= seen.worker_since and seen.now - moved >= JUST_NOW)):
        return True
    since = max(moved or seen.started_at, seen.started_at)
    return seen.now - since >= STALE


def _since(oldest: Lag | None) -> str:
    if oldest is None:
        return ""
    return f", the oldest for {'at least ' if oldest.at_least else ''}{oldest.seconds:,.0f} s,"


def _booting(seen: Seen) -> Verdict:
    missing = {
        "the database": not seen.database_up,
        "the broker": not seen.broker_up,
        "a worker": seen.worker_up is False,
        "the first model": not seen.champion,
    }
    awaiting = tuple(name for name, is_missing in missing.items() if is_missing)
    return Verdict("booting", f"Waiting for {', '.join(awaiting) or 'the first event'}.", awaiting)
