"""Put the read side together: pools, the broker's ends, the workers' metrics, and everything that is made of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial

from fastapi import APIRouter

from adapters.files.policies import read_policy
from adapters.kafka.topic_ends import EndsOfTopic
from adapters.postgres.area_sums import area_sums
from adapters.postgres.connection import Pool
from adapters.postgres.error_series import error_steps, reference_of, rollup_bounds
from adapters.postgres.latest_trips import LatestRows
from adapters.postgres.quarantined import quarantined_by_minute
from adapters.postgres.read_pool import open_read_pool
from adapters.postgres.recent_events import events_since, role_changes
from adapters.postgres.service_minutes import all_minutes, minutes_since, write_minute
from adapters.postgres.signal_steps import newest_steps
from adapters.postgres.story import story
from adapters.postgres.stream_positions import stored_stream
from adapters.web.reader import WebReader
from api.checks import Checks
from api.metrics import Metrics
from api.reads.gauges import Gauges
from api.reads.live import LivePanels
from api.reads.panels import Shelf
from api.reads.parts import Parts, Reads
from api.reads.ports import Answers, ErrorStepsOf, LiveQueries
from api.reads.sampler import DEADLINE_SECONDS, Sampler, Sources
from api.reads.snapshots import Snapshots
from api.routes.snapshot import snapshot_routes
from api.settings import ApiSettings
from domain.areas import AreaGrid
from domain.entities.story import Story
from domain.errors import Unreachable
from schemas.http.snapshot import Area, Areas
from schemas.topics import TRIP_EVENTS

READ_SECONDS = 2.0  # a statement of the reading routes
READERS = 4  # connections for them
WATCH_SECONDS = 1.0  # a statement of the sampler, which has a connection of its own: a slow chart must not look like a fault
OPERATORS = 2
STORY_LENGTH = 50


def create_reads(settings: ApiSettings, checks: Checks, metrics: Metrics) -> Reads:
    """The read side, with nothing opened yet. Raises InvalidInput for a policy that cannot be used."""
    maturity = timedelta(minutes=read_policy(settings.policy).time.maturity_minutes)
    return Reads(partial(_opened, settings, checks, metrics, maturity))


def read_routers(reads: Reads) -> list[APIRouter]:
    """Every reading route."""
    return [snapshot_routes(reads)]


@asynccontextmanager
async def _opened(settings: ApiSettings, checks: Checks, metrics: Metrics, maturity: timedelta) -> AsyncIterator[Parts]:
    """Nothing is waited for."""
    async with AsyncExitStack() as stack:
        reader = (settings.board_database or settings.database).get_secret_value()
        watch = await _pool(stack, reader, "tripcast-api-watch", 1, WATCH_SECONDS)
        read = await _pool(stack, reader, "tripcast-board-reads", READERS, READ_SECONDS)
        own = await _pool(
            stack,
            settings.database.get_secret_value(),
            "tripcast-api-own",
            OPERATORS,
            settings.database_command_seconds,
            read_only=False,
        )
        web = await stack.enter_async_context(WebReader())
        ends = EndsOfTopic(settings.kafka, settings.topic_prefix + TRIP_EVENTS.name)
        stack.push_async_callback(ends.close)
        sampler = Sampler(_sources(settings, watch, own, ends=ends, web=web, metrics=metrics), checks)
        Gauges(sampler, metrics.registry)
        grid, shelf = AreaGrid(settings.rules().area), Shelf()
        stack.push_async_callback(shelf.stop)
        panels = LivePanels(shelf, sampler, _live_queries(read, grid, maturity), maturity, run_url_of(settings))
        watching = asyncio.create_task(sampler.run())
        stack.push_async_callback(_ended, watching)
        yield Parts(sampler, Snapshots(panels, sampler, settings.api_environment), Answers(areas_of(grid)))


async def _pool(
    stack: AsyncExitStack, dsn: str, application: str, connections: int, seconds: float, *, read_only: bool = True
) -> Pool:
    pool = await open_read_pool(dsn, application, connections=connections, seconds=seconds, read_only=read_only)
    stack.callback(pool.terminate)
    return pool


def _sources(settings: ApiSettings, watch: Pool, own: Pool, *, ends: EndsOfTopic, web: WebReader, metrics: Metrics) -> Sources:
    topic = settings.topic_prefix + TRIP_EVENTS.name
    return Sources(
        stored=lambda: stored_stream(watch, topic),
        ends=ends,
        workers={address: partial(_metrics_of, web, address) for address in addresses(settings.api_workers)},
        load=lambda since: minutes_since(own, since),
        keep=lambda minute: write_minute(own, minute),
        requests=lambda: float(metrics.recent.answered),
    )


def _live_queries(pool: Pool, grid: AreaGrid, maturity: timedelta) -> LiveQueries:
    latest = LatestRows(pool, grid)

    async def told(at: datetime) -> Story:
        return await story(pool, at, None, STORY_LENGTH)

    steps: ErrorStepsOf = partial(error_steps, pool, maturity=maturity)
    return LiveQueries(
        error_steps=steps,
        rollup_bounds=partial(rollup_bounds, pool),
        reference_of=partial(reference_of, pool),
        latest_trips=latest,
        label_delay=latest.label_delay_seconds,
        area_sums=partial(area_sums, pool, maturity=maturity),
        signal_steps=partial(newest_steps, pool),
        events_since=partial(events_since, pool),
        role_changes=partial(role_changes, pool),
        quarantined_by_minute=partial(quarantined_by_minute, pool),
        story=told,
        all_minutes=partial(all_minutes, pool),
    )


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
    base = (settings.mlflow_public or settings.mlflow).rstrip("/")
    return lambda run_id: f"{base}/#/runs/{run_id}" if run_id else None


def areas_of(grid: AreaGrid) -> Areas:
    """Every cell of the city."""
    cells = range(grid.rows * grid.columns)
    borders = grid.area
    return Areas(
        areas=[_area(grid, cell) for cell in cells],
        south=borders.south,
        west=borders.west,
        north=borders.north,
        east=borders.east,
    )


def _area(grid: AreaGrid, cell: int) -> Area:
    south, north, west, east = (round(degrees, 6) for degrees in grid.box(cell))
    return Area(area=cell, name=grid.name(cell), south=south, west=west, north=north, east=east)


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
