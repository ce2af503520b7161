"""A client that is cancelled while it connects, in front of a broker that is scripted byte by byte."""

import asyncio
import gc
import struct
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.client import AIOKafkaClient

from adapters.kafka import bootstrap
from adapters.kafka.bootstrap import whole
from adapters.kafka.broker import Broker as Address
from adapters.kafka.probe import broker_answers

API_VERSIONS, METADATA = 18, 3


class Broker:
    """Answers the question for versions; tells of the question for metadata, and answers it when told to."""

    def __init__(self) -> None:
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.hung_up = asyncio.Event()
        self.port = 0
        self._transports: list[asyncio.WriteTransport] = []

    def hang_up(self) -> None:
        for transport in self._transports:
            transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._transports.append(writer.transport)
        while length := await self._size(reader):
            request = await reader.readexactly(length)
            key, _, correlation = struct.unpack(">hhi", request[:8])
            if key == METADATA:
                self.asked.set()
                await self.answer.wait()
            writer.write(_framed(correlation, self._versions() if key == API_VERSIONS else self._metadata()))
        self.hung_up.set()
        writer.close()

    async def _size(self, reader: asyncio.StreamReader) -> int:
        try:
            return int.from_bytes(await reader.readexactly(4), "big")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0

    def _versions(self) -> bytes:
        return struct.pack(">hi", 0, 1) + struct.pack(">hhh", METADATA, 0, 0)

    def _metadata(self) -> bytes:
        host = b"127.0.0.1"
        brokers = struct.pack(">iih", 1, 0, len(host)) + host + struct.pack(">i", self.port)
        return brokers + struct.pack(">i", 0)


def _framed(correlation: int, body: bytes) -> bytes:
    return struct.pack(">ii", 4 + len(body), correlation) + body


@asynccontextmanager
async def broker() -> AsyncIterator[Broker]:
    broker = Broker()
    server = await asyncio.start_server(broker.serve, "127.0.0.1")
    broker.port = server.sockets[0].getsockname()[1]
    async with server:
        yield broker
        broker.answer.set()
        if broker.asked.is_set():  # whoever asked has gone; its connection is to end before the loop does
            await asyncio.wait_for(broker.hung_up.wait(), 5)
            await asyncio.sleep(0)


@pytest.mark.parametrize("frozen", [False, True])
async def test_a_cancelled_bootstrap_leaves_no_connection_behind(frozen: bool) -> None:
    async with broker() as there:
        client = whole(AIOKafkaClient(bootstrap_servers=f"127.0.0.1:{there.port}", request_timeout_ms=500))
        task = asyncio.create_task(client.bootstrap())
        await there.asked.wait()
        task.cancel()
        if not frozen:
            there.answer.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.close()
        await asyncio.wait_for(there.hung_up.wait(), 5) if not frozen else None
        _nothing_unclosed(client, task)


async def test_a_broker_that_freezes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "GRACE_SECONDS", 0.05)
    async with broker() as there:
        client = whole(AIOKafkaClient(bootstrap_servers=f"127.0.0.1:{there.port}", request_timeout_ms=60_000))
        task = asyncio.create_task(client.bootstrap())
        await there.asked.wait()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Unclosed AIOKafkaConnection", ResourceWarning)  # aiokafka has lost this one
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=20)
            assert done == {task}
            assert task.cancelled()
            gc.collect()
        there.answer.set()
        await asyncio.wait_for(there.hung_up.wait(), 5)


async def test_of_a_bootstrap_that_is_cancelled_twice_nothing_runs_on_or_complains() -> None:
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    async with broker() as there:
        client = whole(AIOKafkaClient(bootstrap_servers=f"127.0.0.1:{there.port}", request_timeout_ms=60_000))
        task = asyncio.create_task(client.bootstrap())
        await there.asked.wait()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        there.hang_up()  # what had begun fails now
        await asyncio.wait([task], timeout=20)
        assert task.cancelled()
        assert not [each for each in asyncio.all_tasks() if "AIOKafkaClient" in str(each.get_coro())]
        del task
        await client.close()
        gc.collect()
    assert complaints == []


async def test_a_probe_that_gives_up_leaves_no_connection_behind() -> None:
    async with broker() as there:
        asking = asyncio.create_task(broker_answers(Address(f"127.0.0.1:{there.port}"), seconds=0.5))  # of the GRACE_SECONDS
        await there.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        _nothing_unclosed(asking)


def _nothing_unclosed(*_kept: object) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
    assert [str(each.message) for each in caught if issubclass(each.category, ResourceWarning)] == []
