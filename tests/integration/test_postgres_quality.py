"""Quality from the roll-ups: what is mature is told apart from what is not, by every division, with the right figures."""

import json
import math
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from adapters.postgres.api.quality import Quality, mature_error
from adapters.postgres.connection.pool import Pool
from adapters.postgres.loop.store import LoopStore
from adapters.postgres.stream.store import Streams
from cli.commands.quality import app
from domain.entities.cohorts import By, Cohort
from domain.entities.predictions import Role
from domain.entities.streams import StreamSource
from domain.features import CityClock
from domain.loop.journal import Round, minute_at
from domain.loop.tracker import Reach
from domain.sums import Tally
from tests.batches import End, Event, Refusals, Start, batch_of
from tests.tallied import GRID, at, begun, whole
from tests.trips import random_trips

NOON = datetime(2016, 3, 1, 17, tzinfo=UTC)  # in New York
CLOCK = CityClock("America/New_York")


@pytest.fixture
def quality(pool: Pool) -> Quality:
    return Quality(pool, CLOCK, GRID)


async def _seen(pool: Pool, closed_until: datetime, tallies: Sequence[Tally], events: Sequence[Event] = ()) -> None:
    """The Monitor has taken these in, and closed steps so far."""
    streams, store = Streams(pool), LoopStore(pool, GRID, 120)
    source_id = await streams.register(StreamSource("cluster", "trip-events", uuid.UUID(int=1)))
    await streams.open_partition(source_id, 0, 0)
    if events:
        await streams.write(source_id, batch_of(events), Refusals())
    standing, tally = await store.standing(source_id), Tally.merged(list(tallies))
    minute = minute_at(closed_until)
    after = replace(standing, reaches={0: Reach(len(events), minute)}, closed_until=minute)
    await store.commit(source_id, Round({0: 0}, after, tally.cells, expire=((minute - 3000, minute - 1440),)))


