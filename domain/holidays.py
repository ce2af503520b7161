"""The public holidays on which the city drives as on a Sunday: the federal ones of the United States (5 U.S.C. 6103), by rule.

In a city elsewhere the calendar is merely an input that teaches nothing.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]  # datetime64[D]

MONDAY, THURSDAY, SATURDAY = 0, 3, 5
LAST = 5  # as the number of a weekday within its month
FIXED = ((1, 1), (7, 4), (11, 11), (12, 25))  # month, day
# Month, weekday, and its number within the month.
MOVING = ((1, MONDAY, 3), (2, MONDAY, 3), (5, MONDAY, LAST), (9, MONDAY, 1), (10, MONDAY, 2), (11, THURSDAY, 4))
JUNETEENTH, JUNETEENTH_SINCE = (6, 19), 2021
CALENDAR_DAYS = 365 * 150  # until about 2119


def weekday_of(day: Days) -> NDArray[np.int64]:
    """Monday is 0; 1970-01-01 was a Thursday."""
    return np.asarray((day.astype(np.int64) + THURSDAY) % 7)


def is_holiday(day: Days) -> NDArray[np.bool_]:
    """Mask of shape (n,). Looked up: for a single trip the rules cost half of all its inputs together."""
    number, calendar = day.astype(np.int64), _calendar()
    if ((number < 0) | (number >= len(calendar))).any():
        return by_rule(day)
    return calendar[number]


@cache
def _calendar() -> NDArray[np.bool_]:
    """The rules' word on each day from 1970 on, for as long as it is a few kilobytes."""
    return by_rule(np.arange(0, CALENDAR_DAYS).astype("datetime64[D]"))


def by_rule(day: Days) -> NDArray[np.bool_]:
    """What the law says, for any day; shape (n,)."""
    month, place = month_of(day), _day_of_month(day)
    holiday = np.zeros(len(day), dtype=np.bool_)
    for fixed_month, fixed_day in FIXED:
        holiday |= (month == fixed_month) & (place == fixed_day)
    years = day.astype("datetime64[Y]").astype(np.int64) + 1970
    holiday |= (month == JUNETEENTH[0]) & (place == JUNETEENTH[1]) & (years >= JUNETEENTH_SINCE)
    weekday, number = weekday_of(day), (place - 1) // 7 + 1
    last = day.astype("datetime64[M]") != (day + np.timedelta64(7, "D")).astype("datetime64[M]")
    for moving_month, moving_weekday, wanted in MOVING:
        holiday |= (month == moving_month) & (weekday == moving_weekday) & (last if wanted == LAST else number == wanted)
    return holiday


def month_of(day: Days) -> NDArray[np.int64]:
    """January is 1."""
    return np.asarray(day.astype("datetime64[M]").astype(np.int64) % 12 + 1)


def _day_of_month(day: Days) -> NDArray[np.int64]:
    return np.asarray((day - day.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1)
