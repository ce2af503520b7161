"""The shipped rules against a running system: every metric is there, every rule runs, and a worker that stops is told."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from adapters.postgres.api.keys import ADD
from cli.embedded.ports import HOST, free_ports
from domain.entities.api_keys import new_key
from tests.api_process import NOWHERE, api_process
from tests.expressions import metrics_of, queries, recorded, rules
from tests.monitoring import Prometheus, Receiver, receiving, watching
from tests.programs import needed
from tests.running import DEADLINE_SECONDS, REPOSITORY, Worker, World, events_of, world_of
from tests.trips import random_trips

SECONDS = DEADLINE_SECONDS  # in which everything must happen that takes two or three on an idle machine
SUFFIXES = ("_bucket", "_count", "_sum")


@pytest.fixture(autouse=True, scope="module")
def programs() -> None:
    """Nothing is started without them."""
    needed("prometheus", "prometheus-alertmanager", package="prometheus prometheus-alertmanager")


@contextmanager
def role(world: World, *command: str, **environment: str) -> Iterator[None]:
    """A process of `tripcast` beside the worker; ended afterwards."""
    settings = {
        "TRIPCAST_KAFKA": world.kafka,
        "TRIPCAST_DATABASE": world.database,
        "TRIPCAST_TOPIC_PREFIX": world.prefix,
        "TRIPCAST_MLFLOW": f"http://{NOWHERE}",
        "TRIPCAST_DATA": str(world.folder / "data"),
    }
    with (world.folder / f"{command[0]}.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", *command],
            cwd=REPOSITORY,
            env={**os.environ, **settings, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.kill()  # how they stop is tested elsewhere
        process.wait()


@asynccontextmanager
async def system(world: World, key: str) -> AsyncIterator[tuple[Worker, dict[str, str]]]:
    """Every role, and where each tells its metrics."""
    trainer, board, canary = free_ports(3)
    async with AsyncExitStack() as stack:
        worker = world.start_worker()
        api = await stack.enter_async_context(
            api_process(
                world.database,
                world.folder,
                TRIPCAST_KAFKA=world.kafka,
                TRIPCAST_TOPIC_PREFIX=world.prefix,
                TRIPCAST_API_WORKERS=f"http://{HOST}:{worker.port}",
                TRIPCAST_API_KEYS="always",
            )
        )
        stack.enter_context(role(world, "trainer", TRIPCAST_TRAINER_PORT=str(trainer)))
        board_settings = {"TRIPCAST_BOARD_PORT": str(board), "TRIPCAST_API": api.address, "TRIPCAST_BOARD_API_KEY": key}
        stack.enter_context(role(world, "dashboard", **board_settings))
        stack.enter_context(role(world, "canary", TRIPCAST_CANARY_PORT=str(canary)))
        ports = {"worker": worker.port, "trainer": trainer, "board": board, "canary": canary}
        yield worker, {name: f"{HOST}:{port}" for name, port in ports.items()} | {"api": api.address.removeprefix("http://")}


async def test_rules_run_on_what_is_exported_and_a_worker_that_stops_is_told_until_it_is_back(
    kafka_address: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    key = new_key()
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world, receiving() as slack:
        await world.rows(ADD, key.key_id, "prometheus", key.sha256, False)
        started, _ = events_of(random_trips(50))
        await world.publish(started)
        async with system(world, key.token) as (worker, targets):
            (folder := tmp_path / "monitoring").mkdir()
            async with watching(folder, targets, key.token, slack) as prometheus:
                await prometheus.scraped({*targets, "prometheus", "alertmanager"}, SECONDS)
                await every_metric_is_exported(prometheus)
                await every_query_runs(prometheus)
                await a_stopped_worker_is_told(world, worker, slack)
    assert "level=error" not in (folder / "prometheus.log").read_text()


async def every_metric_is_exported(prometheus: Prometheus) -> None:
    """By what was scraped: a counter with labels has no series before something happened, but its name is there."""
    scraped = set(await prometheus.ask("metadata")) | recorded() | {"up", "ALERTS"}
    named = {name for expression in queries().values() for name in metrics_of(expression)}
    assert {name for name in named if name not in scraped and not scraped & {*bases(name)}} == set()


def bases(name: str) -> list[str]:
    """What a histogram's series are called in its metadata."""
    return [name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)]


async def every_query_runs(prometheus: Prometheus) -> None:
    """Also those that have no value now; and Prometheus itself says that every rule is well."""
    for expression in queries().values():
        await prometheus.ask("query", query=expression)
    loaded = [rule for group in (await prometheus.ask("rules"))["groups"] for rule in group["rules"]]
    assert len(loaded) == len(rules())
    assert [rule["name"] for rule in loaded if rule["health"] == "err"] == []


async def a_stopped_worker_is_told(world: World, worker: Worker, slack: Receiver) -> None:
    assert "[page] WorkerDown" not in slack.titles()
    worker.signal(signal.SIGKILL)
    await worker.ended()
    told = await slack.told("[page] WorkerDown", SECONDS)
    assert "No worker has answered for a minute" in told["text"]
    assert "runbook.html#workerdown" in told["text"]
    assert "[resolved] WorkerDown" not in slack.titles()
    world.start_worker(TRIPCAST_WORKER_PORT=str(worker.port))
    over = await slack.told("[resolved] WorkerDown", SECONDS)
    assert "Over: No worker answers" in over["text"]
