"""Publish the trips of a file as live events, in the order and, at a chosen speed, the rhythm in which they happened."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cli.sources.pace import EventClock, Waiting
from domain.entities.trips import CompletionColumns, Strings, TripColumns
from domain.errors import BrokerUnreachable
from domain.timeline import Timeline, turn_end

CHUNK_EVENTS = 10_000


class Encoding(Protocol):
    """How trips become bytes."""

    def started(self, trips: TripColumns) -> list[bytes]:
        """The event of each trip's start."""
        ...

    def completed(self, trips: CompletionColumns) -> list[bytes]:
        """The event of each trip's end."""
        ...


@dataclass(frozen=True, slots=True)
class Turns:
    """Stretches of `minutes` of event time; `dealt_with` returns when all that was published has had its consequences."""

    minutes: int
    dealt_with: Callable[[], Awaitable[None]]


Publish = Callable[[list[bytes], list[bytes]], Awaitable[None]]  # keys, values; returns when they are stored


@dataclass(frozen=True, slots=True)
class Published:
    """What one run has published. `position`: how many events of the whole timeline are published now."""

    started: int
    completed: int
    position: int
    stopped: bool


@dataclass(frozen=True, slots=True)
class ReplayTrips:
    """Publishes a timeline, from a position on; `remember` is told the position after each stored chunk.

    An event is never published before its time, nor out of order; a repeat after a crash is at most one chunk.
    `turns`: stop at the end of each turn of event time until it was dealt with.
    """

    publish: Publish
    encoding: Encoding
    waiting: Waiting
    remember: Callable[[int], None]
    speed: float
    turns: Turns | None = None

    async def __call__(
        self, trips: TripColumns, completions: CompletionColumns, timeline: Timeline, position: int = 0
    ) -> Published:
        """Publish what follows `position`, until the end or until asked to stop. Raises BrokerUnreachable before that alone."""
        first, ends = position, 0
        if position < len(timeline):
            clock = EventClock(timeline.at[position], self.speed, self.waiting)
        while position < len(timeline) and not self.waiting.stopped:
            until = self._within_turn(timeline, position, _due(timeline, position, clock.now()))
            if until == position:
                await clock.reach(timeline.at[position])
                continue
            keys, values = self._encoded(trips, completions, timeline, slice(position, until))
            try:
                await self.publish(keys, values)
            except BrokerUnreachable:
                if not self.waiting.stopped:
                    raise
                break
            ends += int(np.count_nonzero(timeline.ends[position:until]))
            position = until
            self.remember(position)
            if self.turns and self._turn_is_over(self.turns, timeline, position):
                await self.turns.dealt_with()
        return Published(position - first - ends, ends, position, stopped=position < len(timeline))

    def _within_turn(self, timeline: Timeline, position: int, until: int) -> int:
        if self.turns is None or until == position:
            return until
        ends = turn_end(timeline.at[position], self.turns.minutes)
        return min(until, int(np.searchsorted(timeline.at, ends, side="left")))

    def _turn_is_over(self, turns: Turns, timeline: Timeline, position: int) -> bool:
        last = timeline.at[position - 1]
        return position == len(timeline) or bool(timeline.at[position] >= turn_end(last, turns.minutes))

    def _encoded(
        self, trips: TripColumns, completions: CompletionColumns, timeline: Timeline, part: slice
    ) -> tuple[list[bytes], list[bytes]]:
        rows, ends = timeline.row[part], timeline.ends[part]
        values = np.empty(len(rows), dtype=object)
        values[~ends] = self.encoding.started(trips.take(rows[~ends]))
        values[ends] = self.encoding.completed(completions.take(rows[ends]))
        return _keys(trips.trip_id[rows]), values.tolist()


def _due(timeline: Timeline, position: int, now: np.datetime64 | None) -> int:
    """The end of the next chunk: events that have happened by now, at most CHUNK_EVENTS."""
    limit = min(position + CHUNK_EVENTS, len(timeline))
    if now is None:
        return limit
    return position + int(np.searchsorted(timeline.at[position:limit], now, side="right"))


def _keys(trip_ids: Strings) -> list[bytes]:
    return [trip_id.encode() for trip_id in trip_ids]
