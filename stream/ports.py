"""What the worker needs of Kafka, as contracts; `adapters.kafka` fulfils them and `bootstrap` brings the two together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ssl import SSLContext
from typing import Protocol

import numpy as np
from pydantic import SecretStr

from domain.entities.rejections import DeadLetter
from domain.entities.streams import StreamSource
from domain.entities.trips import Times
from domain.tallies import ScoredTrips


class Record(Protocol):
    """One record as the broker gave it. `timestamp` is in milliseconds since 1970, by the producer or the broker."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""
        ...

    @property
    def timestamp(self) -> int:
        """When it was made."""
        ...

    @property
    def key(self) -> bytes | None:
        """Its key."""
        ...

    @property
    def value(self) -> bytes | None:
        """Its bytes."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """What the producer put beside it."""
        ...


Records = Mapping[int, Sequence[Record]]


class Login(Protocol):
    """Who we are to Kafka; `mechanism` as SASL calls it."""

    @property
    def mechanism(self) -> str: ...  # noqa: D102

    @property
    def user(self) -> str: ...  # noqa: D102

    @property
    def password(self) -> SecretStr: ...  # noqa: D102


class Broker(Protocol):
    """Where Kafka is (host:port, comma-separated) and how one gets in."""

    @property
    def servers(self) -> str: ...  # noqa: D102

    @property
    def login(self) -> Login | None: ...  # noqa: D102

    def tls(self) -> SSLContext | None:
        """None where nothing is encrypted."""
        ...


class EventSource(Protocol):
    """The input topic. Every method raises BrokerUnreachable within its deadline, and works again when the broker does."""

    generation: int  # rises with every change of the assignment
    assigned: frozenset[int]  # the partitions that are ours now
    changed: asyncio.Event  # set with every change; whoever waits for it clears it first
    before_revoke: Callable[[], Awaitable[None]] | None  # awaited before the group takes partitions away; bounded by itself

    async def open(self) -> None:
        """Join the group. Idempotent; needed again after BrokerUnreachable from `fetch`."""
        ...

    async def close(self) -> None:
        """Leave the group, within seconds."""
        ...

    async def source(self) -> StreamSource:
        """Which incarnation of the topic is there now."""
        ...

    def seek(self, partition: int, offset: int) -> None:
        """Read from `offset` on. Raises KeyError when the partition is not ours any more."""
        ...

    async def fetch(self, partitions: Sequence[int], max_records: int, wait_seconds: float) -> Records:
        """Records in offset order per partition. Raises IndexError when a position is outside the log."""
        ...

    async def positions(self, partitions: Sequence[int]) -> dict[int, int]:
        """Where the next fetch goes on: beyond offsets that have no record."""
        ...

    async def log_start_offsets(self, partitions: Sequence[int]) -> dict[int, int]:
        """The first offsets that retention has left."""
        ...

    async def end_offsets(self, partitions: Sequence[int]) -> dict[int, int]:
        """The offsets after the last records."""
        ...

    def known_ends(self, partitions: Sequence[int]) -> dict[int, int]:
        """Where these partitions ended when the broker last gave records of them; absent: not known yet. No I/O."""
        ...

    def hint(self, next_offsets: Mapping[int, int]) -> None:
        """Tell Kafka's own bookkeeping; for lag tools alone. Never waits, never fails."""
        ...


class ScoredHistory(Protocol):
    """What was scored before, as it is stored. Raises DatabaseUnreachable."""

    async def scored(self, trip_ids: Sequence[str], pickup_at: Times) -> ScoredTrips:
        """Those of these trips, with these pickups, that a champion has scored, in any order; none that came from files."""
        ...

    async def newest_pickups(self, source_id: int, before: Mapping[int, int]) -> dict[int, np.datetime64]:
        """The newest of the last stored pickups of each partition below the given offset; absent: there are none."""
        ...


class Spans(Protocol):
    """Where spans of traces go. Never waits, never raises for what is outside."""

    def add(self, name: str, traceparent: str, ns: tuple[int, int], attributes: Mapping[str, str | int]) -> None:
        """A span from `ns[0]` to `ns[1]`, nanoseconds since 1970, below the one that the (valid) header names."""
        ...


class Output(Protocol):
    """The output topics. Raises BrokerUnreachable within a deadline; a repeat may store records again (at least once)."""

    async def predictions(
        self, keys: Sequence[bytes], values: Sequence[bytes], traceparents: Sequence[str | None] | None = None
    ) -> None:
        """Store predictions in the given order per key; returns when the broker has them. `traceparents`: of each, or none."""
        ...

    async def quarantine(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Store refused events byte for byte; returns when the broker has them."""
        ...
