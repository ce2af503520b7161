"""What a repair needs of Kafka and PostgreSQL, as contracts; `adapters` fulfil them, `repair_bootstrap` joins the two."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from domain.entities.models import LifecycleEvent
from domain.entities.repairs import Neighbour, Remade, Restored, StoredTrips
from domain.entities.streams import StreamSource
from domain.ports import Refuse, ScoringModel
from stream.ports import Record


class PastRecords(Protocol):
    """One topic as it lies on the broker, read outside every group. Raises BrokerUnreachable within its deadline."""

    async def source(self) -> StreamSource:
        """Which incarnation of the topic is there now."""
        ...

    async def limits(self, partition: int) -> tuple[int, int]:
        """The first offset that retention has left, and the one after the last committed record."""
        ...

    async def partitions(self) -> Sequence[int]:
        """The numbers of the topic's partitions."""
        ...

    async def partition_of(self, keys: Sequence[bytes]) -> list[int]:
        """Where producers put records of these keys."""
        ...

    async def offset_at(self, partition: int, moment: datetime) -> int:
        """The first offset whose record is not older than the moment; the partition's end when all are."""
        ...

    def records(self, partition: int, first: int, until: int) -> AsyncGenerator[Record]:
        """The committed records of [first, until), in order; offsets that have none are passed over.

        One reading at a time: whoever leaves it early closes it.
        """
        ...


class RepairStore(Protocol):
    """The stored stream. Raises DatabaseUnreachable."""

    async def sources(self) -> Mapping[int, StreamSource]:
        """Every incarnation of a topic that was ever read, by source id."""
        ...

    async def neighbours(self, source_id: int, partition: int, offsets: Sequence[int]) -> dict[int, Neighbour]:
        """By offset, the champion's prediction nearest below it, else nearest above; absent: the partition has none."""
        ...

    async def trips_at(self, source_id: int, partition: int, offsets: Sequence[int]) -> StoredTrips:
        """The stored trips of these records."""
        ...

    async def restore(self, source_id: int, remade: Remade, refuse: Refuse, event: LifecycleEvent) -> Restored:
        """Insert what is missing in one transaction under the worker's lock; moves no position.

        Idempotent: what is there stays as it is. The event is recorded with it, with the counts in its details, unless there
        was nothing to insert.
        """
        ...


class NamedModels(Protocol):
    """Model versions by number."""

    async def version(self, number: int) -> ScoringModel | None:
        """The verified version, or None when it is nowhere to be had."""
        ...
