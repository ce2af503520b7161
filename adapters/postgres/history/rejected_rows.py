"""Rows of trip files that were refused, as people look at them."""

import json

from adapters.postgres.connection.pool import Pool, connected
from domain.entities.files import LoadedRow, RejectedRow
from domain.entities.rejections import Reason

REASONS = {str(reason): reason for reason in Reason}
FIND = """
select coalesce(f.name, left(r.file_sha256, 12)) as file, r.row_number, r.reason, r.row
from rejected_rows as r left join loaded_files as f using (file_sha256)
where $1::text is null or r.reason = $1
order by f.loaded_at desc nulls first, r.file_sha256, r.row_number limit $2
"""


async def rejected_rows(pool: Pool, reason: Reason | None, limit: int) -> list[LoadedRow]:
    """Those of the file that was loaded last come first, in the file's order. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        rows = await connection.fetch(FIND, reason, limit)
    return [
        LoadedRow(row["file"], RejectedRow(row["row_number"], REASONS[row["reason"]], json.loads(row["row"]))) for row in rows
    ]
