"""Browsers without a screen: they send what Dash's renderer sends for an open page Live, once a second, and hold its state."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

CALLBACK = "/_dash-update-component"
VIEW = {"period": "15m", "paused": False, "theme": "light", "metric": "trips", "end": "pickup", "zone": "UTC", "query": {}}
EVERY_SECONDS = 1.0


@dataclass(slots=True)
class Browser:
    """One open page. `waits`: seconds that each tick took; `received`: bytes of the answers."""

    client: httpx.AsyncClient
    output: str
    known: Any = field(default_factory=dict)
    ticks: int = 0
    waits: list[float] = field(default_factory=list)
    received: int = 0

    async def look(self, delay: float, until: float) -> None:
        """Tick once a second until then (monotonic clock). Raises when the board answers with an error."""
        await asyncio.sleep(delay)
        while (began := time.monotonic()) < until:
            await self._tick()
            self.waits.append(time.monotonic() - began)
            await asyncio.sleep(max(0.0, EVERY_SECONDS - (time.monotonic() - began)))

    async def _tick(self) -> None:
        self.ticks += 1
        answer = await self.client.post(CALLBACK, json=self._asked())
        if answer.status_code == httpx.codes.NO_CONTENT:
            return
        answer.raise_for_status()
        self.received += len(answer.content)
        self.known = answer.json()["response"].get("known", {}).get("data", self.known)

    def _asked(self) -> dict[str, Any]:
        """The callback's request, as the renderer writes it."""
        outputs = [_property(each) for each in self.output.strip(".").split("...")]
        inputs = [
            {"id": "tick", "property": "n_intervals", "value": self.ticks},
            {"id": "view", "property": "data", "value": VIEW},
        ]
        state = [{"id": "route", "property": "data", "value": "/"}, {"id": "known", "property": "data", "value": self.known}]
        changed = ["tick.n_intervals"]
        return {"output": self.output, "outputs": outputs, "inputs": inputs, "changedPropIds": changed, "state": state}


async def browsers(address: str, count: int, seconds: float) -> list[Browser]:
    """So many browsers look at the page Live for so long, their ticks spread over the second."""
    async with httpx.AsyncClient(base_url=address, timeout=10.0) as client:
        output = await _callback(client)
        opened = [Browser(client, output) for _ in range(count)]
        until = time.monotonic() + seconds
        await asyncio.gather(*(each.look(number * EVERY_SECONDS / count, until) for number, each in enumerate(opened)))
    return opened


async def _callback(client: httpx.AsyncClient) -> str:
    """The output of the one callback that listens to the clock, as the board itself announces it."""
    announced = (await client.get("/_dash-dependencies")).raise_for_status().json()
    listening = [
        each for each in announced if each["inputs"] and each["inputs"][0] == {"id": "tick", "property": "n_intervals"}
    ]
    if len(listening) != 1:
        raise RuntimeError(f"{len(listening)} callbacks listen to the clock; this benchmark knows one")
    return str(listening[0]["output"])


def _property(output: str) -> dict[str, str]:
    component, _, name = output.rpartition(".")
    return {"id": component, "property": name.partition("@")[0]}
