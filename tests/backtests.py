"""Simulated weeks for tests of the closed loop over history: a champion trained before them, and what may befall them."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

from adapters.onnx.model import Graph
from adapters.river.detectors import RiverDetector
from batch.backtest import Backtest, Event, Version
from batch.backtest_courses import Stage
from batch.backtest_span import straight
from batch.backtest_trainer import TrainOnHistory
from batch.build import BuildModel
from batch.candidates.xgboost import CANDIDATE
from domain.areas import AreaGrid
from domain.city.city import DAY, HOUR, City
from domain.city.geography import areas_named
from domain.entities.trips import CompletionColumns, Times, TripColumns
from domain.features import CityClock
from domain.policy import Policy
from domain.quality import ServiceArea, TripRules

CLOCK = CityClock()
START = np.datetime64("2025-01-06T12:00:00", "us")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HISTORY_DAYS = 28
TRIPS_PER_DAY = 1500
SMALL = replace(CANDIDATE, trees=60, learning_rate=0.15, least_leaf_weight=1000.0)


class Weeks:
    """Trips with their ends and areas, the history before START included; changed in place by what befalls them."""

    def __init__(self, days: int, seed: int = 7, trips_per_day: int = TRIPS_PER_DAY) -> None:
        trips, dropoff_at, area = city(days, seed, trips_per_day)
        self.trips, self.dropoff_at, self.area = trips, dropoff_at.copy(), area
        self.days, self.seed, self.trips_per_day = days, seed, trips_per_day

    def slow_down(
        self, factor: float, since: np.datetime64, until: np.datetime64 | None = None, area: str | None = None
    ) -> None:
        """Trips that begin in that span take longer by that factor."""
        hit = (self.trips.pickup_at >= since) & (self.trips.pickup_at < (START + self.days * DAY if until is None else until))
        if area is not None:
            hit &= np.isin(self.area, areas_named(area))
        seconds = (self.dropoff_at - self.trips.pickup_at).astype(np.int64) * np.where(hit, factor, 1.0)
        self.dropoff_at = self.trips.pickup_at + seconds.astype("timedelta64[us]")

    def miles(self, since: np.datetime64) -> None:
        """From then on ends lie as far from starts as if miles were taken for kilometres; trips take as long as ever."""
        hit, trips = self.trips.pickup_at >= since, self.trips
        share = np.where(hit, 0.6214, 1.0)
        latitude = trips.pickup_latitude + (trips.dropoff_latitude - trips.pickup_latitude) * share
        longitude = trips.pickup_longitude + (trips.dropoff_longitude - trips.pickup_longitude) * share
        self.trips = replace(trips, dropoff_latitude=latitude, dropoff_longitude=longitude)

    def no_passengers(self, since: np.datetime64) -> None:
        """From then on nobody states how many passengers there are."""
        count = np.where(self.trips.pickup_at >= since, 0, self.trips.passenger_count)
        self.trips = replace(self.trips, passenger_count=count.astype(np.int16))

    def cells_of(self, area: str) -> NDArray[np.int16]:
        """Of the trips that begin in that part of the city."""
        inside = np.isin(self.area, areas_named(area))
        return AreaGrid().of(self.trips.pickup_latitude[inside], self.trips.pickup_longitude[inside])

    def bias(self, predicted: NDArray[np.float32], since: np.datetime64, until: np.datetime64) -> float:
        """Mean ln(actual / predicted) of the trips that began in that span."""
        inside = (self.trips.pickup_at >= since) & (self.trips.pickup_at < until)
        seconds = (self.dropoff_at - self.trips.pickup_at) / np.timedelta64(1, "s")
        return float(np.mean(np.log(seconds[inside] / predicted[inside])))

    def stage(self) -> Stage:
        """For courses over all days."""
        completions = CompletionColumns(self.trips.trip_id, self.trips.pickup_at, self.dropoff_at)
        return Stage(self.trips, completions, CLOCK, START, START + self.days * DAY)

    def backtest(self, policy: Policy | None = None) -> tuple[Backtest, Version]:
        """Ready to be lived through, and the champion to begin with, who learnt from what was before START."""
        completions = CompletionColumns(self.trips.trip_id, self.trips.pickup_at, self.dropoff_at)
        policy, grid = policy or Policy(), AreaGrid()
        made, first = champion(self.days, self.seed, self.trips_per_day)
        train = replace(
            made, build=builder(policy), trips=self.trips, completions=completions, _known_until={**made._known_until}
        )
        return Backtest(policy, RiverDetector, train, grid, CLOCK, trips=self.trips, completions=completions), first

    def lived(self, policy: Policy | None = None, until_kind: str | None = None) -> list[Event]:
        """What happened, up to the first event of that kind."""
        backtest, first = self.backtest(policy)
        for _ in backtest.run(first, START, START + self.days * DAY):
            if until_kind is not None and any(event.kind == until_kind for event in backtest.events):
                break
        return backtest.events

    def labels(self, since: np.datetime64, minute: int) -> int:
        """How many trips that began since then had been labelled and were mature at that minute."""
        until = np.datetime64(minute - 120, "m")
        return int(((self.trips.pickup_at >= since) & (self.trips.pickup_at < until)).sum())


def builder(policy: Policy) -> BuildModel:
    """How models are built here: small ones."""
    return BuildModel(
        [SMALL], Graph.open, ServiceArea(), CLOCK, policy.gates, 1, progress=lambda _: None, microseconds=lambda *_: 10.0
    )


@cache
def city(days: int, seed: int, trips_per_day: int) -> tuple[TripColumns, Times, NDArray[np.intp]]:
    """History and so many days after it: good trips in order, their ends and areas."""
    length = HISTORY_DAYS + days
    parts = list(City(seed, CLOCK).history(trips_per_day * length, START + days * DAY, length))
    trips = TripColumns.concatenate([part.trips for part in parts])
    completions = CompletionColumns.concatenate([part.completions for part in parts])
    refused = TripRules().judge_whole(trips, completions, NOW)
    good = np.flatnonzero([reason is None for reason in refused])
    rows = good[straight(trips.take(good), CLOCK)]
    return trips.take(rows), completions.dropoff_at[rows], np.concatenate([part.area for part in parts])[rows]


@cache
def champion(days: int, seed: int, trips_per_day: int) -> tuple[TrainOnHistory, Version]:
    """The first version, and the training that goes on from it."""
    trips, dropoff_at, _ = city(days, seed, trips_per_day)
    train = TrainOnHistory(builder(Policy()), trips, CompletionColumns(trips.trip_id, trips.pickup_at, dropoff_at))
    return train, train.first(START)


def kinds(events: list[Event], kind: str) -> list[Event]:
    """The events of one kind."""
    return [event for event in events if event.kind == kind]


__all__ = ["DAY", "HOUR", "START", "Weeks", "kinds"]
