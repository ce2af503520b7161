"""The proof that nothing was lost or doubled: every offset of every partition is a row, a dead letter or a named skip."""

from collections.abc import Mapping

from adapters.postgres.connection.pool import BULK_SECONDS, Pool, bulk
from domain.entities.audits import AuditReport, PartitionAudit, Range

NAMED_RANGES = 1000  # of each kind, in all; an audit that finds more has said enough

ACCOUNTED = """
with accounted as (
    select source_id, partition, record_offset as first_offset, record_offset as last_offset, 'row' as kind
    from trips where source_id is not null
    union all
    select source_id, partition, record_offset, record_offset, 'row' from completions where source_id is not null
    union all
    select source_id, partition, record_offset, record_offset, 'row' from history_being_pruned()
    union all
    select source_id, partition, record_offset, record_offset, 'dead letter' from dead_letters
    union all
    select source_id, partition, first_offset, last_offset, reason from skipped_records
)"""
PARTITIONS = """
select source_id, topic, partition, start_offset, next_offset, published_offset
from stream_offsets join event_sources using (source_id) order by source_id, partition
"""
# By kind, of what lies inside the partition's range; what lies outside it belongs to no committed batch.
COUNTS = f"""{ACCOUNTED}
select source_id, partition,
    case when first_offset >= start_offset and last_offset < next_offset then kind else 'outside' end as kind,
    sum(last_offset - first_offset + 1)::bigint as records
from accounted left join stream_offsets using (source_id, partition)
group by 1, 2, 3
"""
# `reached` is the highest offset that is accounted for by what comes before; the end of the range closes the last gap.
RANGES = f"""{ACCOUNTED}, walked as (
    select source_id, partition, start_offset, first_offset, last_offset, kind,
        coalesce(max(last_offset) over before, start_offset - 1) as reached
    from (
        select * from accounted
        union all
        select source_id, partition, next_offset, next_offset, 'end' from stream_offsets
    ) as a join stream_offsets using (source_id, partition)
    where first_offset >= start_offset and (kind = 'end' or last_offset < next_offset)
    window before as (
        partition by source_id, partition order by first_offset, last_offset rows between unbounded preceding and 1 preceding
    )
)
(select 'gap' as kind, source_id, partition, reached + 1 as first_offset, first_offset - 1 as last_offset
from walked where first_offset > reached + 1 order by 2, 3, 4 limit $1)
union all
(select 'double', source_id, partition, first_offset, least(last_offset, reached)
from walked where first_offset <= reached order by 2, 3, 4 limit $1)
union all
(select 'lost', source_id, partition, first_offset, last_offset from skipped_records
where reason = 'lost' order by 2, 3, 4 limit $1)
"""
UNPREDICTED = f"""
select t.source_id, t.partition, count(*) as trips, (array_agg(t.record_offset order by t.record_offset))[:{NAMED_RANGES}] as at
from trips as t left join predictions as p
    on p.trip_id = t.trip_id and p.pickup_at = t.pickup_at and p.role = 'champion'
    and (p.source_id, p.partition, p.record_offset) = (t.source_id, t.partition, t.record_offset)
where t.source_id is not null and p.trip_id is null
group by 1, 2
"""


async def audit(pool: Pool, end_offsets: Mapping[tuple[int, int], int] | None = None) -> AuditReport:
    """Account for every offset in one consistent view of the database. Reads whole tables. Raises DatabaseUnreachable.

    `end_offsets`: where the broker's partitions end, by source id and partition.
    """
    async with bulk(pool) as connection:
        report = _Report()
        for row in await connection.fetch(PARTITIONS):
            report[row["source_id"], row["partition"]] = PartitionAudit(**row)
        for row in await connection.fetch(COUNTS, timeout=BULK_SECONDS):
            _count(report[row["source_id"], row["partition"]], row["kind"], row["records"])
        for row in await connection.fetch(RANGES, NAMED_RANGES, timeout=BULK_SECONDS):
            _name(report[row["source_id"], row["partition"]], row["kind"], (row["first_offset"], row["last_offset"]))
        for row in await connection.fetch(UNPREDICTED, timeout=BULK_SECONDS):
            found = report[row["source_id"], row["partition"]]
            found.unpredicted, found.unpredicted_at = row["trips"], row["at"]
    for place, end in (end_offsets or {}).items():
        if place in report:
            report[place].unread = max(0, end - report[place].next_offset)  # read meanwhile, where it lies below
    return AuditReport(tuple(report[place] for place in sorted(report)))


class _Report(dict[tuple[int, int], PartitionAudit]):
    """By source id and partition. One that has rows but no position appears too, as nothing but rows outside."""

    def __missing__(self, place: tuple[int, int]) -> PartitionAudit:
        self[place] = PartitionAudit(place[0], "(no position)", place[1], 0, 0, 0)
        return self[place]


def _count(partition: PartitionAudit, kind: str, records: int) -> None:
    match kind:
        case "row":
            partition.rows = records
        case "dead letter":
            partition.dead_letters = records
        case "outside":
            partition.outside = records
        case reason:
            partition.skipped[reason] = records


def _name(partition: PartitionAudit, kind: str, offsets: Range) -> None:
    {"gap": partition.gaps, "double": partition.doubles, "lost": partition.lost}[kind].append(offsets)
