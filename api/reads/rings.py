"""The recent past of the stream in equal steps of wall time, and sums over any stretch of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from domain.entities.service import LATENCY_BUCKETS, ServiceMinute

Floats = NDArray[np.float64]
BUCKETS = len(LATENCY_BUCKETS) + 1


@dataclass(slots=True)
class Slot:
    """One step. Counts are increases within it; `known` are the seconds that they belong to, by what was looked at.

    `received` comes from the broker (`received_known`), `scored`, `quarantined` and `latency` from the workers (`known`).
    Lag and `event_time` (newest pickup, seconds since 1970) are of the step's end; NaN where nobody knows.
    """

    at: float
    received: float = 0.0
    received_known: float = 0.0
    scored: float = 0.0
    quarantined: float = 0.0
    known: float = 0.0
    latency: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BUCKETS, dtype=np.int64))
    lag_events: dict[int, float] = field(default_factory=dict)
    lag_seconds: float = np.nan
    event_time: float = np.nan
    requests: float = 0.0


NUMBERS = ("received", "received_known", "scored", "quarantined", "known", "lag_seconds", "event_time", "requests")


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Steps in order. `at`: seconds since 1970 at which each begins. `lag_events`: shape (n, partitions)."""

    at: Floats
    numbers: dict[str, Floats]
    latency: NDArray[np.int64]
    lag_events: Floats

    def __len__(self) -> int:
        """The number of steps."""
        return len(self.at)

    def between(self, since: float, until: float) -> "Stretch":
        """Those that begin in [since, until)."""
        first, last = np.searchsorted(self.at, [since, until])
        rows = slice(int(first), int(last))
        numbers = {name: column[rows] for name, column in self.numbers.items()}
        return Stretch(self.at[rows], numbers, self.latency[rows], self.lag_events[rows])

    def rate(self, name: str) -> float | None:
        """Events a second; None where nobody looked."""
        seconds = float(self.numbers["received_known" if name == "received" else "known"].sum())
        return float(self.numbers[name].sum()) / seconds if seconds > 0 else None

    def total(self, name: str) -> float:
        """Events."""
        return float(self.numbers[name].sum())

    def quantile_seconds(self, share: float) -> float | None:
        """See `quantile_of`."""
        return quantile_of(self.latency.sum(axis=0), share)

    def mean(self, name: str) -> float | None:
        """Of the steps that know it."""
        known = self.numbers[name][~np.isnan(self.numbers[name])]
        return float(known.mean()) if len(known) else None

    def last(self, name: str) -> float | None:
        """Of the newest step that knows it."""
        known = self.numbers[name][~np.isnan(self.numbers[name])]
        return float(known[-1]) if len(known) else None

    def first(self, name: str) -> float | None:
        """Of the oldest step that knows it."""
        known = self.numbers[name][~np.isnan(self.numbers[name])]
        return float(known[0]) if len(known) else None

    def lag(self) -> Floats:
        """Events waiting in all partitions at the end of each step; NaN where nobody knows."""
        known = ~np.isnan(self.lag_events)
        return np.where(known.any(axis=1), np.where(known, self.lag_events, 0.0).sum(axis=1), np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """A stretch, and which partition each column of its `lag_events` is of."""

    stretch: Stretch
    partitions: list[int]


def past(minutes: "Ring", seconds: "Ring", since: float, until: float) -> Past:
    """By the second as far back as seconds are known, and by the minute before that."""
    fine = seconds.between(since, until)
    begins = fine.at[0] // 60 * 60 if len(fine) else until
    coarse = minutes.between(since, begins)
    partitions = sorted({*minutes.partitions, *seconds.partitions})
    parts = (coarse, minutes.partitions), (fine, seconds.partitions)
    stretch = Stretch(
        np.concatenate([coarse.at, fine.at]),
        {name: np.concatenate([coarse.numbers[name], fine.numbers[name]]) for name in NUMBERS},
        np.concatenate([coarse.latency, fine.latency]),
        np.concatenate([_columns(part.lag_events, have, partitions) for part, have in parts]),
    )
    return Past(stretch, partitions)


def _columns(lag_events: Floats, have: list[int], wanted: list[int]) -> Floats:
    """The same with a column for each wanted partition."""
    found = np.full((len(lag_events), len(wanted)), np.nan)
    for place, partition in enumerate(have):
        found[:, wanted.index(partition)] = lag_events[:, place]
    return found


def quantile_of(counts: NDArray[np.int64], share: float) -> float | None:
    """The quantile of events counted in LATENCY_BUCKETS, linear within a bucket, as Prometheus does it.

    Events above the last bound are told as that bound: at least so long. None without events.
    """
    total = int(counts.sum())
    if total <= 0:
        return None
    rank, below = share * total, 0
    for number, count in enumerate(counts.tolist()):
        if count and below + count >= rank:
            if number == len(LATENCY_BUCKETS):
                break
            low = LATENCY_BUCKETS[number - 1] if number else 0.0
            return float(low + (LATENCY_BUCKETS[number] - low) * max(rank - below, 0.0) / count)
        below += count
    return LATENCY_BUCKETS[-1]


class Ring:
    """The newest `capacity` steps; a step that begins no later than the newest one replaces nothing and is dropped."""

    def __init__(self, capacity: int) -> None:
        self._capacity, self._size = capacity, 0
        rows = 2 * capacity  # so that a stretch is one slice: the newer half moves to the front when the end is reached
        self._at = np.zeros(rows)
        self._numbers = {name: np.zeros(rows) for name in NUMBERS}
        self._latency = np.zeros((rows, BUCKETS), dtype=np.int64)
        self._lag = np.full((rows, 0), np.nan)
        self._columns: dict[int, int] = {}

    def __len__(self) -> int:
        """The number of steps."""
        return min(self._size, self._capacity)

    @property
    def partitions(self) -> list[int]:
        """The partitions that have a column in `Stretch.lag_events`, in its order."""
        return list(self._columns)

    def add(self, slot: Slot) -> None:
        """Append a step."""
        if self._size and slot.at <= self._at[self._size - 1]:
            return
        if self._size == len(self._at):
            self._make_room()
        row, self._size = self._size, self._size + 1
        self._at[row], self._latency[row] = slot.at, slot.latency
        for name in NUMBERS:
            self._numbers[name][row] = getattr(slot, name)
        self._add_columns(slot.lag_events)
        self._lag[row] = np.nan
        for partition, events in slot.lag_events.items():
            self._lag[row, self._columns[partition]] = events

    def between(self, since: float, until: float) -> Stretch:
        """The steps that begin in [since, until), oldest first."""
        return self.all().between(since, until)

    def all(self) -> Stretch:
        """All steps."""
        rows = slice(max(0, self._size - self._capacity), self._size)
        numbers = {name: column[rows] for name, column in self._numbers.items()}
        return Stretch(self._at[rows], numbers, self._latency[rows], self._lag[rows])

    def _make_room(self) -> None:
        kept = slice(self._size - self._capacity, self._size)
        for column in (self._at, self._latency, self._lag, *self._numbers.values()):
            column[: self._capacity] = column[kept].copy()
        self._size = self._capacity

    def _add_columns(self, lag: dict[int, float]) -> None:
        for partition in sorted(lag.keys() - self._columns.keys()):
            self._columns[partition] = len(self._columns)
            self._lag = np.column_stack([self._lag, np.full(len(self._lag), np.nan)])


def slot_of(minute: ServiceMinute) -> Slot:
    """A stored minute as a step."""
    latency = np.zeros(BUCKETS, dtype=np.int64)
    counts = minute.latency_counts[:BUCKETS]
    latency[: len(counts)] = counts
    return Slot(
        at=minute.minute.timestamp(),
        received=float(minute.received),
        received_known=float(minute.seconds_seen),
        scored=float(minute.scored),
        quarantined=float(minute.quarantined),
        known=float(minute.seconds_seen),
        latency=latency,
        lag_events={int(partition): float(events) for partition, events in minute.lag_events.items()},
        lag_seconds=minute.lag_seconds,
        event_time=minute.event_time.timestamp() if minute.event_time else np.nan,
        requests=float(minute.requests),
    )


def minute_of(seconds: Stretch, partitions: list[int], minute: float) -> ServiceMinute | None:
    """The steps of one minute as the row that is stored; None when nothing was seen in it."""
    steps = seconds.between(minute, minute + 60)
    if not len(steps):
        return None
    newest, lag = steps.last("event_time"), _last_row(steps.lag_events)
    return ServiceMinute(
        minute=datetime.fromtimestamp(minute, UTC),
        seconds_seen=min(60, round(max(steps.total("known"), steps.total("received_known")))),
        received=round(steps.total("received")),
        scored=round(steps.total("scored")),
        quarantined=round(steps.total("quarantined")),
        latency_counts=tuple(steps.latency.sum(axis=0).tolist()),
        lag_events={str(number): int(lag[place]) for place, number in enumerate(partitions) if not np.isnan(lag[place])},
        lag_seconds=steps.last("lag_seconds") or 0.0,
        event_time=None if newest is None else datetime.fromtimestamp(newest, UTC),
        requests=round(steps.total("requests")),
    )


def _last_row(lag_events: Floats) -> Floats:
    known = np.flatnonzero(~np.isnan(lag_events).all(axis=1))
    return lag_events[known[-1]] if lag_events.shape[1] and len(known) else np.full(lag_events.shape[1], np.nan)
