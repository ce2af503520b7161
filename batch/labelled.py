"""The trips that a training learns from: filtered, turned into inputs, and identified by a hash."""

import hashlib
from dataclasses import dataclass

import numpy as np

from domain.entities.trainings import TrainedFrom
from domain.entities.trips import CompletionColumns, Floats, TripColumns
from domain.errors import NotEnoughTrips
from domain.features import CityClock, Matrix, classic_features_of, features_of
from domain.quality import ServiceArea, fit_for_training
from domain.split import instant

LEAST_TRIPS = 500  # below it neither a held-out error nor an interval means anything


@dataclass(frozen=True, slots=True, eq=False)
class LabelledTrips:
    """Trips fit for training in order of pickup, with durations in seconds, shape (n,)."""

    trips: TripColumns
    seconds: Floats
    clock: CityClock

    @classmethod
    def of(cls, trips: TripColumns, completions: CompletionColumns, area: ServiceArea, clock: CityClock) -> "LabelledTrips":
        """Keep what the city, not the meter, made. Raises NotEnoughTrips."""
        labelled = cls.some_of(trips, completions, area, clock)
        if (count := len(labelled.seconds)) < LEAST_TRIPS:
            raise NotEnoughTrips(f"{count} completed trips are fit for training, {LEAST_TRIPS} are needed; load more history")
        return labelled

    @classmethod
    def some_of(
        cls, trips: TripColumns, completions: CompletionColumns, area: ServiceArea, clock: CityClock
    ) -> "LabelledTrips":
        """The same of a part of the trips, which may be small or empty."""
        seconds = completions.duration_seconds
        fit = fit_for_training(seconds)
        fit &= area.contains(trips.pickup_latitude, trips.pickup_longitude)
        fit &= area.contains(trips.dropoff_latitude, trips.dropoff_longitude)
        return cls(trips.take(fit), seconds[fit], clock)

    def features(self) -> Matrix:
        """The model's inputs."""
        return features_of(self.trips, self.clock)

    def classic_features(self) -> Matrix:
        """The eight inputs of the course."""
        return classic_features_of(self.trips, self.clock)

    def identity(self) -> TrainedFrom:
        """What names these trips in the record: their number, span, and a hash of every column but the ids."""
        digest = hashlib.sha256()
        for name in ("pickup_at", "vendor_id", "passenger_count"):
            digest.update(np.ascontiguousarray(getattr(self.trips, name)).tobytes())
        for name in ("pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude"):
            digest.update(np.ascontiguousarray(getattr(self.trips, name)).tobytes())
        digest.update(self.seconds.tobytes())
        first, last = self.trips.pickup_at.min(), self.trips.pickup_at.max()
        return TrainedFrom(len(self.seconds), instant(first), instant(last), digest.hexdigest())
