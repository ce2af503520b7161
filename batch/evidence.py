"""What a request may learn from: what was known when it was asked, without half-finished cohorts and faults of the feed."""

from collections.abc import Sequence

import numpy as np

from domain.data_gates import Evidence
from domain.entities.trips import CompletionColumns, TripColumns

Span = tuple[np.datetime64, np.datetime64]
DEFAULT_MATURITY_MINUTES = 120


def evidence_of(
    trips: TripColumns,
    completions: CompletionColumns,
    *,
    as_of: np.datetime64 | None = None,
    since_break: np.datetime64 | None = None,
    known_until: np.datetime64 | None = None,
    exclude: Sequence[Span] = (),
    maturity_minutes: int = DEFAULT_MATURITY_MINUTES,
) -> Evidence:
    """Keep trips that had ended before `as_of` (default: the newest end) and begun `maturity_minutes` before that.

    Of younger pickups only the short trips have ended. Trips with a pickup in one of the spans [first, until) of `exclude` are
    left out: the feed was at fault.
    """
    if not len(trips):
        return Evidence(trips, completions, as_of, since_break, known_until)
    asked_at = completions.dropoff_at.max() + np.timedelta64(1, "us") if as_of is None else as_of
    kept = completions.dropoff_at < asked_at
    kept &= trips.pickup_at <= asked_at - np.timedelta64(maturity_minutes, "m")
    for first, until in exclude:
        kept &= (trips.pickup_at < first) | (trips.pickup_at >= until)
    return Evidence(trips.take(kept), completions.take(kept), asked_at, since_break, known_until)
