"""What several of these tests start from."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.loop.store import LoopStore
from batch.settings import BatchSettings
from tests.loop_rounds import MATURITY, new_source
from tests.tallied import GRID


@pytest.fixture
def settings(database: str, mlflow_address: str, kafka_address: str, topic_prefix: str, tmp_path: Path) -> BatchSettings:
    """Of a trainer with a model, topics and a database of its own."""
    return BatchSettings.read(
        data=tmp_path,
        database=database,
        mlflow=mlflow_address,
        mlflow_seconds=30,
        model=f"model-{uuid.uuid4().hex[:8]}",
        kafka=kafka_address,
        topic_prefix=topic_prefix,
        train_threads=1,
    )


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(PostgresSettings(database=database))
    yield pool
    await pool.close()


@pytest.fixture
def store(pool: Pool) -> LoopStore:
    """The closed loop's."""
    return LoopStore(pool, GRID, MATURITY)


@pytest.fixture
async def source_id(pool: Pool) -> int:
    """Of a topic that nobody has read yet."""
    return await new_source(pool)
