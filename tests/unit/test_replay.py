"""A file's events in the order, and the rhythm, in which they happened."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.sources.bootstrap import JsonEvents
from cli.sources.replay import Published, ReplayTrips
from cli.sources.replay_file import Part, choose
from cli.sources.replay_state import ReplayState
from domain.entities.trips import SECOND, CompletionColumns, TripColumns
from domain.errors import BrokerUnreachable, InvalidInput, NotEnoughTrips
from domain.timeline import Timeline, timeline_of
from schemas.events import TripCompleted, TripEvent, TripStarted
from tests.fakes.waiting import FakeWaiting
from tests.files import NOW, csv_file, opened
from tests.trips import random_trips

decode = msgspec.json.Decoder(TripEvent).decode


class Recorder:
    """Keeps what is published, with the wall's time."""

    def __init__(self, waiting: FakeWaiting) -> None:
        self.waiting = waiting
        self.events: list[tuple[float, bytes, TripEvent]] = []
        self.positions: list[int] = []

    async def publish(self, keys: list[bytes], values: list[bytes]) -> None:
        self.events += [(self.waiting.now, key, decode(value)) for key, value in zip(keys, values, strict=True)]

    def ids(self) -> list[tuple[str, bool]]:
        return [(event.trip_id, isinstance(event, TripCompleted)) for _, _, event in self.events]


def ended(trips: TripColumns, seconds: int = 600) -> CompletionColumns:
    return CompletionColumns(trips.trip_id, trips.pickup_at, trips.pickup_at + seconds * SECOND)


async def replayed(
    trips: TripColumns, speed: float, position: int = 0, stop_at: float = float("inf")
) -> tuple[Recorder, Published, Timeline]:
    recorder = Recorder(FakeWaiting(stop_at))
    completions = ended(trips)
    timeline = timeline_of(trips, completions)
    replay = ReplayTrips(recorder.publish, JsonEvents(), recorder.waiting, recorder.positions.append, speed)
    return recorder, await replay(trips, completions, timeline, position), timeline


def when(event: TripEvent) -> np.datetime64:
    at = event.pickup_at if isinstance(event, TripStarted) else event.dropoff_at
    return np.datetime64(at.replace(tzinfo=None), "us")


async def test_events_come_in_event_time_order_with_the_trip_id_as_key():
    recorder, published, _ = await replayed(random_trips(500), float("inf"))

    moments = [when(event) for _, _, event in recorder.events]
    assert moments == sorted(moments)
    assert all(key.decode() == event.trip_id for _, key, event in recorder.events)
    assert (published.started, published.completed, published.stopped) == (500, 500, False)


async def test_an_event_says_exactly_what_the_file_said():
    trips = random_trips(1)
    recorder, _, _ = await replayed(trips, float("inf"))

    started, completed = (event for _, _, event in recorder.events)
    assert isinstance(started, TripStarted)
    assert isinstance(completed, TripCompleted)
    assert started.pickup.latitude == trips.pickup_latitude[0]
    assert started.dropoff.longitude == trips.dropoff_longitude[0]
    assert (started.vendor_id, started.passenger_count) == (trips.vendor_id[0], trips.passenger_count[0])
    assert (completed.dropoff_at - completed.pickup_at).total_seconds() == 600


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), min_size=1, max_size=30))
def test_a_trip_always_starts_before_it_ends(spans: list[tuple[int, int]]):
    trips = random_trips(len(spans))
    starts = np.array([start for start, _ in spans], dtype="datetime64[s]").astype("datetime64[us]")
    trips = TripColumns(trips.trip_id, trips.vendor_id, trips.passenger_count, starts, *(trips.pickup_latitude,) * 4)
    ends = np.array([start + length for start, length in spans], dtype="datetime64[s]").astype("datetime64[us]")
    timeline = timeline_of(trips, CompletionColumns(trips.trip_id, starts, ends))

    assert (timeline.at[1:] >= timeline.at[:-1]).all()
    for row in range(len(spans)):
        assert timeline.ends[timeline.row == row].tolist() == [False, True]


def test_events_of_one_moment_keep_the_order_of_the_file():
    trips = random_trips(100, days=1)
    noon = np.full(100, np.datetime64("2016-01-01T12:00:00", "us"))
    timeline = timeline_of(trips, CompletionColumns(trips.trip_id, noon, noon))
    at_noon = timeline.at == noon[0]

    assert timeline.row[at_noon & timeline.ends].tolist() == list(range(100))


