"""What may go by age, and what the closed loop still reads."""

from datetime import UTC, date, datetime, timedelta

import pytest

from domain.errors import InvalidInput
from domain.policy import Policy
from domain.retention import Retention, cuts_of, still_read, whole_months

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
NEEDED = timedelta(days=136)


def test_only_months_that_are_old_to_their_last_pickup_go() -> None:
    months = [date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1), date(2024, 12, 1)]
    assert whole_months(months, datetime(2025, 2, 28, 23, tzinfo=UTC)) == [date(2024, 12, 1), date(2025, 1, 1)]
    assert whole_months(months, datetime(2025, 3, 1, tzinfo=UTC)) == [date(2024, 12, 1), date(2025, 1, 1), date(2025, 2, 1)]


def test_ages_are_counted_from_the_clock_and_minutes_from_event_time() -> None:
    newest = NOW - timedelta(days=30)
    cuts = cuts_of(Retention(), NOW, newest, NEEDED, None)
    assert cuts.trips == NOW - timedelta(days=400)
    assert cuts.refused == NOW - timedelta(days=90)
    assert cuts.minutes == newest - timedelta(days=800)


def test_what_a_training_after_a_break_reads_is_not_cut_off() -> None:
    with pytest.raises(InvalidInput, match=r"trips before 2025-12-05 .* the 136 days"):
        cuts_of(Retention(trips=timedelta(days=100)), NOW, NOW, NEEDED, None)
    with pytest.raises(InvalidInput, match="minutes before"):
        cuts_of(Retention(minutes=timedelta(days=100)), NOW, NOW, NEEDED, None)
    assert cuts_of(Retention(trips=NEEDED), NOW, NOW, NEEDED, None).trips == NOW - NEEDED


def test_a_replay_of_an_old_year_is_not_swept_away_by_the_clock() -> None:
    newest = datetime(2016, 6, 30, tzinfo=UTC)
    with pytest.raises(InvalidInput, match=r"2016-06-30.*--before"):
        cuts_of(Retention(), NOW, newest, NEEDED, None)
    before = datetime(2016, 2, 1, tzinfo=UTC)
    cuts = cuts_of(Retention(), NOW, newest, NEEDED, before)
    assert (cuts.trips, cuts.minutes) == (before, newest - timedelta(days=800))


def test_an_empty_database_has_nothing_to_lose() -> None:
    assert cuts_of(Retention(trips=timedelta(days=1)), NOW, None, NEEDED, None).trips == NOW - timedelta(days=1)


def test_the_windows_of_the_policy_decide_how_far_back_is_read() -> None:
    assert still_read(Policy(), timedelta(days=120)) == timedelta(days=136)
    assert still_read(Policy(), timedelta(0)) == timedelta(days=16)
