"""Put the check of a candidate together: trips of the simulated city, ONNX Runtime, and no server."""

from collections.abc import Callable

import numpy as np

from adapters.files.policies import read_policy
from adapters.onnx.model import Graph
from batch.catalogue import chosen
from batch.check_candidate import CandidateCheck, CheckCandidate
from batch.labelled import LabelledTrips
from batch.settings import BatchSettings
from domain.city.city import City
from domain.entities.trips import CompletionColumns, TripColumns
from domain.errors import InvalidInput
from domain.features import CityClock
from domain.quality import ServiceArea

TRIPS, DAYS, SEED = 4000, 28, 1
UNTIL = np.datetime64("2025-05-01", "us")


def check(settings: BatchSettings, name: str, told: Callable[[str], None]) -> CandidateCheck:
    """Check one candidate, named as in the setting. Raises InvalidInput and ModelRefused."""
    candidates = chosen(name)
    if len(candidates) != 1:
        raise InvalidInput(f"{name} names {len(candidates)} candidates; check one at a time")
    limits = read_policy(settings.policy).gates
    return CheckCandidate(Graph.open, limits, settings.train_threads, told)(candidates[0], trips_of_the_city())


def trips_of_the_city(count: int = TRIPS) -> LabelledTrips:
    """Always the same; those of New York's size and time zone, whatever city the settings describe."""
    days = list(City(SEED, CityClock()).history(count, UNTIL, DAYS))
    trips = TripColumns.concatenate([day.trips for day in days])
    completions = CompletionColumns.concatenate([day.completions for day in days])
    return LabelledTrips.of(trips, completions, ServiceArea(), CityClock())
