"""Predict how long the trips of one batch will take."""

from domain.entities.predictions import PredictionColumns
from domain.entities.trips import TripColumns
from domain.features import CityClock, features_of
from domain.ports import ScoringModel


def score_trips(trips: TripColumns, model: ScoringModel, clock: CityClock) -> PredictionColumns:
    """Score in one vectorised call with one model version; never part of a batch, never a mixture of versions."""
    duration = model.duration_seconds(features_of(trips, clock))
    lower, upper = model.intervals.of(duration)
    return PredictionColumns(trips.trip_id, duration, lower, upper)
