"""The rule of the calendar against published dates."""

import numpy as np
import pytest

from domain.holidays import by_rule, is_holiday, month_of, weekday_of

PUBLISHED = {  # by the Office of Personnel Management, the days themselves rather than the days on which they are observed
    2016: ["01-01", "01-18", "02-15", "05-30", "07-04", "09-05", "10-10", "11-11", "11-24", "12-25"],
    2019: ["01-01", "01-21", "02-18", "05-27", "07-04", "09-02", "10-14", "11-11", "11-28", "12-25"],
    2025: ["01-01", "01-20", "02-17", "05-26", "06-19", "07-04", "09-01", "10-13", "11-11", "11-27", "12-25"],
}


@pytest.mark.parametrize("year", PUBLISHED)
def test_the_holidays_of_a_year_are_the_published_ones(year: int) -> None:
    days = np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")
    assert [str(day)[5:] for day in days[is_holiday(days)]] == PUBLISHED[year]


def test_weekdays_and_months_are_the_standard_librarys() -> None:
    days = np.arange("1969-12-25", "2030-01-10", dtype="datetime64[D]")
    assert weekday_of(days).tolist() == [day.weekday() for day in days.tolist()]
    assert month_of(days).tolist() == [day.month for day in days.tolist()]


@pytest.mark.parametrize("first", ["1899-12-01", "1969-11-01", "1999-12-20", "2024-02-01", "2119-10-01", "2250-06-01"])
def test_the_calendar_says_what_the_rules_say_within_and_beyond_its_years(first: str) -> None:
    days = np.datetime64(first, "D") + np.arange(420)
    assert is_holiday(days).tolist() == by_rule(days).tolist()
    assert [bool(is_holiday(days[each : each + 1])[0]) for each in range(len(days))] == by_rule(days).tolist()
    assert is_holiday(days).sum() >= 10


def test_no_day_has_no_mask() -> None:
    assert is_holiday(np.empty(0, dtype="datetime64[D]")).shape == (0,)
