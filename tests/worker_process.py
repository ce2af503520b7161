"""The worker as a process of its own, with a model that needs no registry: `python -m tests.worker_process`.

TEST_KILLER names a trip id on which decoding kills the process, as a crash in native code would.
"""

import os
import signal

from adapters.environment.logs import configure
from schemas.events import TripCompleted, TripStarted
from stream.bootstrap import run
from stream.decode import decode_event
from stream.settings import WorkerSettings
from tests.fakes.champion import ArithmeticModel, FixedChampion

KILLER = os.environ.get("TEST_KILLER")


def decode_or_die(value: bytes) -> TripStarted | TripCompleted:
    event = decode_event(value)
    if event.trip_id == KILLER:
        os.kill(os.getpid(), signal.SIGKILL)
    return event


if __name__ == "__main__":
    settings = WorkerSettings.read()
    configure(settings)
    run(settings, champion=FixedChampion(ArithmeticModel()), decode_one=decode_or_die)
