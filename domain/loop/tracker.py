"""Follows how far the stream is in event time, and cuts what was tallied into steps once they are complete."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from domain.entities.trips import Times
from domain.loop.steps import Step, in_step
from domain.policy import Timing
from domain.sums import Inputs, Integers, Places, Tally

MICROSECONDS = 60_000_000
STRAY_MINUTES = 24 * 60  # what lies that far ahead of the furthest partition is a wrong clock
LEAP_MINUTES = 6 * 60  # what lies behind so many minutes without a pickup may be a wrong clock: several reports are believed
LEAPS_BELIEVED = 3
NEWEST_SHARE = 200  # of so many events one may have a wrong clock


@dataclass(frozen=True, slots=True)
class ReportedSpan:
    """Committed records [first, next) of a partition, the newest event time in them, and whether more were waiting."""

    partition: int
    first_offset: int
    next_offset: int
    newest_us: int | None
    caught_up: bool


@dataclass(slots=True)
class Reach:
    """How far one partition is. `minute` None: nothing of it was seen yet. `leaps`: reports in a row that are far ahead."""

    next_offset: int
    minute: int | None = None
    caught_up: bool = True
    leaps: int = 0

    def reported(self, newest: int, inputs: Inputs) -> None:
        """Something happened as late as `newest`, in a report with these pickups.

        A long report may span days: it is followed up to where a leap begins. What lies beyond is believed when it is most of
        several reports in a row; a wrong clock is alone there.
        """
        if self.minute is None:
            self.minute = _middle(inputs, newest)
        edge = _edge(self.minute, newest, inputs.minute)
        beyond = inputs.minute > edge
        leaps = edge < newest and int(inputs.trips[beyond].sum()) > int(inputs.trips[~beyond].sum())
        self.leaps = self.leaps + 1 if leaps else 0
        self.minute = max(self.minute, edge)
        if self.leaps >= LEAPS_BELIEVED:
            self.minute, self.leaps = newest, 0


def _middle(inputs: Inputs, otherwise: int) -> int:
    """The minute of the middle pickup."""
    minutes = np.repeat(inputs.minute, inputs.trips)
    return int(minutes[len(minutes) // 2]) if len(minutes) else otherwise


def _edge(first: int, last: int, minutes: Integers) -> int:
    """How far one comes from the first minute towards the last, over minutes with pickups in them, without a leap."""
    path = np.array([first, *minutes[(minutes > first) & (minutes < last)], max(first, last)], dtype=np.int64)
    leaps = np.flatnonzero(np.diff(path) > LEAP_MINUTES)
    return int(path[leaps[0]]) if len(leaps) else int(path[-1])


def newest_of(event_times: Times) -> int | None:
    """The newest of the event times of a span, in microseconds since 1970, wrong clocks left out as far as that can be told."""
    if not len(event_times):
        return None
    strays = len(event_times) // NEWEST_SHARE
    place = len(event_times) - 1 - strays
    return int(np.partition(event_times, place)[place].astype("datetime64[us]").astype(np.int64))


class Tracker:
    """Adds up tallies and closes steps; `closed_until` is the minute up to which steps are closed, None before the first."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self.reaches: dict[int, Reach] = {}
        self.open = Tally.empty()
        self.closed_until: int | None = None
        self._added: list[Tally] = []

    @property
    def caught_up(self) -> bool:
        """Whether every partition was read to its end."""
        return all(reach.caught_up for reach in self.reaches.values())

    def add(self, spans: Sequence[ReportedSpan], tally: Tally) -> None:
        """Add what these spans hold, but for places, which are in no step. The caller adds each record once."""
        for span in spans:
            reach = self.reaches.setdefault(span.partition, Reach(span.first_offset))
            reach.next_offset, reach.caught_up = span.next_offset, span.caught_up
            if span.newest_us is not None:
                reach.reported(span.newest_us // MICROSECONDS, tally.inputs)
        self._added.append(replace(tally, places=Places.empty()))

    def watermark(self) -> int | None:
        """The minute before which hardly anything is still to come: that of the slowest partition which has more to read.

        None while there is a partition of which nothing was seen and which has more to read.
        """
        minutes = [reach.minute for reach in self.reaches.values() if reach.minute is not None]
        waiting = [reach.minute for reach in self.reaches.values() if not reach.caught_up]
        if not minutes or None in waiting:
            return None
        return min((minute for minute in waiting if minute is not None), default=max(minutes))

    def gather(self) -> Tally:
        """What is in no closed step yet, all added up."""
        self.open, self._added = Tally.merged([self.open, *self._added]), []
        return self.open

    def closable(self, watermark: int | None = None, most: int | None = None) -> list[Step]:
        """The steps that have become complete, in order, `most` at most; they are closed with that.

        By a `watermark` of before, if one is given, instead of the one of now.
        """
        self.gather()
        watermark = self.watermark() if watermark is None else watermark
        if watermark is None:
            return []
        length = self._timing.step_minutes
        if self.closed_until is None:
            self.closed_until = self._first_minute(watermark) // length * length
        steps: list[Step] = []
        while self.closed_until + length + self._timing.lateness_minutes <= watermark and len(steps) != most:
            steps.append(self._step(self.closed_until + length))
            self.closed_until += length
        if steps:
            self._forget(self.closed_until)
        return steps

    def _first_minute(self, watermark: int) -> int:
        """Where the stream began: the earliest pickup from which others lead here without a leap."""
        minutes = self.open.inputs.minute
        near = np.append(minutes[minutes < watermark], watermark)
        holes = np.flatnonzero(np.diff(near) > LEAP_MINUTES)
        return int(near[holes[-1] + 1]) if len(holes) else int(near[0])

    def _step(self, minute: int) -> Step:
        length, timing = self._timing.step_minutes, self._timing
        first, cohort = minute - length, minute - length - timing.maturity_minutes
        return Step(
            minute=minute,
            cohort=cohort,
            mature=in_step(self.open.cells, cohort, cohort + length),
            pairs=in_step(self.open.pairs, cohort, cohort + length),
            flows=in_step(self.open.flows, first, minute),
            inputs=in_step(self.open.inputs, first, minute),
        )

    def _forget(self, closed: int) -> None:
        """What came too late is in the roll-ups, which count by the pickup for ever, and in no step."""
        furthest = max((reach.minute for reach in self.reaches.values() if reach.minute is not None), default=closed)
        cohort, ahead = closed - self._timing.maturity_minutes, furthest + STRAY_MINUTES
        self.open = Tally(
            self.open.cells.between(cohort, ahead),
            self.open.pairs.between(cohort, ahead),
            self.open.flows.between(closed, ahead),
            self.open.inputs.between(closed, ahead),
        )

    def restore(self, reaches: dict[int, Reach], tally: Tally, closed_until: int | None) -> None:
        """Go on where another tracker was."""
        self.reaches, self.open, self.closed_until, self._added = dict(reaches), tally, closed_until, []
