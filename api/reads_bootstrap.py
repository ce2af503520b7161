"""Put the read side together: pools, the broker's ends, the workers' metrics, and everything that is made of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version

from fastapi import APIRouter

from adapters.environment.origins import all_settings
from adapters.files.policies import read_policy
from adapters.kafka.broker import Broker
from adapters.kafka.replaying import replaying
from adapters.kafka.topic_ends import EndsOfTopic
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from adapters.postgres.admin.dead_letters import DeadLetters
from adapters.postgres.api.area_sums import area_sums
from adapters.postgres.api.database_stats import database_bytes, database_stats
from adapters.postgres.api.error_series import error_steps, reference_of, rollup_bounds
from adapters.postgres.api.latest_trips import LatestRows
from adapters.postgres.api.quality import Quality
from adapters.postgres.api.quarantined import newest_letters, one_letter, quarantined_by_minute, reason_counts
from adapters.postgres.api.recent_events import events_since, role_changes
from adapters.postgres.api.service_minutes import all_minutes, minutes_since, write_minute
from adapters.postgres.api.signal_steps import newest_steps, steps_of_signal
from adapters.postgres.api.story import story
from adapters.postgres.api.trip_by_id import trip_by_id
from adapters.postgres.connection.pool import Pool as Connections
from adapters.postgres.connection.read_pool import open_read_pool
from adapters.postgres.connection.security import Password, password_source
from adapters.postgres.history.trip_samples import refused_rows, trip_sample
from adapters.postgres.loop.training_runs import TrainingRuns
from adapters.postgres.stream.positions import stored_stream
from adapters.web.names import addresses_of
from adapters.web.reader import WebReader
from api.background import in_background
from api.checks import Checks
from api.metrics import Metrics
from api.reads.builds import latest_builds
from api.reads.gauges import watch_lag
from api.reads.instances import Instances
from api.reads.library import Library
from api.reads.live import LivePanels
from api.reads.memory import Keeper
from api.reads.panels import Shelf
from api.reads.parts import Parts, Reads, Self
from api.reads.ports import Answers, LiveQueries
from api.reads.roles import Role, statuses
from api.reads.sampler import DEADLINE_SECONDS, Sampler, Sources
from api.reads.snapshots import Snapshots
from api.routes.dead_letters import dead_letter_routes
from api.routes.drift import drift_routes
from api.routes.history import history_routes
from api.routes.models import models_routes
from api.routes.quality import quality_routes
from api.routes.snapshot import snapshot_routes
from api.routes.system import system_routes
from api.routes.trips import trip_routes
from api.settings import ApiSettings
from domain.areas import AreaGrid
from domain.entities.models import ModelVersion
from domain.errors import Unreachable
from schemas.http.health import Pool, Setting
from schemas.http.snapshot import Area, Areas
from schemas.topics import TRIP_EVENTS

Where = tuple[str, Password | None]  # a database's address, and who gives the passwords that are not in it
STOP_SECONDS = 1.5
READ_SECONDS = 5.0  # a statement of the reading routes; no snapshot waits so long, but a chart of many days may need it
READERS = 4  # connections for them
WATCH_SECONDS = 1.0  # a statement of the sampler, which has a connection of its own: a slow chart must not look like a fault
SLOW_SECONDS = 20.0  # what describes all trips, on a connection of its own
OPERATORS = 2
STORY_LENGTH = 50
RUNS = 200
REGISTRY_SECONDS = 2.5
REPLAY_SECONDS = 3.0
EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pools:
    """One for each kind of question, so that a slow one keeps no other waiting. All but `own` only read."""

    watch: Connections
    read: Connections
    slow: Connections
    own: Connections

    def end_reading(self) -> None:
        """End all questions. Never waits."""
        for pool in (self.watch, self.read, self.slow):
            pool.terminate()

    def told(self) -> list[Pool]:
        """As the page System shows them."""
        named = (("watch", self.watch), ("reads", self.read), ("summary", self.slow), ("own", self.own))
        return [Pool(name=name, size=p.get_size(), idle=p.get_idle_size(), most=p.get_max_size()) for name, p in named]


@dataclass(frozen=True, slots=True)
class Others:
    """The other roles: how to ask them, and where the workers are."""

    web: WebReader
    workers: Instances


def create_reads(settings: ApiSettings, checks: Checks, metrics: Metrics) -> Reads:
    """The read side, with nothing opened yet. Raises InvalidInput for a policy that cannot be used."""
    maturity = timedelta(minutes=read_policy(settings.policy).time.maturity_minutes)
    return Reads(partial(_opened, settings, checks, metrics, maturity), self_of(settings, checks, metrics), metrics)


def read_routers(reads: Reads) -> list[APIRouter]:
    """Every reading route."""
    groups = (snapshot_routes, trip_routes, models_routes, quality_routes, drift_routes, history_routes, dead_letter_routes)
    return [*(routes(reads) for routes in groups), system_routes(reads)]


def self_of(settings: ApiSettings, checks: Checks, metrics: Metrics) -> Self:
    """This API as a role."""
    return Self(
        environment=settings.api_environment,
        address=f"http://{settings.api_host}:{settings.api_port}",
        version=version("tripcast"),
        folder=settings.data,
        checks=checks,
        loop_lag_seconds=lambda: metrics.loop_lag_seconds,
    )


@asynccontextmanager
async def _opened(settings: ApiSettings, checks: Checks, metrics: Metrics, maturity: timedelta) -> AsyncIterator[Parts]:
    """Nothing is waited for."""
    async with AsyncExitStack() as stack:
        pools = await _opened_pools(stack, settings)
        web = await stack.enter_async_context(WebReader())
        others = Others(web, Instances(addresses(settings.api_workers), addresses_of))
        ends = EndsOfTopic(Broker.of(settings), settings.topic_prefix + TRIP_EVENTS.name)
        stack.push_async_callback(ends.close)
        keeper = Keeper(partial(minutes_since, pools.own), partial(write_minute, pools.own))
        sampler = Sampler(_sources(settings, pools, ends, others, metrics), keeper, checks)
        watch_lag(sampler, metrics.registry)
        grid, shelf, clock = AreaGrid(settings.rules().area), Shelf(), settings.clock()
        stack.push_async_callback(shelf.stop)
        links = run_url_of(settings)
        live = LivePanels(shelf, sampler, live_queries(pools.read, grid, maturity), maturity, links)
        answers = other_answers(settings, pools, grid, maturity, others)
        library = Library(answers, shelf, areas_of(grid, settings.timezone), clock, settings.model, links)
        watching = asyncio.create_task(sampler.run())
        stack.push_async_callback(_ended, watching)
        stack.callback(pools.end_reading)  # first: a question that is cancelled waits long for a silent database's consent
        yield Parts(sampler, Snapshots(live, sampler, settings.api_environment), answers, library, live)


async def _opened_pools(stack: AsyncExitStack, settings: ApiSettings) -> Pools:
    reader, own, seconds = settings.reader_dsn(), settings.dsn(), settings.database_command_seconds
    open_reader = partial(_pool, stack, (reader, password_source(settings, reader)))
    return Pools(
        watch=await open_reader("tripcast-api-watch", 1, WATCH_SECONDS),
        read=await open_reader("tripcast-board-reads", READERS, READ_SECONDS),
        slow=await open_reader("tripcast-board-summary", 1, SLOW_SECONDS),
        own=await _pool(stack, (own, password_source(settings, own)), "tripcast-api-own", OPERATORS, seconds, read_only=False),
    )


async def _pool(
    stack: AsyncExitStack, where: Where, application: str, connections: int, seconds: float, *, read_only: bool = True
) -> Connections:
    dsn, password = where
    pool = await open_read_pool(
        dsn, application, connections=connections, seconds=seconds, read_only=read_only, password=password
    )
    stack.callback(pool.terminate)
    return pool


def _sources(settings: ApiSettings, pools: Pools, ends: EndsOfTopic, others: Others, metrics: Metrics) -> Sources:
    topic = settings.topic_prefix + TRIP_EVENTS.name
    return Sources(
        stored=lambda: stored_stream(pools.watch, topic),
        ends=ends,
        workers=others.workers if settings.api_workers else None,
        metrics=partial(_metrics_of, others.web),
        requests=lambda: float(metrics.recent.answered),
    )


def live_queries(pool: Connections, grid: AreaGrid, maturity: timedelta) -> LiveQueries:
    """What the page Live asks of the database."""
    latest = LatestRows(pool, grid)
    return LiveQueries(
        error_steps=partial(error_steps, pool, maturity=maturity),
        rollup_bounds=partial(rollup_bounds, pool),
        reference_of=partial(reference_of, pool),
        latest_trips=latest,
        label_delay=latest.label_delay_seconds,
        area_sums=partial(area_sums, pool, maturity=maturity),
        signal_steps=partial(newest_steps, pool),
        events_since=partial(events_since, pool),
        role_changes=partial(role_changes, pool),
        quarantined_by_minute=partial(quarantined_by_minute, pool),
        story=lambda at: story(pool, at, None, STORY_LENGTH),
        all_minutes=partial(all_minutes, pool),
    )


def other_answers(settings: ApiSettings, pools: Pools, grid: AreaGrid, maturity: timedelta, others: Others) -> Answers:
    """What the other routes ask."""
    read, runs = pools.read, TrainingRuns(pools.read)
    registry = Registry(MlflowRest(settings.mlflow, min(settings.mlflow_seconds, REGISTRY_SECONDS)), settings.model)
    token = settings.ci_token.get_secret_value() if settings.ci_token else None

    async def versions() -> list[ModelVersion]:
        return await in_background(registry.versions)

    async def get(address: str, seconds: float, headers: Mapping[str, str]) -> tuple[int, str]:
        return await others.web.get(address, seconds, headers)

    return Answers(
        trip=partial(trip_by_id, read),
        stored_sample=partial(trip_sample, pools.slow),
        refused_rows=partial(refused_rows, pools.slow),
        stats=partial(database_stats, read),
        database_bytes=partial(database_bytes, read),
        versions=versions,
        runs=lambda: runs.newest(RUNS),
        role_changes=partial(role_changes, read),
        quality=Quality(read, settings.clock(), grid, maturity),
        story=partial(story, read),
        signal=partial(steps_of_signal, read),
        alarms=lambda: events_since(read, EVER, ["drift.alarm"]),
        reasons=partial(reason_counts, read),
        letters=partial(newest_letters, read),
        letter=partial(one_letter, read),
        with_bytes=DeadLetters(pools.own),
        replaying=lambda: replaying(Broker.of(settings), settings.topic_prefix + TRIP_EVENTS.name, REPLAY_SECONDS),
        roles=partial(statuses, other_roles(settings, others)),
        pools=pools.told,
        settings=partial(settings_in_force, settings),
        builds=lambda: latest_builds(get, settings.ci_address, settings.ci_repository, token),
    )


def other_roles(settings: ApiSettings, others: Others) -> list[Role]:
    """The roles that this API is not."""
    trainer, board = (Instances(addresses(each), addresses_of) for each in (settings.api_trainer, settings.api_board))
    return [
        Role(others.web.get, "worker", "TRIPCAST_API_WORKERS", others.workers),
        Role(others.web.get, "trainer", "TRIPCAST_API_TRAINER", trainer),
        Role(others.web.get, "board", "TRIPCAST_API_BOARD", board, ready_path=None),
    ]


def settings_in_force(settings: ApiSettings) -> list[Setting]:
    """This process' settings by name, secrets masked."""
    found = all_settings(settings.data, {"api": ApiSettings})
    return [Setting(name=each.name, value=each.value, origin=each.origin) for each in found]


