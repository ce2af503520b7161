"""Divide trips in time: what is history, and what is still to come. Loading and replaying agree on it by sharing this file."""

import math
from datetime import UTC, datetime

import numpy as np

from domain.entities.trips import Times


def start_of_rest(pickup_at: Times, share: float) -> datetime | None:
    """The pickup time (aware, UTC) at which the rest begins when the first part is that share of the trips, shape (n,).

    The first part is every trip before it, the rest every trip from it on. The same trips, in any order, give the same time.
    None when the first part is everything. A share outside 0 to 1 raises ValueError.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies between 0 and 1, not at {share}")
    place = math.floor(share * len(pickup_at))
    if place >= len(pickup_at):
        return None
    return instant(np.partition(pickup_at, place)[place])


def instant(time: np.datetime64) -> datetime:
    """An aware datetime of a UTC time."""
    naive: datetime = time.astype("datetime64[us]").item()
    return naive.replace(tzinfo=UTC)


def utc64(time: datetime) -> np.datetime64:
    """A UTC time of an aware datetime."""
    return np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "us")
