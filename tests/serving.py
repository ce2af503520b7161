"""The API without a network: the whole application over fakes, asked in this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI

from api.app import create_application
from api.bootstrap import Core, World
from api.settings import ApiSettings
from domain.entities.trips import TripColumns
from tests.fakes.champion import ArithmeticModel, FixedChampion
from tests.fakes.served import FixedKeys, InMemoryServed

TRIP: dict[str, Any] = {
    "vendor_id": 1,
    "passenger_count": 2,
    "pickup_at": "2016-03-01T17:00:00Z",
    "pickup": {"latitude": 40.75, "longitude": -73.98},
    "dropoff": {"latitude": 40.77, "longitude": -73.87},
}


@dataclass
class Api:
    """An application that runs, its world, and a client."""

    app: FastAPI
    client: httpx.AsyncClient
    core: Core
    champion: FixedChampion
    served: InMemoryServed
    keys: FixedKeys


@dataclass
class Fakes:
    """The world of an application; a test may change it before and while it runs."""

    champion: Any = field(default_factory=lambda: FixedChampion(ArithmeticModel()))
    served: InMemoryServed = field(default_factory=InMemoryServed)
    keys: FixedKeys = field(default_factory=FixedKeys)


@asynccontextmanager
async def serving(fakes: Fakes | None = None, reads: list[APIRouter] | None = None, **settings: Any) -> AsyncIterator[Api]:
    """Run it with these settings (named without `api_`)."""
    fakes = fakes or Fakes()
    core = Core(api_settings(**settings), World(fakes.champion, fakes.served, fakes.keys))
    app = create_application(core.serve, reads or [], lambda _: core.opened())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        await core.serve.follower.now()
        yield Api(app, client, core, fakes.champion, fakes.served, fakes.keys)


def api_settings(**settings: Any) -> ApiSettings:
    return ApiSettings(_env_file=None, **{f"api_{name}": value for name, value in settings.items()})


def bodies_of(trips: TripColumns) -> list[dict[str, Any]]:
    """The requests that ask for these trips."""
    columns = [getattr(trips, name).tolist() for name in TripColumns.__slots__]
    return [
        {
            "vendor_id": vendor,
            "passenger_count": passengers,
            "pickup_at": f"{pickup.isoformat()}Z",
            "pickup": {"latitude": north, "longitude": east},
            "dropoff": {"latitude": far_north, "longitude": far_east},
        }
        for _, vendor, passengers, pickup, north, east, far_north, far_east in zip(*columns, strict=True)
    ]


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Return when it holds; a test's own time limit is the deadline."""
    while True:
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        await asyncio.sleep(0.005)
