"""Ranges and lessons of a training that a cluster does: what the client says, the workers understand alike."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from batch.candidates import linear_regression, xgboost
from batch.catalogue import discover
from batch.dask_bootstrap import able
from batch.on_dask.cluster import check
from batch.on_dask.ground import failing, ranges_of
from batch.on_dask.parts import Rules, facts_of, lesson_of, read_part
from batch.recipe import Pickups
from domain.entities.trips import CompletionColumns, TripColumns
from domain.errors import ClusterUnreachable, InvalidInput, PartFailed
from domain.features import CityClock, features_of
from domain.quality import ServiceArea
from domain.split import instant, utc64
from tests.trips import random_trips

TRIPS = random_trips(3_000, seed=2)
MINUTES = np.random.default_rng(1).integers(2, 90, len(TRIPS)).astype("timedelta64[m]")
ENDS = CompletionColumns(TRIPS.trip_id, TRIPS.pickup_at, TRIPS.pickup_at + MINUTES)
RULES = Rules(ServiceArea(), CityClock(), None, (), 120)


def read(since: Any, until: Any) -> tuple[TripColumns, CompletionColumns]:
    rows = np.flatnonzero((TRIPS.pickup_at >= utc64(since)) & (TRIPS.pickup_at < utc64(until)))
    rows = rows[np.argsort(TRIPS.pickup_at[rows], kind="stable")]
    return TRIPS.take(rows), ENDS.take(rows)


@pytest.mark.parametrize("count", [1, 2, 8, 100])
def test_ranges_hold_every_trip_once_and_about_as_many_each(count: int) -> None:
    pickup_at = np.sort(TRIPS.pickup_at)
    ranges = ranges_of(pickup_at, count)
    assert ranges[0][0] == instant(pickup_at[0])
    sizes = [len(read(*each)[0]) for each in ranges]
    assert sum(sizes) == len(TRIPS)
    assert [until for _, until in ranges[:-1]] == [since for since, _ in ranges[1:]]
    assert len(sizes) == count
    assert max(sizes) - min(sizes) <= 2


def test_ranges_of_trips_of_one_instant_are_one() -> None:
    same = np.full(50, TRIPS.pickup_at[0])
    assert len(ranges_of(same, 8)) == 1


def test_parts_together_are_what_one_process_would_learn_from() -> None:
    parts = [read_part(read, *each, RULES) for each in ranges_of(np.sort(TRIPS.pickup_at), 7)]
    features = np.concatenate([lesson_of(each, Pickups())[0] for each in parts])
    order = np.argsort(TRIPS.pickup_at, kind="stable")
    assert np.array_equal(features, features_of(TRIPS.take(order), CityClock()))
    assert sum(facts_of(each).rows for each in parts) == len(TRIPS)
    middle = np.sort(TRIPS.pickup_at)[1_000]
    before = [lesson_of(each, Pickups(before=middle)) for each in parts]
    assert sum(len(seconds) for _, seconds in before) == int((TRIPS.pickup_at < middle).sum())


def test_a_part_leaves_out_what_was_not_known_then() -> None:
    as_of = np.sort(TRIPS.pickup_at)[1_500]
    whole = ranges_of(np.sort(TRIPS.pickup_at), 1)[0]
    rules = Rules(ServiceArea(), CityClock(), as_of, (), 120)
    part, facts = read_part(read, *whole, rules)
    assert facts.stored == len(TRIPS)
    assert part.pickup_at.max() <= as_of - np.timedelta64(120, "m")


def test_an_empty_range_is_no_rows_rather_than_an_error() -> None:
    since = instant(TRIPS.pickup_at.max() + np.timedelta64(1, "D"))
    _, facts = read_part(read, since, since, RULES)
    assert (facts.rows, facts.first) == (0, None)


def test_with_all_candidates_those_that_can_compete_and_a_named_one_that_cannot_is_refused() -> None:
    assert [each.name for each in able(discover(), "all")] == ["xgboost"]
    assert able([xgboost.QUICK], "xgboost-quick") == [xgboost.QUICK]
    with pytest.raises(InvalidInput, match="linear_regression cannot be trained on Dask"):
        able([linear_regression.CANDIDATE, xgboost.CANDIDATE], "linear_regression,xgboost")


class FakeClient:
    """What `check` asks of distributed's client."""

    def __init__(self, program: str | Exception = "0.1.0", **versions: str) -> None:
        self.program, self.versions = program, versions

    def scheduler_info(self, n_workers: int = 5) -> dict[str, Any]:
        return {"workers": {"tcp://w:1": {}}}

    def run(self, asked: Callable[..., object], *args: object, on_error: str) -> dict[str, object]:
        return {"tcp://w:1": self.program}

    def get_versions(self, packages: list[str]) -> dict[str, Any]:
        ours = dict.fromkeys(packages, "1")
        theirs = ours | {name: version for name, version in self.versions.items() if name != "python"}
        python = self.versions.get("python", "3.11.7.final.0")
        mine = {"host": {"python": "3.11.2.final.0"}, "packages": ours}
        return {"client": mine, "scheduler": mine, "workers": {"tcp://w:1": {"host": {"python": python}, "packages": theirs}}}


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (FakeClient("0.0.9"), r"the Dask worker tcp://w:1 has tripcast 0\.0\.9: install tripcast\[dask\] "),
        (FakeClient(xgboost="2.1"), r"the Dask worker tcp://w:1 has xgboost 2\.1 instead of 1"),
        (FakeClient(python="3.12.1.final.0"), r"the Dask worker tcp://w:1 has Python 3\.12 instead of 3\.11"),
    ],
)
def test_a_worker_of_another_version_is_named(client: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        check(client, None, lambda: None)


def test_what_fails_on_the_cluster_is_one_line() -> None:
    with pytest.raises(PartFailed, match="reading on Dask failed: KeyError: 'x'"), failing("reading"):
        raise KeyError("x")
    with pytest.raises(ClusterUnreachable, match="gone"), failing("reading"):
        raise ClusterUnreachable("gone")
