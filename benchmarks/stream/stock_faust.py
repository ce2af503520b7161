"""The stock pattern: a Faust agent that calls a pyfunc model and inserts a row for each event, as tutorials show it.

Started as a Faust worker process by the benchmark; reads its addresses from the environment. It commits each insert (asyncpg's
default) and prints nothing; the benchmark reads the rows.
"""

import os
from datetime import UTC, datetime
from typing import Any

import asyncpg
import faust
import mlflow.pyfunc
import numpy as np

from domain.entities.trips import TIME, TripColumns
from domain.features import CityClock, features_of

TABLES = """
drop table if exists stock_trips, stock_predictions;
create table stock_trips (trip_id text primary key, vendor_id smallint, passenger_count smallint, pickup_at timestamptz,
    pickup_latitude float8, pickup_longitude float8, dropoff_latitude float8, dropoff_longitude float8, dropoff_at timestamptz,
    recorded_at timestamptz default now());
create table stock_predictions (trip_id text primary key, model_version int, duration_seconds real, scored_at timestamptz);
"""

INSERT_TRIP = """insert into stock_trips (trip_id, vendor_id, passenger_count, pickup_at, pickup_latitude, pickup_longitude,
    dropoff_latitude, dropoff_longitude) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing"""

app = faust.App(
    os.environ["BENCH_APP"],
    broker=f"kafka://{os.environ['BENCH_KAFKA']}",
    web_enabled=False,
    datadir=os.environ["TRIPCAST_DATA"],
    topic_partitions=int(os.environ["BENCH_PARTITIONS"]),
    consumer_auto_offset_reset="earliest",
)
topic = app.topic(os.environ["BENCH_TOPIC"], value_type=bytes, value_serializer="json")
predictions = app.topic(os.environ["BENCH_OUTPUT"], value_serializer="json")
state: dict[str, Any] = {}


@app.agent(topic)
async def score(events):
    """One event after the other: decode, features, pyfunc, insert, send."""
    await _open_resources()
    async for event in events:
        if event["type"] == "trip.started.v1":
            await _started(event)
        else:
            await _completed(event)


async def _open_resources() -> None:
    """Once, before the first event."""
    state["model"] = mlflow.pyfunc.load_model(os.environ["BENCH_MODEL"])
    state["clock"] = CityClock()
    state["pool"] = await asyncpg.create_pool(os.environ["BENCH_DATABASE"], min_size=1, max_size=2)
    await state["pool"].execute(TABLES)


async def _completed(event: dict[str, Any]) -> None:
    await state["pool"].execute(
        "update stock_trips set dropoff_at = $2 where trip_id = $1",
        event["trip_id"],
        datetime.fromisoformat(event["dropoff_at"]),
    )


async def _started(event: dict[str, Any]) -> None:
    pickup_at = datetime.fromisoformat(event["pickup_at"])
    features = features_of(_columns(event, pickup_at), state["clock"])
    (output,) = state["model"].predict(features).values()  # the ONNX flavour answers with a dictionary of outputs
    seconds = float(np.ravel(output)[0])
    await state["pool"].execute(
        INSERT_TRIP,
        event["trip_id"],
        event["vendor_id"],
        event["passenger_count"],
        pickup_at,
        *event["pickup"].values(),
        *event["dropoff"].values(),
    )
    await state["pool"].execute(
        "insert into stock_predictions values ($1, 1, $2, $3) on conflict do nothing",
        event["trip_id"],
        seconds,
        datetime.now(UTC),
    )
    await predictions.send(key=event["trip_id"], value={"trip_id": event["trip_id"], "duration_seconds": seconds})


def _columns(event: dict[str, Any], pickup_at: datetime) -> TripColumns:
    return TripColumns(
        np.array([event["trip_id"]], dtype=object),
        np.array([event["vendor_id"]], dtype=np.int16),
        np.array([event["passenger_count"]], dtype=np.int16),
        np.array([int(pickup_at.timestamp() * 1e6)]).astype(TIME),
        np.array([event["pickup"]["latitude"]]),
        np.array([event["pickup"]["longitude"]]),
        np.array([event["dropoff"]["latitude"]]),
        np.array([event["dropoff"]["longitude"]]),
    )


if __name__ == "__main__":
    app.main()
