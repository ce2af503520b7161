"""Faults and bugs planted into a worker's process (`tests.worker_process`), at a chosen step, so that nothing depends on luck.

TEST_FAULT is `action@step`: `kill` (SIGKILL), `freeze` (SIGSTOP) or `end` (the server ends the connection), once, on the third
batch or, with TEST_FAULT_WHEN, on the first one after that file is there. TEST_BUG is the name of one of BUGS, which
`tests/chaos/checker.py` must find.
"""

import itertools
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters.kafka.publisher import Publisher
from adapters.postgres.connection.pool import connected
from adapters.postgres.stream.batch_writer import ADVANCE, BatchWriter
from adapters.postgres.stream.settling import Verdict, settle
from adapters.postgres.stream.store import Streams
from domain.entities.streams import BatchReceipt, EventBatch, Span
from domain.errors import DatabaseUnreachable
from domain.ports import Refuse

THIRD = 3
ACTION, _, STEP = os.environ.get("TEST_FAULT", "").partition("@")
WHEN = os.environ.get("TEST_FAULT_WHEN")
SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}
END = "select pg_terminate_backend(pg_backend_pid())"
_times = itertools.count(1)
_done = False

_write, _advance, _lock = Streams.write, BatchWriter._advance, BatchWriter._lock
_predictions = Publisher.predictions


def plant() -> None:
    """What the environment asks for."""
    if bug := os.environ.get("TEST_BUG"):
        BUGS[bug]()
    if STEP == "before_transaction":
        Streams.write = _write_after_the_fault  # type: ignore[method-assign]
    elif STEP == "in_transaction":
        BatchWriter._advance = _advance_after_the_fault  # type: ignore[method-assign]
    elif STEP == "before_publishing":
        Publisher.predictions = _publish_after_the_fault  # type: ignore[method-assign,assignment]


def _due(step: str) -> bool:
    global _done  # noqa: PLW0603 - once in the process's life
    if step != STEP or _done or not (Path(WHEN).exists() if WHEN else next(_times) == THIRD):
        return False
    _done = True
    return True


def _strike(step: str) -> None:
    if _due(step):
        os.kill(os.getpid(), SIGNALS[ACTION])


async def _write_after_the_fault(self: Streams, source_id: int, batch: EventBatch, refuse: Refuse) -> BatchReceipt:
    _strike("before_transaction")
    return await _write(self, source_id, batch, refuse)


async def _advance_after_the_fault(self: BatchWriter) -> None:
    if ACTION != "end":
        _strike("in_transaction")
    elif _due("in_transaction"):
        await self.connection.execute(END)
    await _advance(self)


async def _publish_after_the_fault(self: Publisher, *arguments: Any) -> None:
    _strike("before_publishing")
    await _predictions(self, *arguments)


# --- bugs ---------------------------------------------------------------------------------------------------------------


def _acknowledge_before_write() -> None:
    """The offset moves in a transaction of its own, before the rows'."""

    async def write(self: Streams, source_id: int, batch: EventBatch, refuse: Refuse) -> BatchReceipt:
        await _move(self, source_id, batch.spans)
        _strike("between")
        return await _write(self, source_id, batch, refuse)

    _rows_alone(write)


def _acknowledge_after_write() -> None:
    """The offset moves in a transaction of its own, after the rows'."""

    async def write(self: Streams, source_id: int, batch: EventBatch, refuse: Refuse) -> BatchReceipt:
        receipt = await _write(self, source_id, batch, refuse)
        _strike("between")
        await _move(self, source_id, batch.spans)
        return receipt

    _rows_alone(write)


def _insert_again() -> None:
    """The same, with inserts that do not look at what is stored. Needs tables without keys."""

    async def decide(self: BatchWriter) -> Verdict:
        return settle(self.batch, {})

    _acknowledge_after_write()
    BatchWriter._decide = decide  # type: ignore[method-assign]


def _drop_on_retry() -> None:
    """A batch whose write failed is given up, and the next one is written behind it."""

    async def write(self: Streams, source_id: int, batch: EventBatch, refuse: Refuse) -> BatchReceipt:
        try:
            return await _write(self, source_id, batch, refuse)
        except DatabaseUnreachable:
            return _nothing(batch)

    async def lock(self: BatchWriter) -> None:
        """Not asking whether the batch begins at the stored offset, which would refuse the next one."""

    Streams.write, BatchWriter._lock = write, lock  # type: ignore[method-assign]


def _commit_on_error() -> None:
    """The offset moves though the write failed, as `finally: commit()` does."""

    async def write(self: Streams, source_id: int, batch: EventBatch, refuse: Refuse) -> BatchReceipt:
        try:
            return await _write(self, source_id, batch, refuse)
        except DatabaseUnreachable:
            await _move(self, source_id, batch.spans)
            return _nothing(batch)

    Streams.write = write  # type: ignore[method-assign]


def _rows_alone(write: Callable[..., Any]) -> None:
    """Rows in their transaction, without the offset and without its fence."""

    async def nothing(self: BatchWriter) -> None:
        """Left out."""

    Streams.write, BatchWriter._lock, BatchWriter._advance = write, nothing, nothing  # type: ignore[method-assign]


async def _move(store: Streams, source_id: int, spans: Sequence[Span]) -> None:
    async with connected(store._pool) as connection:
        partitions, offsets = [span.partition for span in spans], [span.next_offset for span in spans]
        await connection.execute(ADVANCE, source_id, partitions, offsets, [0] * len(spans))


def _nothing(batch: EventBatch) -> BatchReceipt:
    none, ended = np.zeros(len(batch.started), dtype=np.bool_), np.zeros(len(batch.completed), dtype=np.bool_)
    return BatchReceipt(none, ended, 0, 0, 0)


BUGS: dict[str, Callable[[], None]] = {
    "acknowledge_before_write": _acknowledge_before_write,
    "insert_again": _insert_again,
    "drop_on_retry": _drop_on_retry,
    "commit_on_error": _commit_on_error,
}
