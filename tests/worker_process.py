"""The worker as a process of its own, with a model that needs no registry: `python -m tests.worker_process`.

TEST_KILLER names a trip id on which decoding kills the process, as a crash in native code would. TEST_CHAMPION and
TEST_SHADOW are the versions of the models (defaults: 1, and 0 for no shadow). With TEST_SIGNALS=lost nobody hears a signal.
TEST_FAULT and TEST_BUG: see `tests.planted`.
"""

import os
import signal

from adapters.environment.logs import configure
from schemas.events import TripCompleted, TripStarted
from stream.bootstrap import Models, run
from stream.decode import decode_event
from stream.inbox import Inbox
from stream.registered import AskModels
from stream.settings import WorkerSettings
from tests.fakes.champion import ArithmeticModel, FixedChampion, FixedShadow
from tests.planted import plant

KILLER = os.environ.get("TEST_KILLER")
CHAMPION, SHADOW = int(os.environ.get("TEST_CHAMPION", "1")), int(os.environ.get("TEST_SHADOW", "0"))


def decode_or_die(value: bytes) -> TripStarted | TripCompleted:
    event = decode_event(value)
    if event.trip_id == KILLER:
        os.kill(os.getpid(), signal.SIGKILL)
    return event


if __name__ == "__main__":
    settings = WorkerSettings.read()
    configure(settings)
    if os.environ.get("TEST_SIGNALS") == "lost":
        Inbox.put = lambda _inbox, _message: None  # type: ignore[method-assign,assignment]
    plant()
    champion = FixedChampion(ArithmeticModel(CHAMPION))
    shadow = FixedShadow(ArithmeticModel(SHADOW) if SHADOW else None)
    run(settings, models=Models(champion, shadow, AskModels(champion, shadow)), decode_one=decode_or_die)
