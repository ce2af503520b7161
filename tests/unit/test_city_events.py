"""Each knob of the simulated city does what it says, and nothing else."""

import msgspec
import numpy as np
import pytest

from cli.sources.bootstrap import JsonEvents
from cli.sources.city_events import CityEvents, DueEvent, Kind
from cli.sources.knobs import ControlFile, Knobs, TurnedKnobs
from cli.sources.poison import poisoned
from domain.city.city import City
from domain.city.geography import areas_named
from domain.errors import InvalidInput
from domain.features import CityClock
from schemas.events import TripEvent, TripStarted
from schemas.topics import MAX_EVENT_BYTES

START = np.datetime64("2025-01-06T12:00:00", "us")
MADE = City(7, CityClock()).minute(START, 20.0)
decode = msgspec.json.Decoder(TripEvent).decode


def events(**knobs: object) -> list[DueEvent]:
    return CityEvents(JsonEvents()).of(MADE, TurnedKnobs(Knobs.checked(knobs), START))


def of_kind(found: list[DueEvent], kind: Kind) -> dict[bytes, DueEvent]:
    return {event.key: event for event in found if event.kind is kind}


def started(found: list[DueEvent]) -> dict[bytes, TripStarted]:
    return {key: decode(event.value) for key, event in of_kind(found, Kind.STARTED).items()}


def seconds(found: list[DueEvent]) -> dict[bytes, float]:
    completions = {key: decode(event.value) for key, event in of_kind(found, Kind.COMPLETED).items()}
    return {key: (end.dropoff_at - end.pickup_at).total_seconds() for key, end in completions.items()}


PLAIN = events()


def test_without_knobs_every_trip_starts_and_ends_on_time():
    assert len(PLAIN) == 2 * len(MADE.trips)
    for event in PLAIN:
        trip = decode(event.value)
        at = trip.pickup_at if isinstance(trip, TripStarted) else trip.dropoff_at
        assert event.due_us == round(at.timestamp() * 1_000_000)
        assert event.key.decode() == trip.trip_id


def test_a_slowdown_stretches_durations_and_nothing_else():
    slow = events(slowdown=1.5)

    assert started(slow) == started(PLAIN)
    for key, usual in seconds(PLAIN).items():
        assert seconds(slow)[key] == pytest.approx(1.5 * usual, abs=0.51)


def test_a_slowdown_of_an_area_concerns_pickups_there():
    slow, usual = seconds(events(slowdown=2.0, slowdown_area="manhattan")), seconds(PLAIN)
    inside = areas_named("manhattan")[MADE.area]

    assert 0 < inside.sum() < len(inside)
    for trip_id, concerned in zip(MADE.trips.trip_id, inside, strict=True):
        key = trip_id.encode()
        assert slow[key] == (2 * usual[key] if concerned else usual[key])


def test_a_slowdown_begins_when_it_was_told_to():
    slow, usual = seconds(events(slowdown=2.0, slowdown_after=0.5)), seconds(PLAIN)
    half = START + np.timedelta64(30, "s")

    for trip_id, pickup_at in zip(MADE.trips.trip_id, MADE.trips.pickup_at, strict=True):
        key = trip_id.encode()
        assert slow[key] == (2 * usual[key] if pickup_at >= half else usual[key])


def test_a_wrong_unit_writes_minutes_of_arc_as_decimals():
    key, trip = next(iter(started(PLAIN).items()))
    wrong = started(events(fault="unit"))[key]

    whole = int(trip.pickup.latitude)
    assert wrong.pickup.latitude == pytest.approx(whole + (trip.pickup.latitude - whole) * 60 / 100, abs=1e-6)
    assert seconds(events(fault="unit")) == seconds(PLAIN)


def test_a_missing_field_is_absent_or_zero():
    values = [msgspec.json.decode(event.value) for event in of_kind(events(fault="missing-field"), Kind.STARTED).values()]

    assert {value.get("passenger_count") for value in values} == {None, 0}
    assert 0.3 < np.mean(["passenger_count" in value for value in values]) < 0.7


def test_a_wrong_clock_is_an_hour_behind_at_both_ends():
    key, trip = next(iter(started(PLAIN).items()))
    wrong = events(fault="clock")
    completed = decode(of_kind(wrong, Kind.COMPLETED)[key].value)

    assert completed.pickup_at == started(wrong)[key].pickup_at
    assert (trip.pickup_at - started(wrong)[key].pickup_at).total_seconds() == 3600
    assert seconds(wrong) == seconds(PLAIN)
    assert [event.due_us for event in wrong] == [event.due_us for event in PLAIN]


