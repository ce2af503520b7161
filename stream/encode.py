"""Committed predictions to bytes: the one place that makes them, so that a repeat after a crash has the same bytes."""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import numpy as np

from domain.entities.predictions import PredictionColumns
from domain.entities.streams import BatchReceipt, CommittedPredictions, EventBatch
from domain.entities.trips import TIME
from schemas.events import TripPredicted

_encode = msgspec.json.Encoder().encode


class Encoded(NamedTuple):
    """Keys and values of one length, in record order per partition; so are traces, unless no record has one."""

    keys: list[bytes]
    values: list[bytes]
    traceparents: list[str | None] | None


def encode(committed: CommittedPredictions) -> Encoded:
    """Keys, values and traces for `trip-predictions`."""
    predictions, records = committed.predictions, committed.records
    scored_at = [moment.replace(tzinfo=UTC) for moment in committed.scored_at.astype(TIME).tolist()]
    rows = zip(
        predictions.trip_id.tolist(),
        predictions.duration_seconds.tolist(),
        predictions.lower_seconds.tolist(),
        predictions.upper_seconds.tolist(),
        committed.model_version.tolist(),
        committed.feature_schema.tolist(),
        scored_at,
        records.partition.tolist(),
        records.offset.tolist(),
        strict=True,
    )
    traces: list[str | None] = committed.traceparent.tolist()
    keys, values = [trip_id.encode() for trip_id in predictions.trip_id], [_encode(TripPredicted(*row)) for row in rows]
    return Encoded(keys, values, traces if any(traces) else None)


def committed_by(batch: EventBatch, receipt: BatchReceipt) -> CommittedPredictions:
    """What the transaction of this batch made true: the predictions of the trips that it stored."""
    predictions: PredictionColumns = batch.predictions.take(receipt.stored)
    count = len(predictions)
    return CommittedPredictions(
        predictions,
        batch.started_records.take(receipt.stored),
        np.full(count, batch.stamp.version, dtype=np.int32),
        np.full(count, batch.stamp.feature_schema, dtype=object),
        np.full(count, _utc(batch.scored_at), dtype=TIME),
        batch.envelopes.traceparent[receipt.stored] if batch.envelopes else np.full(count, None, dtype=object),
    )


def _utc(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
