"""Turn the simulated city's trips into the events that its producers send, with whatever the knobs do to them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from cli.sources.knobs import TurnedKnobs
from cli.sources.poison import poisoned
from cli.sources.replay import Encoding
from domain.city.city import HOUR, MINUTE, CityTrips
from domain.city.geography import areas_named
from domain.entities.trips import TIME, Floats, TripColumns

_REPEAT, _LATE, _MISSING, _POISON, _FAULT, _HOW_LATE, _HOW, _REPEAT_END = range(8)  # columns of CityTrips.chance
_LATE_FROM, _LATE_TO = 30, 180  # minutes
_REPEAT_AFTER = np.timedelta64(5_000_000, "us")


class Kind(StrEnum):
    """What an event is, for counting."""

    STARTED = "started"
    COMPLETED = "completed"
    REPEAT = "repeat"
    POISON = "poison"


class DueEvent(NamedTuple):
    """An event and when it is published, in microseconds of city time (UTC) since 1970; sorts by that."""

    due_us: int
    kind: Kind
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class CityEvents:
    """Makes events. The same trips under the same knobs give the same bytes."""

    encoding: Encoding

    def of(self, made: CityTrips, turned: TurnedKnobs) -> list[DueEvent]:
        """All events of these trips, unordered."""
        made = _slowed(made, turned)
        ends = made.completions.dropoff_at + _lateness(made, turned)
        arriving = made.chance[:, _MISSING] >= turned.knobs.missing
        sent = _with_wrong_clock(made, turned)
        keys = [trip_id.encode() for trip_id in sent.trips.trip_id]
        started = self._started(sent, turned)
        completed = self.encoding.completed(sent.completions)
        events = [
            DueEvent(due, Kind.STARTED, *event) for due, *event in zip(_us(made.trips.pickup_at), keys, started, strict=True)
        ]
        events += [
            DueEvent(due, Kind.COMPLETED, key, value)
            for due, key, value, arrives in zip(_us(ends), keys, completed, arriving.tolist(), strict=True)
            if arrives
        ]
        events += _repeats(events, made, arriving, turned.knobs.duplicates)
        events += _poison(events[: len(keys)], made, turned.knobs.poison)
        return events

    def _started(self, sent: CityTrips, turned: TurnedKnobs) -> list[bytes]:
        faulty = _faulty(sent, turned)
        trips = sent.trips
        if turned.knobs.fault == "unit":
            trips = _in_degrees_and_minutes(trips, faulty)
        values = self.encoding.started(trips)
        if turned.knobs.fault == "missing-field":
            for row in np.flatnonzero(faulty).tolist():
                values[row] = _without_passengers(values[row], absent=bool(sent.chance[row, _HOW] < 0.5))  # noqa: PLR2004 - half
        return values


def _slowed(made: CityTrips, turned: TurnedKnobs) -> CityTrips:
    knobs = turned.knobs
    slow = areas_named(knobs.slowdown_area)[made.area] & (made.trips.pickup_at >= turned.slowdown_from)
    factor = np.where(slow, knobs.slowdown, 1.0)
    seconds = np.maximum(np.rint(made.completions.duration_seconds * factor), 1.0).astype("timedelta64[s]")
    dropoff_at = (made.trips.pickup_at + seconds).astype(TIME)
    return replace(made, completions=replace(made.completions, dropoff_at=dropoff_at))


def _lateness(made: CityTrips, turned: TurnedKnobs) -> NDArray[np.timedelta64]:
    late = made.chance[:, _LATE] < turned.knobs.late
    minutes = np.where(late, _LATE_FROM + (_LATE_TO - _LATE_FROM) * made.chance[:, _HOW_LATE], 0.0)
    return np.asarray(minutes.astype(np.int64) * MINUTE)


def _faulty(made: CityTrips, turned: TurnedKnobs) -> NDArray[np.bool_]:
    return np.asarray((made.chance[:, _FAULT] < turned.knobs.fault_share) & (made.trips.pickup_at >= turned.fault_from))


def _with_wrong_clock(made: CityTrips, turned: TurnedKnobs) -> CityTrips:
    """An hour behind, for the whole trip: its duration is right, its hour is not."""
    if turned.knobs.fault != "clock":
        return made
    behind = np.where(_faulty(made, turned), 1, 0) * HOUR
    pickup_at, dropoff_at = made.trips.pickup_at - behind, made.completions.dropoff_at - behind
    completions = replace(made.completions, pickup_at=pickup_at, dropoff_at=dropoff_at)
    return replace(made, trips=replace(made.trips, pickup_at=pickup_at), completions=completions)


def _in_degrees_and_minutes(trips: TripColumns, faulty: NDArray[np.bool_]) -> TripColumns:
    """40 degrees 45 minutes, written as 40.45: what a producer does that forwards a receiver's sentence as it is."""

    def wrong(degrees: Floats) -> Floats:
        whole = np.trunc(degrees)
        return np.where(faulty, np.round(whole + (degrees - whole) * 0.6, 6), degrees)

    return replace(
        trips,
        pickup_latitude=wrong(trips.pickup_latitude),
        pickup_longitude=wrong(trips.pickup_longitude),
        dropoff_latitude=wrong(trips.dropoff_latitude),
        dropoff_longitude=wrong(trips.dropoff_longitude),
    )


def _without_passengers(value: bytes, *, absent: bool) -> bytes:
    event = msgspec.json.decode(value)
    if absent:
        del event["passenger_count"]
    else:
        event["passenger_count"] = 0
    return msgspec.json.encode(event)


def _repeats(events: list[DueEvent], made: CityTrips, arriving: NDArray[np.bool_], share: float) -> Iterator[DueEvent]:
    """Starts and ends that are sent again; `events` holds all starts, then the ends that arrive."""
    again = np.concatenate([made.chance[:, _REPEAT], made.chance[arriving, _REPEAT_END]]) < share
    wait = int(_REPEAT_AFTER.astype(np.int64))
    return (events[row]._replace(due_us=events[row].due_us + wait, kind=Kind.REPEAT) for row in np.flatnonzero(again).tolist())


def _poison(started: list[DueEvent], made: CityTrips, share: float) -> Iterator[DueEvent]:
    for row in np.flatnonzero(made.chance[:, _POISON] < share).tolist():
        event = started[row]
        yield DueEvent(event.due_us, Kind.POISON, *poisoned(event.key, event.value, float(made.chance[row, _HOW])))


def _us(times: NDArray[np.datetime64]) -> list[int]:
    return times.astype(TIME).astype(np.int64).tolist()
