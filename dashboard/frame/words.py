"""How numbers, durations and times are written: with units, short, and the same everywhere."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NOTHING = "\N{EN DASH}"
MINUTE, HOUR, DAY = 60, 3600, 86_400


def number(value: float | None, digits: int = 1) -> str:
    """A number with thin spaces between thousands: 12 345.6."""
    return NOTHING if value is None else f"{value:,.{digits}f}".replace(",", "\u2009")


def count(value: float | None) -> str:
    """A whole number."""
    return number(value, 0)


def seconds(value: float | None) -> str:
    """A short duration: 850 µs, 12.3 ms, 1.25 s, 12 s, 3 min 20 s, 4 h 05 min, 2 d 3 h."""
    if value is None:
        return NOTHING
    if value < 0:
        return f"-{seconds(-value)}"
    return _short(value) if value < MINUTE else _long(round(value))


def _short(value: float) -> str:
    if value >= 1:
        return f"{value:.3g} s"
    return f"{value * 1e6:.0f} µs" if 0 < value * 1e3 < 1 else f"{value * 1e3:.3g} ms"


def _long(whole: int) -> str:
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02d} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02d} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def age(value: float) -> str:
    """How long ago: 0.8 s, 12 s, 3 min, 4 h, 2 d."""
    value = max(value, 0.0)
    if value < 10:  # noqa: PLR2004 - below it a tenth tells something
        return f"{value:.1f} s"
    for unit, size in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if value >= size:
            return f"{value // size:.0f} {unit}"
    return f"{value:.0f} s"


def minutes(value: float | None, digits: int = 1) -> str:
    """Minutes: 12.3 min."""
    return NOTHING if value is None else f"{number(value, digits)} min"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of one: 89.7 %."""
    return NOTHING if share is None else f"{number(share * 100, digits)} %"


def data(size: float | None) -> str:
    """An amount of data: 12.3 MiB."""
    if size is None:
        return NOTHING
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:  # noqa: PLR2004 - what the units mean
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def clock(at: datetime | None, zone: ZoneInfo) -> str:
    """Time of day where the reader is: 14:03:11."""
    return NOTHING if at is None else at.astimezone(zone).strftime("%H:%M:%S")


def day_and_clock(at: datetime | None, zone: ZoneInfo) -> str:
    """Date and time where the reader is: 2026-03-02 14:03:11."""
    return NOTHING if at is None else at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def day(at: datetime | None, zone: ZoneInfo) -> str:
    """The same, short: 2 Mar 14:03."""
    return NOTHING if at is None else at.astimezone(zone).strftime("%d %b %H:%M").lstrip("0")


def utc(at: datetime | None) -> str:
    """The same moment in UTC, for the hover: 2026-03-02 13:03:11 UTC."""
    return NOTHING if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def local(at: datetime, zone: ZoneInfo) -> datetime:
    """The reader's wall clock without a zone: Plotly draws times as they are given."""
    return at.astimezone(zone).replace(tzinfo=None)
