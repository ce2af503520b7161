"""What is normal for each model version, as its trainer saw it."""

import json

from adapters.postgres.connection.pool import Pool, connected
from adapters.postgres.tables.storable import as_json, text
from domain.baselines import Baseline

INSERT = "insert into model_baselines (model_version, run_id, baseline) values ($1, $2, $3) on conflict do nothing"
FIND = """
select baseline from model_baselines
where model_version = $1 and ($2::text is null or run_id = $2) order by recorded_at desc limit 1
"""


async def add_baseline(pool: Pool, version: int, run_id: str, baseline: Baseline) -> None:
    """Store what is normal for a version. Idempotent: the first baseline of a run stands. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        await connection.execute(INSERT, version, text(run_id), as_json(baseline.as_dict()))


async def find_baseline(pool: Pool, version: int, run_id: str | None = None) -> Baseline | None:
    """What is normal for a version, or None when nobody knows. Without `run_id` the newest of that number."""
    async with connected(pool) as connection:
        content = await connection.fetchval(FIND, version, run_id)
    return Baseline.from_dict(json.loads(content)) if content else None
