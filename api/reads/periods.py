"""Periods of wall time, how finely each is drawn, and the event time that the stream told in it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.http.base import Period

SPARK = 60  # values of a sparkline at most
POINTS = 240  # of a chart at most
MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)  # steps of event time that people can read


@dataclass(frozen=True, slots=True)
class Span:
    """A period. `seconds`: how long; of `all`: at most so long. `step`: of a chart over wall time, seconds.

    `refresh`: how often what it takes a query over the whole period to know is read anew, seconds.
    """

    seconds: int
    step: int
    refresh: float


SPANS: dict[Period, Span] = {
    "5m": Span(300, 2, 2.0),
    "15m": Span(900, 5, 2.0),
    "1h": Span(3600, 20, 3.0),
    "24h": Span(86_400, 600, 5.0),
    "all": Span(86_400, 600, 15.0),
}


@dataclass(frozen=True, slots=True)
class EventSpan:
    """Event time [since, until), drawn in steps of `step_minutes`, which divide both ends."""

    since: datetime
    until: datetime
    step_minutes: int

    @property
    def minutes(self) -> float:
        """How long it is."""
        return (self.until - self.since).total_seconds() / 60


def event_span(since: datetime, until: datetime) -> EventSpan:
    """A stretch of event time in whole steps, POINTS at most."""
    minutes = max((until - since).total_seconds() / 60, 1.0)
    step = next((each for each in MINUTES if minutes / each <= POINTS - 2), None)
    step = step or -(-int(minutes) // ((POINTS - 2) * 1440)) * 1440
    return EventSpan(floor_to(since, step), floor_to(until, step) + timedelta(minutes=step), step)


def floor_to(at: datetime, minutes: int) -> datetime:
    """The beginning of the step that holds a moment; steps are counted from 1970."""
    seconds = minutes * 60
    return at - timedelta(seconds=at.timestamp() % seconds)
