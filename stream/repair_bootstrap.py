"""The composition root of the audit that asks the broker, and of the repair."""

import getpass
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.kafka.broker import Broker
from adapters.kafka.past_records import past_records
from adapters.kafka.producer import RecordProducer
from adapters.kafka.publisher import Publisher
from adapters.kafka.topics import end_offsets, topic_source
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from adapters.onnx.local_models import LocalModels
from adapters.postgres.admin.audit import audit as account
from adapters.postgres.admin.migrate import check_schema
from adapters.postgres.admin.repairs import Repairs
from adapters.postgres.connection.pool import Pool, open_pool
from domain.entities.audits import AuditReport
from domain.entities.repairs import PartitionRepair
from domain.errors import BrokerUnreachable
from domain.features import feature_schema
from schemas.topics import TRIP_EVENTS, TRIP_PREDICTIONS, TRIP_QUARANTINE
from stream.named_models import NamedModels as Shelf
from stream.published import Published
from stream.remake import Remake
from stream.repair import Repair, Who
from stream.repair_ports import NamedModels
from stream.settings import RepairSettings

ENDS_SECONDS = 5.0  # an audit is worth having without the broker


async def audit(settings: RepairSettings) -> tuple[AuditReport, str | None]:
    """Account for every offset that was read; and why the broker did not say what is unread, if it did not.

    Raises DatabaseUnreachable, SchemaMismatch.
    """
    quieten_aiokafka()
    async with _database(settings) as pool:
        try:
            ends, silent = await _ends(settings, pool), None
        except BrokerUnreachable as error:
            ends, silent = None, str(error)
        return await account(pool, ends), silent


def operator() -> str:
    """Who runs this command, for the record."""
    return getpass.getuser()


async def repair(
    settings: RepairSettings, report: AuditReport, reason: str, models: NamedModels | None = None
) -> list[PartitionRepair]:
    """Put back what this report misses. Raises BrokerUnreachable, DatabaseUnreachable, SchemaMismatch.

    `models` is for tests that bring their own.
    """
    quieten_aiokafka()
    async with _database(settings) as pool, _repairing(settings, pool, models or _models(settings)) as run:
        return await run(report, Who(operator(), reason))


@asynccontextmanager
async def _repairing(settings: RepairSettings, pool: Pool, models: NamedModels) -> AsyncIterator[Repair]:
    broker, prefix, store = Broker.of(settings), settings.topic_prefix, Repairs(pool)
    topics = [f"{prefix}{topic.name}" for topic in (TRIP_EVENTS, TRIP_PREDICTIONS, TRIP_QUARANTINE)]
    async with (
        past_records(broker, topics[0]) as events,
        past_records(broker, topics[1]) as predicted,
        past_records(broker, topics[2]) as refused,
        RecordProducer(broker) as producer,
    ):
        published = Published(predicted, refused, topics[0])
        output = Publisher(producer, prefix, TRIP_EVENTS.name, TRIP_PREDICTIONS.name, TRIP_QUARANTINE.name)
        remake = Remake(published, store, models, settings.clock())
        yield Repair(events, store, published, remake, output, settings.rules())


def _models(settings: RepairSettings) -> NamedModels:
    registry = Registry(MlflowRest(settings.mlflow, settings.mlflow_seconds), settings.model)
    return Shelf(registry, LocalModels(settings.data / "models", feature_schema(settings.clock())))


async def _ends(settings: RepairSettings, pool: Pool) -> dict[tuple[int, int], int]:
    """Where the partitions of the topic that is there now end, by source id and partition."""
    broker, topic = Broker.of(settings), f"{settings.topic_prefix}{TRIP_EVENTS.name}"
    here = await topic_source(broker, topic)
    sources = await Repairs(pool).sources()
    mine = [source_id for source_id, source in sources.items() if source.topic_uuid == here.topic_uuid]
    ends = await end_offsets(broker, topic)
    return {(source_id, partition): end for source_id in mine for partition, end in ends.items()}


def quieten_aiokafka() -> None:
    """What it complains of reaches the user as our error."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())


@asynccontextmanager
async def _database(settings: RepairSettings) -> AsyncIterator[Pool]:
    pool = await open_pool(settings, "tripcast-audit")
    try:
        await check_schema(pool)
        yield pool
    finally:
        await pool.close()