@pytest.mark.parametrize("fault", ["unit", "clock"])
def test_a_fault_concerns_its_share_from_its_moment_on(fault: str):
    usual, wrong = started(PLAIN), started(events(fault=fault, fault_share=0.3, fault_after=0.5))
    different = {key for key in usual if usual[key] != wrong[key]}
    half = START + np.timedelta64(30, "s")

    late = [trip_id.encode() for trip_id, at in zip(MADE.trips.trip_id, MADE.trips.pickup_at, strict=True) if at >= half]
    assert different <= set(late)
    assert 0.2 < len(different) / len(late) < 0.4


def test_duplicates_are_the_same_bytes_a_little_later():
    found = events(duplicates=0.1)
    originals = {(event.key, event.value): event.due_us for event in found if event.kind is not Kind.REPEAT}
    repeats = [event for event in found if event.kind is Kind.REPEAT]

    assert 0.06 < len(repeats) / len(originals) < 0.14
    assert all(event.due_us - originals[event.key, event.value] == 5_000_000 for event in repeats)


def test_late_completions_come_half_an_hour_to_three_hours_late():
    usual, late = of_kind(PLAIN, Kind.COMPLETED), of_kind(events(late=0.2), Kind.COMPLETED)
    minutes = np.array([(late[key].due_us - usual[key].due_us) / 60e6 for key in usual])

    assert all(late[key].value == usual[key].value for key in usual)
    assert 0.14 < (minutes > 0).mean() < 0.26
    assert minutes[minutes > 0].min() >= 30
    assert minutes.max() <= 180


def test_missing_completions_never_come():
    found = events(missing=0.2)

    assert 0.74 < len(of_kind(found, Kind.COMPLETED)) / len(MADE.trips) < 0.86
    assert len(of_kind(found, Kind.STARTED)) == len(MADE.trips)


def test_poison_comes_on_top_and_cannot_be_taken_for_a_trip():
    found = events(poison=0.2)
    poison = [event for event in found if event.kind is Kind.POISON]

    assert [event for event in found if event.kind is not Kind.POISON] == PLAIN
    assert 0.14 < len(poison) / len(MADE.trips) < 0.26
    for event in poison:
        assert not is_good(event.key, event.value)


def is_good(key: bytes, value: bytes) -> bool:
    try:
        return len(value) <= MAX_EVENT_BYTES and decode(value).trip_id.encode() == key
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def test_there_are_ten_kinds_of_poison_and_none_spoils_the_trip_it_was_made_of():
    key, event = next(iter(of_kind(PLAIN, Kind.STARTED).items()))
    kinds = {poisoned(key, event.value, (number + 0.5) / 10) for number in range(10)}

    assert len(kinds) == 10
    assert not any(is_good(*kind) for kind in kinds)
    assert all(kind_key != key for kind_key, _ in kinds)
    assert is_good(key, event.value)


@pytest.mark.parametrize(
    "wrong",
    [{"slowdown": 0.0}, {"slowdown": "fast"}, {"fault": "smoke"}, {"poison": 2.0}, {"slowdown_area": "gotham"}, {"warp": 9}],
)
def test_a_wrong_position_is_refused_in_words(wrong: dict[str, object]):
    with pytest.raises(InvalidInput):
        Knobs.checked(wrong)


def test_the_control_file_tells_each_change_once(tmp_path):
    control = ControlFile(tmp_path / "knobs.toml")
    control.start(Knobs())
    assert control.changed() is None

    ControlFile(control.path).write(Knobs(slowdown=1.5, slowdown_area="jfk", fault="clock"))

    assert control.changed() == Knobs(slowdown=1.5, slowdown_area="jfk", fault="clock")
    assert control.changed() is None


def test_a_wrong_control_file_is_refused_once(tmp_path):
    control = ControlFile(tmp_path / "knobs.toml")
    control.start(Knobs())
    control.path.write_text("slowdown = ")

    with pytest.raises(InvalidInput, match=r"knobs\.toml"):
        control.changed()
    assert control.changed() is None


def test_knobs_of_a_simulation_that_does_not_run_cannot_be_turned(tmp_path):
    with pytest.raises(InvalidInput, match="no simulation runs"):
        ControlFile(tmp_path / "knobs.toml").read()
