"""Hosts the closed loop: puts together what workers report, closes steps, and makes rounds of what came of that."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from domain.loop.decisions import ChampionChanged, Decision, Fact, ShadowChanged
from domain.loop.journal import Entry, Round, Standing
from domain.loop.mature import MatureErrors
from domain.loop.signals import Reading
from domain.loop.steps import Step
from domain.loop.tracker import Reach, ReportedSpan, Tracker
from domain.policy import Timing
from domain.sums import Cells, Places, Tally
from stream.monitor_ports import LoopState

log = structlog.get_logger("tripcast.stream")

HOUR = 60
LOOK_BACK_MINUTES = 48 * HOUR  # for trips that had begun to be told of when their hour was over already


@dataclass(frozen=True, slots=True)
class Stretch:
    """Committed records [first, next) of a partition that nobody has reported."""

    partition: int
    first_offset: int
    next_offset: int


class Monitor:
    """Everything in memory. `round` gives what changed since the last one was `stored`; the caller stores rounds in order."""

    def __init__(self, loop: LoopState, timing: Timing, standing: Standing) -> None:
        self.loop, self._timing = loop, timing
        self.tracker = Tracker(timing)
        reaches = {partition: replace(reach) for partition, reach in standing.reaches.items()}
        self.tracker.restore(reaches, standing.open, standing.closed_until)
        self._seq, self._expired_until = standing.seq, standing.expired_until
        self.announced_event_id = standing.announced_event_id
        self.owes = True  # announcements, perhaps: the last leader may not have come to it
        self.champion: int | None = None
        self.shadow: int | None = None
        self.mature = MatureErrors()
        self.began = False  # whether the loop was ever given a step, and so knows what time it is
        self._begin()

    # --- going on where another was -----------------------------------------------------------------------------------

    def recall(self, entries: Iterable[Entry]) -> None:
        """Give the loop again what it was given; what it decides now was decided then."""
        for entry in entries:
            self._give(entry.given)

    # --- taking in ----------------------------------------------------------------------------------------------------

    def unreported(self, spans: Sequence[ReportedSpan]) -> list[Stretch] | None:
        """What has to be counted from rows instead of adding this report; [] when it fits; None when it says nothing new.

        Every partition has been met.
        """
        if all(span.first_offset == self.offset(span.partition) for span in spans):
            return []
        return self.behind({span.partition: span.next_offset for span in spans}) or None

    def behind(self, next_offsets: Mapping[int, int]) -> list[Stretch]:
        """What lies between us and these offsets."""
        here = {partition: self.offset(partition) for partition in next_offsets}
        return [Stretch(number, here[number], offset) for number, offset in next_offsets.items() if here[number] < offset]

    def offset(self, partition: int) -> int:
        """Up to where a partition is taken in."""
        return self.tracker.reaches[partition].next_offset

    def minute(self, partition: int) -> int:
        """How late it is in a partition; before all minutes where nothing of it was seen."""
        minute = self.tracker.reaches[partition].minute
        return -1 if minute is None else minute

    def knows(self, partitions: Iterable[int]) -> bool:
        """Whether all of these were met."""
        return self.tracker.reaches.keys() >= set(partitions)

    def meet(self, reaches: Mapping[int, Reach]) -> None:
        """Partitions that a worker has begun to read; those that we know stay as they are."""
        for partition, reach in reaches.items():
            if partition not in self.tracker.reaches:
                self.tracker.reaches[partition] = replace(reach)
                self._before[partition] = reach.next_offset

    def add(self, spans: Sequence[ReportedSpan], tally: Tally) -> None:
        """Take in what goes on from where we are."""
        self.tracker.add(spans, tally)
        self._cells.append(tally.cells)
        self._places.append(tally.places)
        self._changed = True

    def at_end(self, partition: int) -> None:
        """The partition has nothing more to read now."""
        reach = self.tracker.reaches[partition]
        if not reach.caught_up:
            reach.caught_up = True
            self._changed = True

    def not_at_end(self, ends: Mapping[int, int]) -> None:
        """Partitions that end there have more to read, whatever was reported last: a burst has reached them since."""
        for partition, reach in self.tracker.reaches.items():
            if reach.next_offset < ends.get(partition, 0):
                reach.caught_up = False

    def has_ripe_steps(self) -> bool:
        """Whether steps could be closed, by what was reported."""
        watermark, closed, timing = self.tracker.watermark(), self.tracker.closed_until, self._timing
        return watermark is not None and (closed is None or closed + timing.step_minutes + timing.lateness_minutes <= watermark)

    def close_steps(self, watermark: int | None = None, most: int | None = None) -> bool:
        """Give the loop the steps that have become complete, by the watermark of now or by one of before."""
        steps = self.tracker.closable(watermark, most)
        for step in steps:
            self._enter(step, step.minute)
        return len(steps) == most

    def learn(self, facts: Iterable[Fact]) -> None:
        """Give the loop facts."""
        for fact in facts:
            self._enter(fact, self.tracker.closed_until or 0)

    # --- handing out --------------------------------------------------------------------------------------------------

    def round(self) -> Round | None:
        """What changed since the last round that was stored, or None."""
        expire = self._to_expire()
        if not self._changed and not self._entries and not expire:
            return None
        return Round(
            before=self._before,
            after=Standing(
                seq=self._seq,
                reaches={partition: replace(reach) for partition, reach in self.tracker.reaches.items()},
                open=self.tracker.gather(),
                closed_until=self.tracker.closed_until,
                expired_until=expire[0][1] if expire else self._expired_until,
                announced_event_id=self.announced_event_id,
            ),
            cells=Cells.merged(self._cells),
            entries=tuple(self._entries),
            decisions=tuple(self._decisions),
            expire=expire,
            places=Places.merged(self._places),
            readings=tuple(self._readings),
        )

    def stored(self, made: Round) -> None:
        """The round is stored; nothing was added meanwhile."""
        self._expired_until = made.after.expired_until
        self.owes = self.owes or bool(made.decisions)
        self._begin()

    def announced(self, event_id: int) -> None:
        """Events up to this one are announced."""
        self.announced_event_id = event_id
        self._changed = True

    def _begin(self) -> None:
        self._before = {partition: reach.next_offset for partition, reach in self.tracker.reaches.items()}
        self._cells: list[Cells] = []
        self._places: list[Places] = []
        self._entries: list[Entry] = []
        self._decisions: list[Decision] = []
        self._readings: list[Reading] = []
        self._changed = False

    def _enter(self, given: Step | Fact, minute: int) -> None:
        self._seq += 1
        self._entries.append(Entry(self._seq, given, minute))
        self._decisions += self._give(given)
        if isinstance(given, Step):
            self._readings += self._read(given)

    def _read(self, step: Step) -> Sequence[Reading]:
        try:
            return self.loop.readings(step)
        except Exception:  # what is only looked at must not keep the loop from going on
            log.exception("signals_unreadable", minute=step.minute)
            return ()

    def _give(self, given: Step | Fact) -> list[Decision]:
        if isinstance(given, Step):
            self.began = True
            self.mature.add(given)
            return self.loop.step(given)
        if isinstance(given, ChampionChanged):
            self.champion = given.version
        elif isinstance(given, ShadowChanged):
            self.shadow = given.version
        return self.loop.learn(given)

    def _to_expire(self) -> tuple[tuple[int, int], ...]:
        """Pickups whose trips should have ended: whole hours, a day of them at most; and the hours before them once more."""
        closed = self.tracker.closed_until
        if closed is None:
            return ()
        over = (closed - self._timing.expiry_hours * HOUR) // HOUR * HOUR
        first = self._expired_until if self._expired_until is not None else over - LOOK_BACK_MINUTES
        until = min(over, first + 24 * HOUR)
        return ((first, until), (first - LOOK_BACK_MINUTES, until - LOOK_BACK_MINUTES)) if until > first else ()
