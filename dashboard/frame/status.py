"""What pill and banner say: is it live, since when not, and what to do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, assert_never

from dashboard.frame import words
from dashboard.frame.theme import Level
from dashboard.poller import Seen
from dashboard.view import View
from schemas.http.snapshot import Snapshot, State, Status

Shown = State | Literal["paused", "api_unreachable"]
OLD_SECONDS = 3.0  # a snapshot that is older says so
# A stopped worker greys nothing: no predictions and a growing lag are the truth of this moment.
GREYED: frozenset[Shown] = frozenset({"stale", "database_unreachable", "api_unreachable"})
LEVEL: dict[Shown, Level] = {
    "live": "ok",
    "stale": "warning",
    "paused": "unknown",
    "no_data": "unknown",
    "booting": "unknown",
    "worker_stopped": "alarm",
    "database_unreachable": "alarm",
    "api_unreachable": "alarm",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One short line and what its hover says."""

    text: str
    hover: str


@dataclass(frozen=True, slots=True)
class Banner:
    """What needs a person's eye. `command`: what produces data, to be copied."""

    level: Level
    title: str
    text: str
    command: str | None = None


def shown(view: View, seen: Seen) -> Shown:
    """The one state to show. What cannot be known outweighs what was known; a person's pause outweighs all but that."""
    if seen.snapshot is None and not seen.unreachable and seen.problem is None:
        return "booting"
    if seen.unreachable or seen.snapshot is None:
        return "api_unreachable"
    return "paused" if view.paused else seen.snapshot.status.state


def pill(state: Shown, seen: Seen) -> str:
    """The pill's text."""
    match state:
        case "stale":
            silence = silent_seconds(seen)
            return "STALE" if silence is None else f"STALE {words.age(silence)}"
        case "no_data":
            return "NO DATA YET"
        case "live" | "paused" | "booting" | "worker_stopped" | "database_unreachable" | "api_unreachable":
            return state.replace("_", " ").upper()
        case _:
            assert_never(state)


def silent_seconds(seen: Seen) -> float | None:
    """Wall time since the last event, with the API's clock up to the snapshot and ours from there on."""
    snapshot = seen.snapshot
    if snapshot is None or snapshot.status.last_event_at is None:
        return None
    return (snapshot.taken_at - snapshot.status.last_event_at).total_seconds() + seen.age_seconds


def last_event(view: View, state: Shown, seen: Seen) -> Line:
    """When the last event came and what time it told."""
    if seen.snapshot is None or seen.snapshot.status.last_event_at is None:
        return Line("no event yet", "No event has been read.")
    status, silence = seen.snapshot.status, silent_seconds(seen) or 0.0
    came = f"at {words.clock(status.last_event_at, view.zone)}" if state == "paused" else f"{words.age(silence)} ago"
    told = f" (event time {words.clock(status.event_time, view.zone)})" if status.event_time else ""
    hover = f"Came {words.utc(status.last_event_at)}; event time {words.utc(status.event_time)}"
    return Line(f"last event {came}{told}", hover)


def banner(view: View, state: Shown, seen: Seen) -> Banner | None:
    """What to tell above the page, or None when all is well."""
    snapshot = seen.snapshot
    match state:
        case "live" | "paused":
            return None
        case "api_unreachable":
            return _api_unreachable(view, seen)
        case "booting" if snapshot is None:
            return Banner("unknown", "Starting", "Waiting for the API's first answer.")
    assert snapshot is not None  # noqa: S101 - for the type checker: without one it is booting or unreachable
    return _of_system(view, state, seen, snapshot)


def _of_system(view: View, state: Shown, seen: Seen, snapshot: Snapshot) -> Banner | None:
    status, since = snapshot.status, words.clock(snapshot.status.since, view.zone)
    match state:
        case "booting":
            awaited = f" Awaited: {', '.join(status.awaiting)}." if status.awaiting else ""
            return Banner("unknown", f"Starting since {since}", f"{status.detail}{awaited}")
        case "no_data":
            return Banner("unknown", "No data yet", "Nothing has been published. This starts a simulated city:", EMPTY_COMMAND)
        case "stale":
            return Banner("warning", f"No new event since {_last(view, status)}", _detail(status))
        case "worker_stopped":
            return Banner("alarm", f"Worker stopped since {since}", f"{_detail(status)} The lag below is counted without it.")
        case "database_unreachable":
            kept = f"What you see is as of {_as_of(view, seen)}. It goes on by itself when the database is back."
            return Banner("alarm", f"Database unreachable since {since}", kept)
    return None


EMPTY_COMMAND = "tripcast simulate"


def _api_unreachable(view: View, seen: Seen) -> Banner:
    kept = f" What you see is as of {_as_of(view, seen)}." if seen.snapshot else ""
    trouble = "API answers with an error" if seen.refused else "API unreachable"
    title = f"{trouble} for {words.age(seen.silent_seconds)}"
    return Banner("alarm", title, f"{seen.problem or 'It does not answer.'}{kept} It goes on by itself when the API is back.")


def _as_of(view: View, seen: Seen) -> str:
    return f"{words.clock(newest(seen), view.zone)} ({words.age(age_seconds(seen))} old)"


def newest(seen: Seen) -> datetime | None:
    """As of when the newest panel was read: a snapshot may be new and hold old panels."""
    snapshot = seen.snapshot
    if snapshot is None:
        return None
    panels = (snapshot.cards, snapshot.traffic, snapshot.error, snapshot.map, snapshot.trips)
    return max((panel.as_of for panel in panels if panel.as_of), default=snapshot.taken_at)


def age_seconds(seen: Seen) -> float:
    """Age of the newest panel."""
    if seen.snapshot is None:
        return 0.0
    read = newest(seen) or seen.snapshot.taken_at
    return max((seen.snapshot.taken_at - read) / timedelta(seconds=1) + seen.age_seconds, 0.0)


def _last(view: View, status: Status) -> str:
    return words.clock(status.last_event_at, view.zone)


def _detail(status: Status) -> str:
    return status.detail
