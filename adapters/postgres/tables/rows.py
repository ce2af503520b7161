"""How columns of the domain become rows of the three tables of history, by binary COPY."""

from dataclasses import dataclass, fields
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from adapters.postgres.connection.pool import Connection
from adapters.postgres.tables.binary_copy import Column, encode, on_the_wire
from domain.entities.predictions import PredictionColumns
from domain.entities.streams import Envelopes, ModelStamp
from domain.entities.trips import CompletionColumns, RecordColumns, Times, TripColumns

TRIP_COLUMNS = tuple(field.name for field in fields(TripColumns))  # the tables use the domain's names
COMPLETION_COLUMNS = tuple(field.name for field in fields(CompletionColumns))
PREDICTION_COLUMNS = tuple(field.name for field in fields(PredictionColumns))
STAMP_COLUMNS = ("model_version", "feature_schema", "role", "scored_at")
ENVELOPE_COLUMNS = tuple(field.name for field in fields(Envelopes))
RECORD_COLUMNS = ("source_id", "partition", "record_offset")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows on their way into a table: column names, and their binary COPY."""

    columns: tuple[str, ...]
    content: memoryview

    async def copy_into(self, connection: Connection, table: str) -> None:
        """Insert all of them, or raise asyncpg's UniqueViolationError."""
        # asyncpg sends any buffer as it is; its stubs do not say so
        await connection.copy_to_table(table, source=self.content, columns=self.columns, format="binary")  # type: ignore[arg-type]


def trip_rows(
    trips: TripColumns,
    source_id: int | None = None,
    records: RecordColumns | None = None,
    envelopes: Envelopes | None = None,
) -> Rows:
    """Started trips with their records and envelopes, or without when they came from a file."""
    names, origin = _origin(source_id, records)
    if envelopes is None:
        return _rows(TRIP_COLUMNS + names, trips, *origin)
    if not any(envelopes.traceparent.tolist()):  # a column less to send, for nearly all batches
        return _rows((*TRIP_COLUMNS, *names, "published_at"), trips, *origin, envelopes.published_at)
    return _rows((*TRIP_COLUMNS, *names, *ENVELOPE_COLUMNS), trips, *origin, envelopes.published_at, envelopes.traceparent)


def completion_rows(
    completions: CompletionColumns,
    early: NDArray[np.bool_],
    source_id: int | None = None,
    records: RecordColumns | None = None,
) -> Rows:
    """Completions with their records, or without when they came from a file. `early` has shape (n,)."""
    names, origin = _origin(source_id, records)
    return _rows((*COMPLETION_COLUMNS, "early", *names), completions, early, *origin)


def prediction_rows(
    predictions: PredictionColumns,
    stamp: ModelStamp,
    scored_at: datetime,
    source_id: int,
    records: RecordColumns,
    *,
    pickups: Times,
) -> Rows:
    """Predictions of one model version, with the pickups and the records of their trips."""
    names, origin = _origin(source_id, records)
    model = (
        on_the_wire(np.int32(stamp.version)),
        stamp.feature_schema.encode(),
        stamp.role.encode(),
        on_the_wire(scored_at),
    )
    return _rows((*PREDICTION_COLUMNS, *STAMP_COLUMNS, *names, "pickup_at"), predictions, *model, *origin, pickups)


def _origin(source_id: int | None, records: RecordColumns | None) -> tuple[tuple[str, ...], tuple[Column, ...]]:
    if source_id is None or records is None:
        return (), ()
    return RECORD_COLUMNS, (on_the_wire(np.int16(source_id)), records.partition, records.offset)


def _rows(names: tuple[str, ...], columns: TripColumns | CompletionColumns | PredictionColumns, *more: Column) -> Rows:
    """The first field of our column batches is the trip id, the others are fixed in width."""
    trip_ids, *others = (getattr(columns, field.name) for field in fields(columns))
    return Rows(names, encode(trip_ids.tolist(), *others, *more))
