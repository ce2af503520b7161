"""Request and answer of a prediction: the fields of `trip.started` without the id."""

from typing import Annotated

import msgspec

from schemas.http.base import Answer, Instant, Point, Small

Seconds = Annotated[float, msgspec.Meta(description="Seconds.")]


class PredictionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A trip as it is known at its pickup."""

    vendor_id: Small
    passenger_count: Small
    pickup_at: Instant
    pickup: Point
    dropoff: Point


class BatchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Several trips; all of them are predicted, or none."""

    trips: Annotated[list[PredictionRequest], msgspec.Meta(min_length=1, max_length=10_000)]


class Interval(Answer, frozen=True):
    """Where the duration lies with the nominal probability `coverage`."""

    lower_seconds: Seconds
    upper_seconds: Seconds
    coverage: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.9


class ModelName(Answer, frozen=True):
    """The registered model version that answered."""

    name: str
    kind: Annotated[str, msgspec.Meta(description="Name of the candidate, for example xgboost.")]
    version: int
    run_id: Annotated[str, msgspec.Meta(description="The MLflow run that made it.")]


class PredictedTrip(Answer, frozen=True):
    """How long one trip will take."""

    prediction_id: Annotated[str, msgspec.Meta(description="A UUID; the key of its row in served_predictions.")]
    duration_seconds: Seconds
    duration_minutes: float
    interval: Interval


class Prediction(PredictedTrip, frozen=True):
    """The answer to a prediction request."""

    model: ModelName


class BatchPrediction(Answer, frozen=True):
    """The answers to a batch, in the order of its trips, all of one model version."""

    model: ModelName
    predictions: list[PredictedTrip]
