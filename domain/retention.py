"""How long history is kept: what may go by age, and what the closed loop still reads and therefore must stay."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from domain.errors import InvalidInput
from domain.policy import Policy


@dataclass(frozen=True, slots=True)
class Retention:
    """Ages from which on each kind may go.

    `trips`: with their predictions, completions and expirations, whole months of pickup. `refused`: dead letters and rejected
    rows of files, which hold what others sent. `served`: predictions that the API gave. `minutes`: roll-ups by the minute.
    """

    trips: timedelta = timedelta(days=400)
    refused: timedelta = timedelta(days=90)
    served: timedelta = timedelta(days=400)
    minutes: timedelta = timedelta(days=800)


@dataclass(frozen=True, slots=True)
class Cuts:
    """What is older than these instants may go: trips and minutes by event time, refused and served by wall clock."""

    trips: datetime
    refused: datetime
    served: datetime
    minutes: datetime


def still_read(policy: Policy, before_break: timedelta) -> timedelta:
    """How far back the loop reads trips.

    A break may have begun as long ago as a suspicion lasts, and the training that follows reads what was `before_break` then;
    a trip's end is awaited until it expires, whatever else.
    """
    suspicion = timedelta(hours=policy.suspicion.most_hours)
    return max(suspicion + before_break, timedelta(hours=policy.time.expiry_hours))


def cuts_of(retention: Retention, now: datetime, newest: datetime | None, needed: timedelta, before: datetime | None) -> Cuts:
    """Where to cut. `newest`: of event time, None when nothing is stored; `before`: instead of the trips' age.

    Event time that lies behind the clock, as in a replay, is what minutes are counted from; trips are by the clock, and
    refused when that takes what the loop still reads. Raises InvalidInput that names what needs them.
    """
    event_now = now if newest is None else min(now, newest)
    trips = before or now - retention.trips
    minutes = event_now - retention.minutes
    for kind, cut in (("trips", trips), ("minutes", minutes)):
        if newest is not None and cut > event_now - needed:
            raise InvalidInput(
                f"{kind} before {cut:%Y-%m-%d} are not all old: a training after a break reads the {needed.days} days up to "
                f"the newest pickup, {event_now:%Y-%m-%d}. Keep them longer"
                + (", or name an older date with --before" if kind == "trips" else "")
            )
    return Cuts(trips, now - retention.refused, now - retention.served, minutes)


def whole_months(months: list[date], cut: datetime) -> list[date]:
    """Those of these months, each named by its first day in UTC, whose last possible pickup lies before the cut."""
    return [month for month in sorted(months) if _next(month) <= cut.date()]


def _next(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)
