"""The scale part of `make bench`: two workers, catching up after an outage, memory, start-up, and a long history."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from benchmarks.champion import champion
from benchmarks.figures import Results
from benchmarks.report import save, show
from benchmarks.scale import history, outage, start_up, workers
from benchmarks.scale.table import rows
from benchmarks.stream.events import city_events
from benchmarks.world import World

HISTORY_TRIPS = 4_000  # how good the champion is does not matter here
BACKLOG_EVENTS = 120_000  # a minute at 2,000 events/s
LIVE_SECONDS = 75  # at most; then nothing comes any more
STEADY_SECONDS = 20
MOST_ROUNDS = 2  # a round takes half a minute

Say = Callable[[str], None]
Part = Callable[[World, int, Say], tuple[dict[str, float], dict[str, Any]]]  # results by name, and how they came about


def run(world: World, rounds: int) -> None:
    """Measure everything in one world; save and show."""
    started, say = time.monotonic(), Console(stderr=True).print
    champion(world, say, HISTORY_TRIPS)
    results: dict[str, float] = {}
    details: dict[str, Any] = {}
    for part in PARTS:
        found, more = part(world, min(rounds, MOST_ROUNDS), say)
        results |= found
        details |= more
    save("scale", results, details | {"took_seconds": round(time.monotonic() - started)})
    shown = rows(Results({f"scale.{name}": value for name, value in results.items()}))
    show("Scale", shown, ("what", "figure", "reach"))


def _start_up(world: World, rounds: int, say: Say) -> tuple[dict[str, float], dict[str, Any]]:
    say(f"start-up of {', '.join(start_up.ROLES)}")
    taken = {role: [start_up.seconds_of(world, role) for _ in range(rounds)] for role in start_up.ROLES}
    found = {f"{role}_ready_seconds": statistics.median(seconds) for role, seconds in taken.items()}
    return found, {"start_up": {role: [round(each, 2) for each in seconds] for role, seconds in taken.items()}}


def _two_workers(world: World, rounds: int, say: Say) -> tuple[dict[str, float], dict[str, Any]]:
    events, pairs = city_events(BACKLOG_EVENTS // 2, seed=5), []
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: one worker, two workers")
        one, two = (workers.rate_of(world, f"by-{count}-{number}-", count, events) for count in (1, 2))
        pairs.append((one, two))
        say(f"  {one:,.0f}, {two:,.0f} events/s")
    found = {
        "two_workers": statistics.median(two / one for one, two in pairs),
        "one_worker_events_per_second": statistics.median(one for one, _ in pairs),
        "two_workers_events_per_second": statistics.median(two for _, two in pairs),
    }
    return found, {"two_workers": [{"one": round(one), "two": round(two)} for one, two in pairs]}


def _outage(world: World, rounds: int, say: Say) -> tuple[dict[str, float], dict[str, Any]]:  # noqa: ARG001 - one outage tells enough
    say(f"an outage: a backlog of {BACKLOG_EVENTS:,} events, {outage.RATE:,} events/s go on coming")
    events = city_events((BACKLOG_EVENTS + outage.RATE * LIVE_SECONDS) // 2, seed=6)
    backlog, live = events.first(BACKLOG_EVENTS), events.after(BACKLOG_EVENTS)
    found = outage.measured(world, "outage-", backlog, live, STEADY_SECONDS)
    return found, {"outage": {"backlog_events": BACKLOG_EVENTS, "events_per_second": outage.RATE, "steady": STEADY_SECONDS}}


# The long history comes last: it empties the tables of history first.
PARTS: tuple[Part, ...] = (_start_up, _two_workers, _outage, history.measured)