async def test_no_event_comes_before_its_time_nor_a_tick_late():
    recorder, _, timeline = await replayed(random_trips(200, days=1), speed=600.0)

    due = (timeline.at - timeline.at[0]) / SECOND / 600.0
    late = np.array([at for at, _, _ in recorder.events]) - due
    assert late.min() >= -1e-6
    assert late.max() <= 0.051


async def test_stopping_keeps_the_position_and_the_next_run_goes_on_there():
    trips = random_trips(200, days=1)
    first, published, _ = await replayed(trips, speed=600.0, stop_at=60.0)
    assert published.stopped
    assert 0 < published.position < 400
    assert first.positions[-1] == published.position == len(first.events)

    second, _, _ = await replayed(trips, float("inf"), position=published.position)

    whole, _, _ = await replayed(trips, float("inf"))
    assert first.ids() + second.ids() == whole.ids()


async def test_a_finished_replay_publishes_nothing_more():
    recorder, published, _ = await replayed(random_trips(10), float("inf"), position=20)

    assert recorder.events == []
    assert not published.stopped


def chosen_ids(path: Path, part: Part) -> list[object]:
    return list(choose(opened(path), part, NOW).trips.trip_id)


def five_trips(folder: Path) -> Path:
    times = [("c", 12), ("a", 10), ("e", 14), ("b", 11), ("d", 13)]
    rows = (
        {"id": name, "pickup_datetime": f"2016-03-01 {hour}:00:00", "dropoff_datetime": f"2016-03-01 {hour}:10:00"}
        for name, hour in times
    )
    return csv_file(folder, *rows)


def test_the_part_after_a_share_is_what_the_first_share_leaves(tmp_path: Path):
    path = five_trips(tmp_path)

    assert chosen_ids(path, Part(after_share=0.6)) == ["e", "d"]
    assert chosen_ids(path, Part(after_share=0.0)) == ["c", "a", "e", "b", "d"]


def test_a_limit_keeps_the_earliest_trips(tmp_path: Path):
    assert chosen_ids(five_trips(tmp_path), Part(limit=2)) == ["a", "b"]
    assert chosen_ids(five_trips(tmp_path), Part(after_share=0.4, limit=1)) == ["c"]


def test_an_empty_part_is_said_in_words(tmp_path: Path):
    with pytest.raises(NotEnoughTrips, match="part that was asked for"):
        chosen_ids(five_trips(tmp_path), Part(since=NOW))


def test_a_file_of_refused_rows_is_said_in_words(tmp_path: Path):
    with pytest.raises(NotEnoughTrips, match="no trip that can be replayed"):
        choose(opened(csv_file(tmp_path, {"vendor_id": -1})), Part(), NOW)


def test_the_state_remembers_each_part_of_each_file(tmp_path: Path):
    state = ReplayState(tmp_path / "deep" / "state.json")
    state.remember(Part(after_share=0.8).name("aa"), 7)
    state.remember(Part(after_share=0.8).name("bb"), 9)

    assert state.position(Part(after_share=0.8).name("aa")) == 7
    assert state.position(Part(after_share=0.5).name("aa")) == 0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"positions": {"a": "x"}}', '{"positions": 3}'])
def test_a_damaged_state_is_refused_in_words(tmp_path: Path, content: str):
    path = tmp_path / "state.json"
    path.write_text(content)

    with pytest.raises(InvalidInput, match="delete it"):
        ReplayState(path).position("aa")


async def test_a_replay_that_is_told_to_stop_while_the_broker_is_away_ends_at_the_position_it_has_reached():
    waiting, trips = FakeWaiting(), random_trips(5)
    positions: list[int] = []

    async def stopped_meanwhile(keys: list[bytes], values: list[bytes]) -> None:
        waiting.stop_at = waiting.now
        raise BrokerUnreachable("silent")

    completions = ended(trips)
    replay = ReplayTrips(stopped_meanwhile, JsonEvents(), waiting, positions.append, float("inf"))
    published = await replay(trips, completions, timeline_of(trips, completions))
    assert (published.position, published.stopped, positions) == (0, True, [])
