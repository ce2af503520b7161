"""What is normal for a version: the numbers, and that they survive JSON."""

import json

import numpy as np
import pytest

from domain.areas import OUTSIDE, AreaGrid
from domain.baselines import Baseline, band_of, baseline_of
from domain.city.city import City
from domain.entities.trips import TripColumns
from domain.features import CityClock

CLOCK, GRID = CityClock(), AreaGrid()


@pytest.fixture(scope="module")
def trips() -> TripColumns:
    days = list(City(7, CLOCK).history(4000, np.datetime64("2025-01-06T12", "us"), 14))
    trips = TripColumns.concatenate([day.trips for day in days])
    return trips.take(GRID.of(trips.pickup_latitude, trips.pickup_longitude) != OUTSIDE)


def made(trips: TripColumns, factor: np.ndarray | float = 1.0) -> Baseline:
    predicted = np.full(len(trips), 600, dtype=np.float32)
    rows = np.arange(len(trips))
    return baseline_of(trips, rows, predicted_seconds=predicted, actual_seconds=predicted * factor, grid=GRID, clock=CLOCK)


def test_residuals_are_told_by_hour_band_and_area(trips: TripColumns) -> None:
    band = band_of(CLOCK.local(trips.pickup_at))
    found = made(trips, np.where(band == 3, 1.5, 1.0))
    assert found.band_log_ratio[3] == pytest.approx(np.log(1.5), abs=0.1)  # drawn towards the city's mean
    assert found.band_log_ratio[1] < 0.1
    assert max(map(abs, found.area_log_ratio.values())) < 0.1  # what the band explains is not told again by area


def test_a_rare_area_is_drawn_towards_the_city(trips: TripColumns) -> None:
    area = GRID.of(trips.pickup_latitude, trips.pickup_longitude)
    numbers, counts = np.unique(area, return_counts=True)
    rarest = numbers[counts.argmin()]
    found = made(trips, np.where(area == rarest, 3.0, 1.0))
    assert found.area_log_ratio[int(rarest)] < np.log(3.0) / 2


def test_a_baseline_survives_json(trips: TripColumns) -> None:
    found = made(trips, 1.1)
    assert Baseline.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_shares_are_those_of_the_training_trips(trips: TripColumns) -> None:
    found = made(trips)
    assert sum(found.area_share.values()) == pytest.approx(1)
    assert sum(found.hour_share) == pytest.approx(1)
    assert found.no_passengers_share == pytest.approx(float((trips.passenger_count == 0).mean()))


def test_cells_are_named_by_their_centre() -> None:
    latitude, longitude = np.array([40.76, 40.5, 41.0, 40.2]), np.array([-73.98, -74.3, -73.7, -73.98])
    cells = GRID.of(latitude, longitude)
    assert GRID.name(int(cells[0])) == "40.775,-73.975"
    assert cells[1] == 0
    assert cells[3] == OUTSIDE
    assert GRID.name(OUTSIDE) == "outside"
    south, west = map(float, GRID.name(int(cells[0])).split(","))
    assert GRID.of(np.array([south]), np.array([west]))[0] == cells[0]
