"""Predict how long the trips of one batch will take."""

from domain.entities.predictions import PredictionColumns
from domain.entities.trips import Strings, TripColumns
from domain.features import CityClock, Matrix, features_of
from domain.ports import ScoringModel


def score_trips(trips: TripColumns, model: ScoringModel, clock: CityClock) -> PredictionColumns:
    """Score in one vectorised call with one model version; never part of a batch, never a mixture of versions."""
    return score_features(trips.trip_id, features_of(trips, clock), model)


def score_features(trip_id: Strings, features: Matrix, model: ScoringModel) -> PredictionColumns:
    """The same for inputs that are made already, so that a second version costs no second making of them."""
    duration = model.duration_seconds(features)
    lower, upper = model.intervals.of(duration)
    return PredictionColumns(trip_id, duration, lower, upper)
