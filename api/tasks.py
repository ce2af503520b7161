"""What the API does beside answering: it reads keys, and listens to its own pulse."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

import structlog

from api.auth import KeyRing
from api.metrics import Metrics
from domain.entities.api_keys import StoredKey
from domain.errors import SchemaMismatch, TripcastError

log = structlog.get_logger("tripcast.api")

KEYS_SECONDS = 2.0  # with the deadline of the reading below 5 s, the longest that a revoked key may live
PULSE_SECONDS = 0.25
SCHEMA_SECONDS = 2.0

Misfit = Callable[[SchemaMismatch], None]


async def follow_keys(read: Callable[[], Awaitable[Sequence[StoredKey]]], ring: KeyRing) -> None:
    """Read the keys until cancelled; while the database is away, those that were read last are valid."""
    up = True
    while True:
        try:
            ring.replace(await read())
            up = True
        except TripcastError as error:
            if up:
                log.warning("keys_unread", reason=str(error))
            up = False
        await asyncio.sleep(KEYS_SECONDS)


async def look_at_schema(fits: Callable[[], Awaitable[None]], misfit: Misfit) -> None:
    """Once, as soon as the database answers: is it this program's?"""
    while True:
        try:
            await fits()
        except SchemaMismatch as error:
            misfit(error)
        except TripcastError:  # whoever needs the database says so
            await asyncio.sleep(SCHEMA_SECONDS)
            continue
        return


async def pulse(metrics: Metrics) -> None:
    """Measure how late the event loop is, until cancelled."""
    while True:
        due = monotonic() + PULSE_SECONDS
        await asyncio.sleep(PULSE_SECONDS)
        metrics.looped(max(0.0, monotonic() - due))
