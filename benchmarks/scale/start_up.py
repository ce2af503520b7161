"""How long each role takes from the start of its process to the first answer that it is ready."""

import time

from benchmarks.api.servers import served
from benchmarks.world import World
from cli.embedded.ports import HOST, free_ports

ROLES = {
    "worker": ("/readyz", "TRIPCAST_WORKER_PORT", "worker"),
    "api": ("/readyz", "TRIPCAST_API_PORT", "api"),
    "trainer": ("/readyz", "TRIPCAST_TRAINER_PORT", "trainer"),
    "board": ("/livez", "TRIPCAST_BOARD_PORT", "dashboard"),  # it has nothing to wait for
}


def seconds_of(world: World, role: str) -> float:
    """One start, beside nothing but the servers."""
    ready, setting, command = ROLES[role]
    (port,) = free_ports(1)
    settings = {setting: str(port), "TRIPCAST_API": f"http://{HOST}:{port}"} if role == "board" else {setting: str(port)}
    began = time.monotonic()
    with served(world, f"start-{role}.log", port, ready, "cli", command, **settings):
        return time.monotonic() - began