def _tally(minutes: int, count: int = 12, lasted: float = 12, **versions: int) -> Tally:
    """Trips of one hour from so many minutes after noon on, predicted to last ten minutes."""
    first = (NOON + timedelta(minutes=minutes)).replace(tzinfo=None).isoformat()
    return whole(at(random_trips(count), first, 3600 // count), minutes=lasted, **versions)


async def test_before_anything_is_closed_nothing_is_mature(pool: Pool, quality: Quality) -> None:
    assert await mature_error(pool) is None
    report = await quality(By.CITY)
    assert (report.mature_until, report.mature, report.immature) == (None, (), ())


async def test_the_figures_are_those_of_the_trips(pool: Pool, quality: Quality) -> None:
    await _seen(pool, NOON + timedelta(hours=4), [_tally(0, lasted=12), _tally(0, count=6, lasted=8)])
    [city] = (await quality(By.CITY)).mature
    assert (city.segment, city.role, city.started, city.settled, city.coverage) == ("city", Role.CHAMPION, 18, 18, 1)
    assert city.mae_minutes == pytest.approx(2)
    assert city.bias_minutes == pytest.approx((12 * -2 + 6 * 2) / 18)
    assert city.rmse_minutes == pytest.approx(2)
    assert city.log_ratio == pytest.approx((12 * math.log(1.2) + 6 * math.log(0.8)) / 18, abs=1e-6)
    assert city.interval_coverage == 1
    await _seen(pool, NOON + timedelta(hours=4), [])
    assert (await quality(By.CITY)).mature == (city,)


async def test_an_interval_covers_what_lies_inside_it(pool: Pool, quality: Quality) -> None:
    await _seen(pool, NOON + timedelta(hours=4), [_tally(0, lasted=20), _tally(0, count=4, lasted=11)])
    [city] = (await quality(By.CITY)).mature
    assert city.interval_coverage == pytest.approx(4 / 16)


async def test_immature_cohorts_are_told_apart_and_never_mixed_in(pool: Pool, quality: Quality) -> None:
    young = begun(at(random_trips(20, seed=3), "2016-03-01T19:00:00", 60))
    await _seen(pool, NOON + timedelta(hours=4), [_tally(0, lasted=12), _tally(120, lasted=10.5), young])
    report = await quality(By.CITY)
    assert report.mature_until == NOON + timedelta(hours=2)
    assert [(each.mature, each.started, each.settled) for each in report.mature] == [(True, 12, 12)]
    assert [(each.mature, each.started, each.settled) for each in report.immature] == [(False, 32, 12)]
    assert report.mature[0].mae_minutes == pytest.approx(2)


async def test_the_live_line_is_over_the_last_mature_hour(pool: Pool) -> None:
    await _seen(pool, NOON + timedelta(hours=4), [_tally(0, lasted=50), _tally(60, lasted=14), _tally(120, lasted=90)])
    found = await mature_error(pool)
    assert found is not None
    assert (found.trips, found.coverage) == (12, 1)
    assert (found.mae_minutes, found.rmse_minutes, found.bias_minutes) == pytest.approx((4, 4, -4))
    assert (found.since, found.until) == (NOON + timedelta(hours=1), NOON + timedelta(hours=2))


async def test_hours_are_bands_of_the_citys_day_and_split_where_they_mature(pool: Pool, quality: Quality) -> None:
    await _seen(pool, NOON + timedelta(hours=7), [_tally(-600), _tally(0), _tally(270)])
    report = await quality(By.HOUR)
    assert [(each.segment, each.started) for each in report.mature] == [("0-6 h", 12), ("10-16 h", 12), ("16-20 h", 6)]
    assert [(each.segment, each.started) for each in report.immature] == [("16-20 h", 6)]


async def test_by_area_vendor_and_version_the_parts_are_the_whole(pool: Pool, quality: Quality) -> None:
    tallies = [_tally(0, count=60, version=1, shadow=2), _tally(30, count=60, lasted=15, version=2)]
    await _seen(pool, NOON + timedelta(hours=5), tallies)
    [city] = (await quality(By.CITY)).mature
    for by in (By.AREA, By.VENDOR):
        parts = (await quality(by)).mature
        assert len(parts) > 1
        assert sum(part.started for part in parts) == city.started == 120
        assert _total(parts) == pytest.approx((city.mae_minutes or 0) * city.settled)
    versions = (await quality(By.VERSION)).mature
    names = [(each.segment, each.role, each.started) for each in versions]
    assert names == [("version 1", "champion", 60), ("version 2", "challenger", 60), ("version 2", "champion", 60)]
    assert versions[1].mae_minutes == pytest.approx(1)


async def test_only_pickups_of_the_span_count(pool: Pool, quality: Quality) -> None:
    await _seen(pool, NOON + timedelta(hours=5), [_tally(0), _tally(60, count=4)])
    [found] = (await quality(By.CITY, since=NOON + timedelta(hours=1), until=NOON + timedelta(hours=2))).mature
    assert found.started == 4


async def test_pending_expired_and_late_trips_are_counted(pool: Pool, quality: Quality) -> None:
    events: list[Event] = [Start("gone"), Start("late"), Start("ended"), End("ended"), Start("young", minute=60 * 25)]
    await _seen(pool, NOON + timedelta(hours=49), [begun(random_trips(4))], events)
    counts = (await quality(By.CITY)).counts
    assert (counts.started, counts.settled, counts.pending, counts.expired, counts.late) == (4, 0, 2, 2, 0)
    await Streams(pool).write(1, batch_of([End("late", lasted=1440)], {0: 5}), Refusals())
    counts = (await quality(By.CITY)).counts
    assert (counts.expired, counts.late) == (2, 1)


def _total(cohorts: Sequence[Cohort]) -> float:
    return sum((cohort.mae_minutes or 0) * cohort.settled for cohort in cohorts)


class TestCommand:
    @pytest.fixture(autouse=True)
    async def some(self, pool: Pool, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRIPCAST_DATABASE", database)
        await _seen(pool, NOON + timedelta(hours=4), [_tally(0, version=1, shadow=2), _tally(120, count=6)])

    def _run(self, *arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "160"})
        assert result.exit_code == 0, result.output
        return result.output

    def test_the_table_marks_what_is_immature(self) -> None:
        mature, immature = (line for line in self._run().splitlines() if line.startswith("city"))
        assert (mature.split()[1:4], mature.endswith("immature")) == (["12", "100%", "2.00"], False)
        assert (immature.split()[1], immature.rstrip().endswith("immature")) == ("6", True)
        assert "Mature are pickups before 2016-03-01 19:00 UTC" in self._run()

    def test_json_keeps_the_two_apart(self) -> None:
        report = json.loads(self._run("--json", "--by", "version", "--since", "2016-03-01T17:00:00"))
        found = [(each["segment"], each["role"], each["mature"]) for each in report["mature"]]
        assert found == [("version 1", "champion", True), ("version 2", "challenger", True)]
        assert [each["mature"] for each in report["immature"]] == [False]
        assert report["counts"] == {"started": 18, "settled": 18, "pending": 0, "expired": 0, "late": 0}
