"""Numbers and moments inside sentences; how they are written alone is in `dashboard.frame.words`."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dashboard.frame import words


def several(number: int, one: str, many: str | None = None) -> str:
    """1 trip, 2 trips."""
    return f"{words.count(number)} {one if number == 1 else many or one + 's'}"


def ago(then: datetime | None, now: datetime) -> str:
    """3 min ago; never, for what has not happened."""
    return "never" if then is None else f"{words.age((now - then).total_seconds())} ago"


def sentence(text: str) -> str:
    """Begins with a capital; the rest stays as it is, since names and abbreviations do."""
    return text[:1].upper() + text[1:]


def kind(name: str) -> str:
    """A candidate's name as words, which may be broken across lines."""
    return name.replace("_", " ")


def metric(value: float | None) -> str:
    """A number without a unit, such as R²: 0.712."""
    return words.number(value, 3)


def minute(instant: datetime | None, zone: ZoneInfo) -> str:
    """8 Mar 2026, 14:03."""
    return words.NOTHING if instant is None else f"{instant.astimezone(zone):%-d %b %Y, %H:%M}"


def day(instant: datetime | None, zone: ZoneInfo) -> str:
    """8 Mar 2026."""
    return words.NOTHING if instant is None else f"{instant.astimezone(zone):%-d %b %Y}"


def city_instant(text: str, zone: ZoneInfo) -> datetime:
    """The moment of a time on the city's clocks such as 2026-03-08 14:03; where clocks show it twice, the earlier.

    Raises ValueError for what is no time, and for a time that the clocks skipped.
    """
    naive = datetime.fromisoformat(text)
    if naive.tzinfo is not None:
        raise ValueError("the city's time needs no offset")
    found = naive.replace(tzinfo=zone)
    if found.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != naive:
        raise ValueError(f"{text} did not exist in {zone.key}: the clocks were put forward")
    return found