async def _metrics_of(web: WebReader, address: str) -> str:
    """Raises Unreachable, also when something else than metrics answers."""
    status, text = await web.get(f"{address}/metrics", DEADLINE_SECONDS)
    if status != 200:  # noqa: PLR2004 - the one status that metrics come with
        raise Unreachable(f"{address} answers with status {status}")
    return text


def addresses(setting: str) -> Sequence[str]:
    """The addresses of a comma-separated setting."""
    return [address.strip().rstrip("/") for address in setting.split(",") if address.strip()]


def run_url_of(settings: ApiSettings) -> Callable[[str], str | None]:
    """Where people find a run in MLflow."""
    base = (settings.mlflow_public or settings.mlflow_place).rstrip("/")
    return lambda run_id: f"{base}/#/runs/{run_id}" if run_id else None


def areas_of(grid: AreaGrid, timezone: str) -> Areas:
    """Every cell of the city."""
    cells = range(grid.rows * grid.columns)
    borders = grid.area
    return Areas(
        areas=[_area(grid, cell) for cell in cells],
        south=borders.south,
        west=borders.west,
        north=borders.north,
        east=borders.east,
        timezone=timezone,
    )


def _area(grid: AreaGrid, cell: int) -> Area:
    south, north, west, east = (round(degrees, 6) for degrees in grid.box(cell))
    return Area(area=cell, name=grid.name(cell), south=south, west=west, north=north, east=east)


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=STOP_SECONDS)  # what still waits for the database ends with its pool
