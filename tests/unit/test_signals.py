"""When signals go out, and what becomes of them when Kafka or the database is away."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from domain.areas import AreaGrid
from domain.errors import BrokerUnreachable, InvalidInput
from schemas.events import QualitySignal
from stream import signals as module
from stream.ledger import Ledger
from stream.metrics import Metrics
from stream.signals import Signals
from stream.tally_commits import TallyCommits
from tests.batches import Event, Start, batch_of
from tests.fakes.scored_history import InMemoryScoredHistory
from tests.fakes.streams import InMemoryStreams
from tests.running import until

DEADLINE_SECONDS = 20.0


class Broker:
    """Takes signals one by one; `errors` are raised first, in their order. `open` lets sending go on."""

    def __init__(self) -> None:
        self.taken: list[QualitySignal] = []
        self.errors: list[Exception] = []
        self.open = asyncio.Event()
        self.open.set()
        self.offered = asyncio.Event()
        self._more = asyncio.Condition()

    async def send(self, value: bytes) -> None:
        self.offered.set()
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        async with self._more:
            self.taken.append(msgspec.json.decode(value, type=QualitySignal))
            self._more.notify_all()

    async def has(self, count: int) -> list[QualitySignal]:
        async with asyncio.timeout(DEADLINE_SECONDS), self._more:
            await self._more.wait_for(lambda: len(self.taken) >= count)
        return self.taken

    def spans(self) -> list[tuple[int, int, int]]:
        return [(span.partition, span.first_offset, span.next_offset) for signal in self.taken for span in signal.spans]


@dataclass
class Worker:
    """What commits, as the hot path does."""

    store: InMemoryStreams = field(default_factory=InMemoryStreams)
    broker: Broker = field(default_factory=Broker)
    ledger: Ledger = field(default_factory=Ledger)
    metrics: Metrics = field(default_factory=Metrics)
    ends: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.history = InMemoryScoredHistory(self.store)
        tally = TallyCommits(self.history, AreaGrid(), self.metrics, "worker")
        self.signals = Signals(tally, self.broker.send, self._ends, self.ledger, self.metrics)

    def _ends(self, partitions: Sequence[int]) -> Mapping[int, int]:
        return {number: self.ends[number] for number in partitions if number in self.ends}

    async def commit(self, *events: Event, end: int | None = None) -> None:
        """`end`: of every partition of the batch; default: they are caught up."""
        firsts = {event.partition: (await self.store.open_partition(1, event.partition, 0)).next_offset for event in events}
        batch = batch_of(events, firsts)
        receipt = await self.store.write(1, batch, _no_refusal)
        self.ledger.committed |= {span.partition: span.next_offset for span in batch.spans}
        self.ledger.source_id = 1
        self.ends |= {span.partition: end or span.next_offset for span in batch.spans}
        self.signals.add(1, batch, receipt, ())

    def counted(self, name: str, **labels: str) -> float:
        families = text_string_to_metric_families(self.metrics.exposition().decode())
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.signals.tally()), asyncio.create_task(self.signals.send())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def has_dropped(self, count: int) -> bool:
        return self.counted("tripcast_signals_dropped_total", reason="broker") == count


async def _no_refusal(_: object) -> list:  # type: ignore[type-arg]
    raise AssertionError("nothing contradicts")


async def test_a_batch_that_catches_up_is_told_at_once() -> None:
    worker = Worker()
    async with worker.running():
        await worker.commit(Start("a"), Start("b", partition=1))
        [signal] = await worker.broker.has(1)
    assert worker.broker.spans() == [(0, 0, 1), (1, 0, 1)]
    assert all(span.caught_up for span in signal.spans)


async def test_batches_with_more_behind_them_are_told_together() -> None:
    worker = Worker()
    async with worker.running():
        for number in range(5):
            await worker.commit(Start(f"t{number}"), end=99)
        [signal] = await worker.broker.has(1)
    assert worker.broker.spans() == [(0, 0, 5)]
    assert not signal.spans[0].caught_up


async def test_as_many_rows_as_a_group_holds_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP_ROWS", 3)
    monkeypatch.setattr(module, "LONGEST_WAIT_SECONDS", 3600.0)
    worker = Worker()
    async with worker.running():
        for number in range(3):
            await worker.commit(Start(f"t{number}"), end=99)
        await worker.broker.has(1)
    assert worker.broker.spans() == [(0, 0, 3)]


async def test_a_flush_waits_until_all_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_WAIT_SECONDS", 3600.0)
    worker = Worker()
    async with worker.running():
        await worker.signals.flush(DEADLINE_SECONDS)  # nothing is waiting
        await worker.commit(Start("a"), end=99)
        await worker.commit(Start("b"), end=99)
        await worker.signals.flush(DEADLINE_SECONDS)
        assert worker.broker.spans() == [(0, 0, 2)]
        worker.broker.open.clear()
        await worker.commit(Start("c"), end=99)
        await worker.signals.flush(0.05)  # bounded
        assert worker.broker.spans() == [(0, 0, 2)]


async def test_a_partition_that_is_found_to_be_caught_up_later_is_told_once_with_an_empty_span() -> None:
    worker = Worker()
    async with worker.running():
        await worker.commit(Start("a"), end=2)
        await worker.broker.has(1)
        worker.signals.look()  # more is known to be there
        worker.ends[0] = 1
        worker.signals.look()
        _, signal = await worker.broker.has(2)
        await worker.signals.flush(DEADLINE_SECONDS)
        worker.signals.look()
        await worker.signals.flush(DEADLINE_SECONDS)
        assert worker.broker.spans() == [(0, 0, 1), (0, 1, 1)]
        assert [(span.caught_up, span.newest_us) for span in signal.spans] == [(True, None)]
        worker.signals.begin_anew()  # another worker may have said otherwise
        worker.signals.look()
        await worker.broker.has(3)


async def test_an_empty_span_rides_with_another_partitions_batch() -> None:
    worker = Worker()
    async with worker.running():
        await worker.commit(Start("a"), end=2)
        await worker.broker.has(1)
        worker.ends[0] = 1
        await worker.commit(Start("b", partition=1))
        await worker.broker.has(2)
        await worker.signals.flush(DEADLINE_SECONDS)
    assert (0, 1, 1) in worker.broker.spans()


async def test_what_kafka_does_not_take_is_offered_again_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    worker = Worker()
    worker.broker.errors = [BrokerUnreachable("away"), BrokerUnreachable("still away")]
    async with worker.running():
        await worker.commit(Start("a"))
        await worker.broker.has(1)
        await worker.commit(Start("b"))
        await worker.broker.has(2)
        await worker.signals.flush(DEADLINE_SECONDS)
    assert worker.broker.spans() == [(0, 0, 1), (0, 1, 2)]
    assert worker.counted("tripcast_signals_sent_total") == 2
    assert worker.counted("tripcast_signals_dropped_total") == 0


async def test_while_kafka_is_away_signals_beyond_a_bound_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    monkeypatch.setattr(module, "LONGEST_REST_SECONDS", 0.0)
    worker = Worker()
    worker.broker.open.clear()
    async with worker.running():
        await worker.commit(Start("t0"))
        await worker.broker.offered.wait()
        for number in (1, 2, 3):
            await worker.commit(Start(f"t{number}"))
            await until(partial(worker.has_dropped, number), DEADLINE_SECONDS)
        worker.broker.open.set()
        await worker.signals.flush(DEADLINE_SECONDS)
        assert worker.broker.spans() == [(0, 0, 1)]
        worker.signals.look()
        await worker.broker.has(2)
    assert worker.broker.spans()[1:] == [(0, 4, 4)], "whoever listens sees by this that something is missing"


async def test_a_signal_that_is_too_large_is_given_up_and_the_next_goes_out() -> None:
    worker = Worker()
    worker.broker.errors = [InvalidInput("too large")]
    async with worker.running():
        await worker.commit(Start("a"))
        await worker.signals.flush(DEADLINE_SECONDS)
        await worker.commit(Start("b"))
        await worker.broker.has(1)
    assert worker.broker.spans()[0] == (0, 1, 2)
    assert worker.counted("tripcast_signals_dropped_total", reason="size") == 1


async def test_a_backlog_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    worker = Worker()
    for number in range(5):
        await worker.commit(Start(f"t{number}"), end=99)
    async with worker.running():
        await worker.signals.flush(DEADLINE_SECONDS)
    assert worker.broker.spans() == [(0, 2, 5)]
    assert worker.counted("tripcast_signals_dropped_total", reason="backlog") == 2


async def test_a_database_that_is_away_loses_signals_and_nothing_else() -> None:
    worker = Worker()
    worker.history.reachable = False
    async with worker.running():
        await worker.commit(Start("a"))
        await worker.signals.flush(DEADLINE_SECONDS)
        worker.history.reachable = True
        await worker.commit(Start("b"))
        await worker.broker.has(1)
    assert worker.broker.spans()[0] == (0, 1, 2)
    assert worker.counted("tripcast_signals_dropped_total", reason="database") == 1


async def test_its_time_is_counted() -> None:
    worker = Worker()
    async with worker.running():
        await worker.commit(Start("a"))
        await worker.broker.has(1)
    assert worker.counted("tripcast_stage_seconds_total", stage="signals") > 0
