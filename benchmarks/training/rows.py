"""The rows that both sides learn from: trips of the simulated city as features and durations, in files that either can read."""

from pathlib import Path

import numpy as np

from benchmarks.stream.events import city_trips
from domain.features import CityClock, features_of
from domain.quality import fit_for_training

HELD_OUT = 0.2


def write_rows(folder: Path, count: int, seed: int = 8) -> Path:
    """About so many rows in order of pickup: `learned` and `held_out`, `.npy` files of features (n, f) and of seconds (n,)."""
    folder = folder / f"rows-{count}"
    folder.mkdir()
    trips, completions = city_trips(count, seed)
    fit = fit_for_training(completions.duration_seconds)
    order = np.argsort(trips.pickup_at[fit], kind="stable")
    trips, seconds = trips.take(fit).take(order), completions.duration_seconds[fit][order]
    features, place = features_of(trips, CityClock()), round(len(seconds) * (1 - HELD_OUT))
    for name, part in (("learned", slice(place)), ("held_out", slice(place, None))):
        np.save(folder / f"{name}-features.npy", features[part])
        np.save(folder / f"{name}-seconds.npy", seconds[part])
    return folder
