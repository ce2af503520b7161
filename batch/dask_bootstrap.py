"""Put training on Dask together: the client's side, and what its workers call by name, with settings of their own."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.history.labelled_ranges import LabelledRanges
from batch.candidate import Boosting, Candidate
from batch.catalogue import ALL
from batch.settings import BatchSettings
from batch.train import TrainingRequest
from domain.entities.trips import CompletionColumns, TripColumns
from domain.errors import InvalidInput
from domain.features import CityClock, feature_schema
from domain.split import utc64

if TYPE_CHECKING:
    from batch.on_dask.ground import OnDask

APPLICATION = "tripcast-dask"
CANDIDATES = "TRIPCAST_TRAIN_CANDIDATES"
MOST_ROWS = 2_000_000  # that the client holds: some 600 MB with their inputs
Trips = tuple[TripColumns, CompletionColumns]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Sample:
    """Implements `batch.ports.History`: all labelled trips where they are at most `most_rows`, else an even part of them."""

    pool: Pool
    most_rows: int

    async def labelled_trips(
        self, since: datetime | None = None, until: datetime | None = None, *, ended_before: datetime | None = None
    ) -> Trips:
        """Trips that have ended, before `ended_before` if given, with a pickup in [since, until), in order of pickup."""
        ranges = LabelledRanges(self.pool)
        count = await ranges.count(since, until, ended_before)
        one_of = max(1, math.ceil(count / self.most_rows))
        return await ranges.read(since, until, ended_before=ended_before, one_of=one_of)


@asynccontextmanager
async def ground(
    address: str, settings: BatchSettings, request: TrainingRequest, maturity_minutes: int, progress: Callable[[str], None]
) -> "AsyncIterator[OnDask]":
    """Where the cluster at this address trains. Raises ClusterUnreachable, and InvalidInput where it cannot be used."""
    try:
        from batch.on_dask import cluster, parts  # noqa: PLC0415 - dask is an extra
        from batch.on_dask.ground import OnDask  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InvalidInput(f"--dask needs {error.name}: install tripcast[dask]") from error
    progress(f"asking the Dask cluster at {address}")
    spans = tuple((utc64(first), utc64(until)) for first, until in request.exclude)
    rules = parts.Rules(settings.rules().area, settings.clock(), None, spans, maturity_minutes)
    ours = (feature_schema(settings.clock()), await _asked(settings, LabelledRanges.identity))
    stack = cluster.connected(address, ours, partial(sight, settings.clock()))
    client = await asyncio.to_thread(stack.__enter__)
    try:
        yield OnDask(client, read, rules, partial(count, settings, request), progress)
    finally:
        await asyncio.to_thread(stack.__exit__, None, None, None)


def able(candidates: Sequence[Candidate], names: str) -> list[Candidate]:
    """Those that can be trained there, where `names` is all of them. Raises InvalidInput for one that was named and cannot."""
    unable = [each.name for each in candidates if not isinstance(each, Boosting)]
    if unable and names != ALL:
        raise InvalidInput(f"{', '.join(unable)} cannot be trained on Dask; candidates of XGBoost can: {CANDIDATES}=xgboost")
    return [each for each in candidates if isinstance(each, Boosting)]


def sight(clock: CityClock) -> tuple[str, str]:
    """What a worker sees: the schema of its features, and which database its own settings lead to."""
    return feature_schema(clock), asyncio.run(_asked(PostgresSettings.read(), LabelledRanges.identity))


def read(since: datetime, until: datetime) -> Trips:
    """The trips of a range, read by a worker with settings of its own. Raises DatabaseUnreachable."""
    return asyncio.run(_asked(PostgresSettings.read(), lambda ranges: ranges.read(since, until)))


def count(settings: BatchSettings, request: TrainingRequest) -> int:
    """How many labelled trips were asked for; for a thread without an event loop."""
    return asyncio.run(_asked(settings, lambda ranges: ranges.count(request.since, request.until, request.as_of)))


async def _asked(settings: PostgresSettings, ask: Callable[[LabelledRanges], Awaitable[Answer]]) -> Answer:
    pool = await open_pool(settings, APPLICATION)
    try:
        return await ask(LabelledRanges(pool))
    finally:
        await pool.close()
