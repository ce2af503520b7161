"""The gates of labels: poisoned ones are refused with the right reason, honest ones pass, also after the city has changed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.areas import AreaGrid
from domain.city.city import City as SimulatedCity
from domain.data_gates import City, Evidence, data_gates
from domain.entities.trips import TIME, CompletionColumns, Floats, TripColumns
from domain.features import CityClock
from domain.gates import GateLimits, refusal
from domain.quality import ServiceArea

CLOCK = CityClock()
CITY = City(AreaGrid(), CLOCK)
UNTIL = np.datetime64("2026-03-01T05:00:00", "us")
DAYS = 40
FRESH_DAYS = 10
DAY = np.timedelta64(86_400_000_000, "us")
SECOND = np.timedelta64(1_000_000, "us")
DATA = Path(__file__).parents[3] / "shared" / "data"
Poison = Callable[[Floats, np.random.Generator], Floats]


@cache
def history() -> tuple[TripColumns, CompletionColumns]:
    """Forty days of the simulated city, all of them ended, as the worker would have stored them."""
    days = list(SimulatedCity(11, CLOCK).history(16_000, UNTIL - DAY, DAYS))
    trips = TripColumns.concatenate([day.trips for day in days])
    completions = CompletionColumns.concatenate([day.completions for day in days])
    area = ServiceArea()
    kept = area.contains(trips.pickup_latitude, trips.pickup_longitude)
    kept &= area.contains(trips.dropoff_latitude, trips.dropoff_longitude)
    return trips.take(kept), completions.take(kept)


def evidence(poison: Poison | None = None) -> Evidence:
    """The history as of a day after it, with the labels of the newest ten days changed."""
    trips, completions = history()
    seconds = completions.duration_seconds
    fresh = trips.pickup_at >= UNTIL - DAY - FRESH_DAYS * DAY
    if poison is not None:
        seconds[fresh] = poison(seconds[fresh], np.random.default_rng(5))
    completions, known_until = ended(trips, seconds), trips.pickup_at[~fresh].max()
    there = completions.dropoff_at < UNTIL
    return Evidence(trips.take(there), completions.take(there), as_of=UNTIL, known_until=known_until)


def is_fresh(given: Evidence) -> NDArray[np.bool_]:
    return np.asarray(given.trips.pickup_at >= UNTIL - DAY - FRESH_DAYS * DAY)


def ended(trips: TripColumns, seconds: Floats) -> CompletionColumns:
    dropoff_at = trips.pickup_at + np.rint(seconds).astype("timedelta64[s]")
    return CompletionColumns(trips.trip_id, trips.pickup_at, dropoff_at.astype(TIME))


def refused(given: Evidence) -> str | None:
    return refusal(data_gates(given, GateLimits(), CITY))


def upside_down(seconds: Floats, rng: np.random.Generator) -> Floats:
    """The longest trip gets the shortest label, and so on."""
    order = np.argsort(seconds)
    turned = np.empty_like(seconds)
    turned[order] = seconds[order[::-1]]
    return turned


def test_honest_trips_pass_every_gate() -> None:
    results = data_gates(evidence(), GateLimits(), CITY)
    assert [result.gate for result in results if not result.passed] == []
    assert len(results) == 11
    assert all(result.reason for result in results)


@pytest.mark.parametrize("factor", [0.6, 0.7, 1.25, 1.5])
def test_a_city_that_has_become_faster_or_slower_passes(factor: float) -> None:
    assert refused(evidence(lambda seconds, _: seconds * factor)) is None


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (upside_down, "order of labels: the rank correlation of duration and distance is -"),
        (lambda seconds, rng: rng.permutation(seconds), "order of labels"),
        (lambda seconds, _: seconds * 2, "speed of labels"),
        (lambda seconds, _: seconds * 0.5, "speed of labels"),
        (lambda seconds, _: seconds * 60, "durations"),
        (lambda seconds, _: seconds / 60, "durations"),
        (lambda seconds, _: np.full_like(seconds, 600.0), "order of labels"),
        (lambda seconds, _: np.full_like(seconds, 86_400.0), "durations"),
    ],
    ids=["flipped", "permuted", "doubled", "halved", "x60", "/60", "constant", "24 h"],
)
def test_poisoned_labels_are_refused_with_their_reason(poison: Poison, reason: str) -> None:
    said = refused(evidence(poison))
    assert said is not None
    assert said.startswith(reason), said


@pytest.mark.parametrize("limits", [GateLimits(least_speed_kmh=50.0), GateLimits(most_speed_kmh=5.0)], ids=["slow", "fast"])
def test_labels_that_mean_a_speed_no_city_has_are_refused_though_all_of_them_do(limits: GateLimits) -> None:
    said = refusal(data_gates(evidence(), limits, CITY))
    assert said is not None
    assert said.startswith("speed of labels: the newest labels mean"), said


@pytest.mark.parametrize("poison", [upside_down, lambda seconds, _: seconds * 2], ids=["flipped", "doubled"])
def test_poison_of_one_week_is_not_hidden_by_a_long_good_history(poison: Poison) -> None:
    """Nothing is known of a break, and the champion is old: what counts as newest is bounded."""
    assert refused(replace(evidence(poison), known_until=UNTIL - 300 * DAY)) is not None


def test_labels_of_which_a_part_was_permuted_have_lost_too_much_of_their_order() -> None:
    """They are still in better order than nonsense: what tells is the order that they had before."""

    def partly(seconds: Floats, rng: np.random.Generator) -> Floats:
        rows = np.flatnonzero(rng.random(len(seconds)) < 0.4)
        return np.where(np.isin(np.arange(len(seconds)), rows), rng.permutation(seconds), seconds)

    result = next(each for each in data_gates(evidence(partly), GateLimits(), CITY) if each.gate == "order of labels")
    assert not result.passed
    assert result.numbers["order"] > GateLimits().least_order


def test_a_few_days_in_another_unit_are_seen_among_the_newest_labels() -> None:
    """They are a twentieth of all trips, and a fifth of the newest."""

    def lately(seconds: Floats, _: np.random.Generator) -> Floats:
        return np.where(np.arange(len(seconds)) >= 0.8 * len(seconds), np.minimum(seconds * 60, 80_000), seconds)

    given = replace(evidence(lately), as_of=None)
    assert (given.completions.duration_seconds <= 7200).mean() > 0.9
    said = refused(given)
    assert said is not None
    assert said.startswith("durations"), said


def test_a_flood_from_one_area_is_refused() -> None:
    given = evidence()
    fresh = np.flatnonzero(is_fresh(given))
    flood = np.random.default_rng(2).choice(fresh, len(fresh) // 2, replace=False)
    for name, at in (("pickup_latitude", 40.66), ("pickup_longitude", -73.78)):
        column = getattr(given.trips, name).copy()
        column[flood] = at
        given = replace(given, trips=replace(given.trips, **{name: column}))
    km_after = 0.03  # the flood's labels fit its distances, so that nothing else gives it away
    distance = np.hypot(given.trips.pickup_latitude - given.trips.dropoff_latitude, given.trips.pickup_longitude + 73.8)
    seconds = given.completions.duration_seconds
    seconds[flood] = np.clip(distance[flood] / km_after * 600 + 120, 60, 7000)
    given = replace(given, completions=ended(given.trips, seconds), as_of=UNTIL)
    results = {result.gate: result for result in data_gates(given, GateLimits(), CITY)}
    assert not results["areas"].passed
    assert results["areas"].numbers["growth"] > 0.3
    assert "of the newest trips" in results["areas"].reason


def test_a_vendor_that_suddenly_sends_nearly_everything_is_refused() -> None:
    given = evidence()
    vendor = given.trips.vendor_id.copy()
    vendor[is_fresh(given)] = 1
    said = refused(replace(given, trips=replace(given.trips, vendor_id=vendor)))
    assert said is not None
    assert said.startswith("vendors: vendor 1 has 100%")


def test_stale_labels_are_refused() -> None:
    said = refused(replace(evidence(), as_of=UNTIL + 3 * DAY))
    assert said is not None
    assert said.startswith("newest label")


def test_too_few_trips_are_refused_before_anything_is_computed_of_them() -> None:
    given = evidence()
    few = np.arange(999)
    results = data_gates(Evidence(given.trips.take(few), given.completions.take(few), UNTIL), GateLimits(), CITY)
    assert [(result.gate, result.passed) for result in results] == [("rows", False)]
    nothing = np.arange(0)
    assert not data_gates(Evidence(given.trips.take(nothing), given.completions.take(nothing)), GateLimits(), CITY)[0].passed


def test_too_few_trips_since_the_break_are_refused() -> None:
    given = evidence()
    said = refused(replace(given, since_break=np.sort(given.trips.pickup_at)[-150]))
    assert said is not None
    assert said.startswith("rows since the break: 150 completed trips")


def test_a_burst_of_a_few_hours_is_refused() -> None:
    given = evidence()
    burst = given.trips.pickup_at - given.trips.pickup_at.min() < 3 * DAY
    squeezed = given.trips.take(burst)
    pickup_at = UNTIL - 3 * DAY / 4 + (squeezed.pickup_at - squeezed.pickup_at.min()) / 6
    squeezed = replace(squeezed, pickup_at=pickup_at.astype(TIME))
    said = refused(Evidence(squeezed, ended(squeezed, given.completions.duration_seconds[burst]), UNTIL))
    assert said is not None
    assert said.startswith("time span")


def test_a_label_from_the_future_is_refused() -> None:
    given = evidence()
    completions = given.completions
    completions.dropoff_at[7] = UNTIL + SECOND
    said = refused(replace(given, completions=completions))
    assert said == "no future: 1 labels are later than the moment of asking"


def test_labels_of_cohorts_that_are_not_mature_are_refused() -> None:
    """Of the newest pickups only the short trips have ended; they would teach that trips have become short."""
    given = evidence()
    as_of = np.sort(given.trips.pickup_at)[-20]
    there = given.completions.dropoff_at <= as_of
    said = refused(Evidence(given.trips.take(there), given.completions.take(there), as_of))
    assert said is not None
    assert said.startswith("mature labels")


def monthly(*months: str) -> tuple[TripColumns, CompletionColumns]:
    from adapters.files.trip_files import open_trip_file
    from adapters.files.zones import read_zones
    from domain.quality import TripRules

    zones, parts = read_zones(DATA / "taxi_zones.csv"), []
    for month in months:
        file = open_trip_file(DATA / f"yellow_tripdata_{month}.parquet", CLOCK, TripRules(), zones)
        parts += list(file.batches(datetime(2021, 1, 1, tzinfo=UTC)))
    trips = TripColumns.concatenate([part.trips for part in parts])
    completions = CompletionColumns.concatenate([part.completions for part in parts])
    there = trips.pickup_at >= np.datetime64("2019-01-01")
    return trips.take(there), completions.take(there)


BREAK = np.datetime64("2020-03-16T04:00:00", "us")
AS_OF = np.datetime64("2020-04-10T12:00:00", "us")
real = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real trips are not at {DATA}")


@cache
def spring_2020() -> Evidence:
    """The largest change that this city has seen, four weeks on."""
    trips, completions = monthly("2020-01", "2020-02", "2020-03", "2020-04")
    ripe = (trips.pickup_at < AS_OF - np.timedelta64(2, "h")) & (completions.dropoff_at < AS_OF)
    return Evidence(trips.take(ripe), completions.take(ripe), AS_OF, BREAK)


@pytest.mark.data
@real
def test_an_honest_request_of_spring_2020_passes() -> None:
    assert refused(spring_2020()) is None
    assert refused(replace(spring_2020(), since_break=None)) is None


@pytest.mark.data
@real
@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (upside_down, "order of labels"),
        (lambda seconds, rng: rng.permutation(seconds), "order of labels"),
        (lambda seconds, _: seconds * 0.5, "speed of labels"),
        (lambda seconds, _: seconds * 60, "durations"),
    ],
    ids=["flipped", "permuted", "halved", "x60"],
)
def test_poison_after_the_break_of_2020_is_refused(poison: Poison, reason: str) -> None:
    given = spring_2020()
    seconds = given.completions.duration_seconds
    fresh = given.trips.pickup_at >= BREAK
    seconds[fresh] = poison(seconds[fresh], np.random.default_rng(5))
    said = refused(replace(given, completions=ended(given.trips, seconds), as_of=None))
    assert said is not None
    assert said.startswith(reason), said
