"""Where history ends and the rest begins."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.split import start_of_rest, utc64


def times(*seconds: int) -> np.ndarray:
    return np.array(seconds, dtype="datetime64[s]").astype("datetime64[us]")


def test_the_rest_begins_with_the_first_trip_after_the_share():
    assert start_of_rest(times(40, 10, 30, 20, 50), 0.8) == datetime(1970, 1, 1, 0, 0, 50, tzinfo=UTC)


def test_nothing_is_held_back_by_a_share_of_one():
    assert start_of_rest(times(1, 2), 1.0) is None
    assert start_of_rest(times(), 0.5) is None


def test_a_share_beyond_one_is_a_mistake():
    with pytest.raises(ValueError, match="between 0 and 1"):
        start_of_rest(times(1), 80)


@given(st.lists(st.integers(0, 1000), min_size=1), st.floats(0, 1), st.randoms())
def test_the_order_of_the_trips_does_not_matter_and_the_parts_fit(seconds: list[int], share: float, random: object):
    pickup_at = times(*seconds)
    shuffled = pickup_at.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    start = start_of_rest(pickup_at, share)

    assert start == start_of_rest(shuffled, share)
    if start is not None:
        assert (pickup_at < utc64(start)).sum() <= share * len(seconds) < (pickup_at <= utc64(start)).sum()
