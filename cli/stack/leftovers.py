"""Ends what a killed stack has left running, and nothing else.

Every child carries a marker in its environment: a random id from the data folder's own `stack.json`, and the folder's path.
Whoever holds the folder's lock knows that a process with that marker belongs to a stack that is gone. Process ids alone
prove nothing: they are used again.
"""

import signal
from contextlib import suppress

import psutil

MARKER = "_TRIPCAST_STACK"  # without our prefix: it is not a setting
GRACE_SECONDS = 15.0


def reap(marker: str) -> list[str]:
    """Stop every process that carries the marker, kill what does not stop; the names of what was found."""
    found = [process for process in psutil.process_iter() if _carries(process, marker)]
    names = [_name(process) for process in found]
    for process in found:
        _ask_to_end(process)
    _, alive = psutil.wait_procs(found, timeout=GRACE_SECONDS)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)
    return names


def _carries(process: psutil.Process, marker: str) -> bool:
    try:
        return process.environ().get(MARKER) == marker
    except (psutil.Error, OSError):  # gone meanwhile, or somebody else's
        return False


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return "?"


def _ask_to_end(process: psutil.Process) -> None:
    """SIGTERM; for PostgreSQL SIGINT, its fast shutdown, since SIGTERM would wait for all clients."""
    with suppress(psutil.Error):
        process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
        process.resume()  # a frozen one would not hear it
