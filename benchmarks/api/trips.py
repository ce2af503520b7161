"""The trips that both sides are asked about, as each side's HTTP requests; distinct ones, so that nobody's cache helps."""

import json
from datetime import UTC
from typing import Any

import msgspec

from benchmarks.stream.events import city_trips
from domain.entities.trips import TripColumns
from domain.features import CityClock, features_of
from schemas.events import Point
from schemas.http.predictions import BatchRequest, PredictionRequest

COLUMNS = (
    "vendor_id",
    "passenger_count",
    "pickup_at",
    "pickup_latitude",
    "pickup_longitude",
    "dropoff_latitude",
    "dropoff_longitude",
)


def distinct_trips(count: int, seed: int) -> TripColumns:
    """Exactly so many valid trips of the simulated city."""
    trips, _ = city_trips(count + count // 5, seed)
    if len(trips) < count:
        raise RuntimeError(f"the city made {len(trips)} valid trips instead of {count}")
    return trips.take(slice(count))


def for_our_api(trips: TripColumns) -> list[PredictionRequest]:
    """What `POST /predict` takes."""
    return [
        PredictionRequest(vendor, passengers, at, Point(a_latitude, a_longitude), Point(b_latitude, b_longitude))
        for vendor, passengers, at, a_latitude, a_longitude, b_latitude, b_longitude in _rows(trips)
    ]


def posts_to_our_api(trips: TripColumns) -> list[bytes]:
    """One request to `/predict` for each trip."""
    return [post("/predict", msgspec.json.encode(trip)) for trip in for_our_api(trips)]


def batches_to_our_api(trips: TripColumns, size: int) -> list[bytes]:
    """Requests to `/predict/batch` of `size` trips each."""
    asked = for_our_api(trips)
    starts = range(0, len(asked) - size + 1, size)
    return [post("/predict/batch", msgspec.json.encode(BatchRequest(asked[start : start + size]))) for start in starts]


def posts_to_mlflow(trips: TripColumns) -> list[bytes]:
    """One request to MLflow's `/invocations` for each trip: the same raw fields, as the row of a data frame."""
    rows = ([*row[:2], row[2].isoformat(), *row[3:]] for row in _rows(trips))
    return [post("/invocations", json.dumps({"dataframe_split": {"columns": COLUMNS, "data": [row]}}).encode()) for row in rows]


def posts_to_mlserver(trips: TripColumns) -> list[bytes]:
    """One request of the Open Inference Protocol for each trip: what MLServer batches."""
    kinds = ("INT64", "INT64", "BYTES", "FP64", "FP64", "FP64", "FP64")

    def field(name: str, kind: str, value: Any) -> dict[str, Any]:
        text = {"parameters": {"content_type": "str"}} if kind == "BYTES" else {}
        return {"name": name, "shape": [1], "datatype": kind, "data": [value], **text}

    bodies = (
        {
            "parameters": {"content_type": "pd"},
            "inputs": [*map(field, COLUMNS, kinds, [*row[:2], row[2].isoformat(), *row[3:]])],
        }
        for row in _rows(trips)
    )
    return [post("/v2/models/trip/infer", json.dumps(body).encode()) for body in bodies]


def posts_to_bentoml(trips: TripColumns) -> list[bytes]:
    """One request to the service's `predict` for each trip."""
    rows = ({"trips": [dict(zip(COLUMNS, [*row[:2], row[2].isoformat(), *row[3:]], strict=True))]} for row in _rows(trips))
    return [post("/predict", json.dumps(row).encode()) for row in rows]


def features_to_mlflow(trips: TripColumns) -> list[bytes]:
    """One request to `/invocations` for each trip, with the features made here: what the registered graph itself takes."""
    return [
        post("/invocations", json.dumps({"inputs": {"features": [row]}}).encode())
        for row in features_of(trips, CityClock()).tolist()
    ]


def post(path: str, body: bytes) -> bytes:
    """A whole HTTP/1.1 request on a connection that stays open."""
    head = f"POST {path} HTTP/1.1\r\nHost: benchmark\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _rows(trips: TripColumns) -> list[tuple[Any, ...]]:
    instants = [at.replace(tzinfo=UTC) for at in trips.pickup_at.tolist()]
    return list(
        zip(
            trips.vendor_id.tolist(),
            trips.passenger_count.tolist(),
            instants,
            trips.pickup_latitude.tolist(),
            trips.pickup_longitude.tolist(),
            trips.dropoff_latitude.tolist(),
            trips.dropoff_longitude.tolist(),
            strict=True,
        )
    )
