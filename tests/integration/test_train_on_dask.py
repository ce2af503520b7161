"""`tripcast train --dask`: a real scheduler and two real workers, which read a real PostgreSQL themselves."""

import sys
import sysconfig
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from distributed.client import Client

from adapters.environment.settings import PostgresSettings
from adapters.kafka.topics import ensure_topics
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.history.trips import History
from batch import dask_bootstrap, train_bootstrap
from batch.candidates import xgboost
from batch.settings import BatchSettings
from batch.train import TrainingReport, TrainingRequest
from cli.embedded.ports import HOST, free_ports
from domain.entities.models import Alias
from domain.entities.trips import CompletionColumns
from domain.errors import ClusterUnreachable, InvalidInput
from domain.split import instant
from tests.dask_cluster import WORKER, DaskCluster, dask_cluster
from tests.trips import random_trips

ROWS, SAMPLE = 9_000, 2_000
SMALL = replace(xgboost.QUICK, trees=24, learning_rate=0.3, leaves=16)  # the workers meet at every split


@pytest.fixture
def settings(settings: BatchSettings) -> BatchSettings:
    return settings.model_copy(update={"train_candidates": "xgboost-quick"})


@pytest.fixture
async def request_of_all(settings: BatchSettings) -> AsyncIterator[TrainingRequest]:
    """Of trips that are stored, as of the moment when all had ended."""
    await ensure_topics(settings)
    trips = random_trips(ROWS, seed=9)
    distance = np.abs(trips.dropoff_latitude - trips.pickup_latitude) + np.abs(trips.dropoff_longitude - trips.pickup_longitude)
    noise = np.random.default_rng(4).lognormal(0, 0.3, ROWS)
    seconds = np.clip((120 + distance * 9000) * noise, 61, 7000).astype(np.int64)
    dropoff_at = trips.pickup_at + seconds.astype("timedelta64[s]")
    pool = await open_pool(PostgresSettings(database=settings.database))
    await History(pool).add(trips, CompletionColumns(trips.trip_id, trips.pickup_at, dropoff_at))
    yield TrainingRequest("ann", "a test", as_of=instant(dropoff_at.max() + np.timedelta64(1, "s")))
    await pool.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


def wait_for_workers(cluster: DaskCluster, count: int) -> None:
    with Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


async def train(settings: BatchSettings, request: TrainingRequest, address: str | None) -> TrainingReport:
    named = replace(request, subject=uuid.uuid4().hex)
    report = await train_bootstrap.train(settings, named, lambda _: None, address)
    assert report is not None
    return report


async def test_two_workers_give_the_metrics_of_one_process(
    settings: BatchSettings, request_of_all: TrainingRequest, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xgboost, "QUICK", SMALL)
    with cluster.workers(2, TRIPCAST_DATABASE=settings.dsn()):
        here = await train(settings, request_of_all, None)
        wait_for_workers(cluster, 2)
        there = await train(settings, request_of_all, cluster.address)
        monkeypatch.setattr(dask_bootstrap, "MOST_ROWS", SAMPLE)
        sampled = await train(settings, request_of_all, cluster.address)
    assert there.trained_from.rows == here.trained_from.rows > 0.99 * ROWS
    assert (there.trained_from.data_from, there.trained_from.data_to) == (
        here.trained_from.data_from,
        here.trained_from.data_to,
    )
    assert np.array_equal(there.best.held_out, here.best.held_out)
    assert there.best.time.rmse_minutes == pytest.approx(here.best.time.rmse_minutes, rel=0.01)
    assert there.best.time.mae_minutes == pytest.approx(here.best.time.mae_minutes, rel=0.01)
    assert (here.alias, there.alias) == (Alias.CHAMPION, Alias.CHALLENGER)
    assert {"newest window", "trusted"} <= {gate.gate for gate in there.gates}
    assert len(sampled.best.held_out) < SAMPLE / 2
    assert sampled.trained_from.rows > 0.9 * ROWS  # the workers still learn from all of them
    assert sampled.best.time.rmse_minutes == pytest.approx(here.best.time.rmse_minutes, rel=0.1)


async def test_an_unfit_cluster_is_refused_in_words(settings: BatchSettings, cluster: DaskCluster, tmp_path: Path) -> None:
    request = TrainingRequest("ann", "a test")
    (port,) = free_ports(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batch.on_dask.cluster.CONNECT_SECONDS", 1.0)
        with pytest.raises(ClusterUnreachable, match=f"no Dask scheduler answers at tcp://{HOST}:{port}"):
            await train(settings, request, f"tcp://{HOST}:{port}")
    with pytest.raises(InvalidInput, match="not an address of a Dask scheduler"):
        await train(settings, request, "nonsense://")
    with pytest.raises(ClusterUnreachable, match="has no workers"):
        await train(settings, request, cluster.address)
    with cluster.worker("stranger", without_tripcast(tmp_path)):
        wait_for_workers(cluster, 1)
        with pytest.raises(
            InvalidInput, match=r"the Dask worker tcp://\S+ has no tripcast: install tripcast\[dask\] \S+ there"
        ):
            await train(settings, request, cluster.address)


async def test_a_worker_that_reads_another_database_is_refused(
    settings: BatchSettings, cluster: DaskCluster, postgres_admin: str
) -> None:
    with cluster.worker("astray", TRIPCAST_DATABASE=postgres_admin):
        wait_for_workers(cluster, 1)
        with pytest.raises(InvalidInput, match=r"sees .*/postgres.* instead of .*every worker needs the settings"):
            await train(settings, TrainingRequest("ann", "a test"), cluster.address)


async def test_a_candidate_that_dask_cannot_train_is_refused(settings: BatchSettings, cluster: DaskCluster) -> None:
    named = settings.model_copy(update={"train_candidates": "random_forest,xgboost"})
    with pytest.raises(InvalidInput, match="random_forest cannot be trained on Dask"):
        await train(named, TrainingRequest("ann", "a test"), cluster.address)


def without_tripcast(folder: Path) -> list[str]:
    """A worker of a Python that has every package of this one but ours."""
    packages = folder / "packages"
    packages.mkdir()
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if "tripcast" not in each.name:
            (packages / each.name).symlink_to(each)
    start = f"import sys; sys.path[:] = [each for each in sys.path if each] + [{str(packages)!r}]"
    main = f"from {WORKER} import main; main()"
    return [sys.executable, "-S", "-c", f"{start}; {main}"]
