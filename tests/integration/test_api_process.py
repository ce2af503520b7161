"""The API's promises as a process: what it answered is logged through outages and a SIGTERM, and health tells the truth."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cli.embedded.ports import free_ports
from tests.api_process import ApiProcess, api_process, start
from tests.proxy import Proxy
from tests.running import until
from tests.serving import TRIP

TRUTH_SECONDS = 5.0  # health must know of a fault, and of its end, within them
STOP_SECONDS = 10.0
SOME = 200


@pytest.fixture
async def proxy(database: str) -> AsyncIterator[Proxy]:
    """A way to the database that is cut at first."""
    proxy = Proxy(free_ports(1)[0], urlsplit(database).port or 0)
    yield proxy
    await proxy.cut()


async def answered(api: ApiProcess, count: int) -> None:
    async def enough() -> bool:
        return len(api.answered) >= count

    await until(enough)


async def test_what_a_kill_takes_is_the_newest_alone(database: str, tmp_path: Path) -> None:
    async with api_process(database, tmp_path) as api:
        loading = asyncio.create_task(api.load())
        await answered(api, SOME)
        api.process.send_signal(signal.SIGKILL)
        await api.ended()
        await loading
        stored = await api.stored()
    lost = set(api.answered) - stored
    assert lost == set(sorted(api.answered)[len(api.answered) - len(lost) :])  # ids grow: there is no hole
    assert len(stored) > 0


async def test_outages_are_told_survived_and_made_good(database: str, proxy: Proxy, tmp_path: Path) -> None:
    """No database at the start, one that goes away, one that falls silent, and a SIGTERM while it is silent."""
    api = start(database, tmp_path, database.replace(f":{urlsplit(database).port}/", f":{proxy.port}/"))
    said: set[str] = set()

    async def predict() -> str:
        answer = await client.post(f"{api.address}/predict", json=TRIP)
        assert answer.status_code == 200
        return str(answer.json()["prediction_id"])

    async def missing() -> bool:
        status, document = await api.get("/readyz")
        return status == 503 and {error["pointer"] for error in document["errors"]} == {"database", "prediction_log"}

    async def made_good() -> bool:
        return await api.stored() == said

    try:
        async with httpx.AsyncClient(timeout=2) as client:
            await until(missing)
            await proxy.heal()
            await api.ready(200, TRUTH_SECONDS)
            for fault in (proxy.cut, proxy.swallow):
                said |= {await predict() for _ in range(5)}
                await fault()
                said |= {await predict() for _ in range(20)}
                await until(missing, TRUTH_SECONDS)
                assert (await api.get("/livez"))[0] == 200
                await proxy.heal()
                await api.ready(200, TRUTH_SECONDS)
                await until(made_good)
            await proxy.swallow()
            for _ in range(3):
                await predict()
        api.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(api.ended(), STOP_SECONDS) == 0
        assert '"rows": 3, "event": "predictions_lost"' in api.log.read_text()
    finally:
        if api.process.poll() is None:
            api.process.kill()
            api.process.wait()
