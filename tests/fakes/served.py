"""The log of served predictions in memory; the contract tests hold it to what PostgreSQL does."""

import asyncio
from dataclasses import dataclass, field

from domain.entities.api_keys import StoredKey
from domain.entities.served import ServedPredictions
from domain.errors import ConcurrentUpdate, DatabaseUnreachable


@dataclass
class InMemoryServed:
    """Implements `api.ports.ServedStore`. Set `down` to make every call fail.

    `forgetful`: the next write succeeds and says that it failed. While `gate` is not set, writes wait.
    """

    down: bool = False
    forgetful: bool = False
    rows: dict[bytes, dict[str, object]] = field(default_factory=dict)
    writes: list[int] = field(default_factory=list)
    tried: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def write(self, rows: ServedPredictions, *, again: bool) -> None:
        self.tried += 1
        self.changed.set()
        self._check()
        await self.gate.wait()
        found = dict(zip(rows.prediction_id.tolist(), _rows(rows), strict=True))
        present = found.keys() & self.rows.keys()
        if present and not again:
            raise ConcurrentUpdate("rows are there already")
        self.rows |= {key: row for key, row in found.items() if key not in present}
        self.writes.append(len(rows))
        if self.forgetful:
            self.forgetful = False
            raise DatabaseUnreachable("the answer was lost")

    async def probe(self) -> None:
        self._check()

    def close(self) -> None:
        """Nothing is open."""

    def _check(self) -> None:
        if self.down:
            raise DatabaseUnreachable("the database is down")


@dataclass
class FixedKeys:
    """Implements `api.ports.ReadKeys`."""

    keys: list[StoredKey] = field(default_factory=list)
    down: bool = False

    async def __call__(self) -> list[StoredKey]:
        if self.down:
            raise DatabaseUnreachable("the database is down")
        return [key for key in self.keys if key.revoked_at is None]

    def close(self) -> None:
        """Nothing is open."""


def _rows(rows: ServedPredictions) -> list[dict[str, object]]:
    names = [name for name in ServedPredictions.__slots__ if name != "prediction_id"]
    columns = [getattr(rows, name).tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
