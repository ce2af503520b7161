"""Instants become columns in one place; the features of a trip hang on every microsecond of them."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.trips import TIME, times_of

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1970, 1, 3), datetime(2100, 1, 1), timezones=ZONES)  # noqa: DTZ001 - hypothesis adds the zone


@given(st.lists(INSTANTS, max_size=20))
def test_times_are_exact_to_the_microsecond_whatever_their_zone(instants: list[datetime]) -> None:
    expected = [np.datetime64(instant.astimezone(UTC).replace(tzinfo=None), "us") for instant in instants]
    assert times_of(instants).tolist() == np.array(expected, dtype=TIME).tolist()
