"""A producer as a process, for faults of its machine: `python -m tests.chaos.send_process KAFKA TOPIC JOURNAL TRIPS`."""

import asyncio
import sys
from pathlib import Path

import numpy as np

from schemas.events import TripCompleted, TripStarted
from tests.chaos.journal import Journal
from tests.chaos.load import AT_ONCE, send
from tests.running import events_of
from tests.trips import random_trips


def a_night(trips: int) -> list[TripStarted | TripCompleted]:
    """The starts and ends of about six hours, as they happen."""
    day = random_trips(4 * trips, seed=17, days=1)
    started, completed = events_of(day.take(np.argsort(day.pickup_at)[:trips]))
    return sorted([*started, *completed], key=lambda event: getattr(event, "dropoff_at", event.pickup_at))


async def main(kafka: str, topic: str, journal: str, trips: str) -> None:
    """Send all of it, and save what the broker has acknowledged."""
    sent = Journal()
    await send(kafka, topic, a_night(int(trips)), sent, AT_ONCE)
    sent.save(Path(journal))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
