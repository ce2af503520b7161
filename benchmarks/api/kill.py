"""What `kill -9` takes: answers that were read by their callers and are in no row, counted under full load."""

import asyncio
import os
import signal
import threading
import uuid
from dataclasses import dataclass

import msgspec

from benchmarks.api.load import load
from benchmarks.api.servers import our_api
from benchmarks.api.trips import posts_to_our_api
from benchmarks.world import World
from domain.entities.trips import TripColumns
from schemas.http.predictions import Prediction

CONNECTIONS = 64
AFTER_SECONDS = 2.5
MISSING = """
select id from unnest($1::uuid[]) with ordinality as answered (id, position)
where not exists (select from served_predictions where prediction_id = id) order by position
"""


@dataclass(frozen=True, slots=True)
class Lost:
    """`predictions` answered and not stored, of all `answered`; the first of them was answered so long before the end."""

    predictions: int
    answered: int
    milliseconds: float


def killed(world: World, asked: TripColumns) -> Lost:
    """Start the API, ask as fast as it answers, kill it in mid-traffic, count."""
    with our_api(world) as api:
        killer = threading.Timer(AFTER_SECONDS, os.kill, (api.pid, signal.SIGKILL))
        killer.start()
        measured = load(api.address, posts_to_our_api(asked), CONNECTIONS, 10 * AFTER_SECONDS, 0.0, may_end=True)
        killer.join()
    decode, answers = msgspec.json.Decoder(Prediction).decode, measured.answers
    ids = [uuid.UUID(decode(body).prediction_id) for body in answers.bodies]
    missing = {row[0] for row in asyncio.run(world.fetch(MISSING, ids))}
    if not ids:
        raise RuntimeError("the API answered nothing before it was killed")
    first = min((at for each, at in zip(ids, answers.done, strict=True) if each in missing), default=answers.done[-1])
    return Lost(len(missing), len(ids), (answers.done[-1] - first) * 1000)
