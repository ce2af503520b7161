"""`make flame`: where the time of a worker that drains a backlog goes, as a flame graph by py-spy (of who holds the GIL)."""

import argparse
import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.champion import champion
from benchmarks.stream.events import city_events, publish
from benchmarks.stream.ours import drained, empty
from benchmarks.world import REPOSITORY, World, new_world
from cli.embedded.ports import free_ports

PREFIX = "flame-"
TRIPS = 240_000
HISTORY_TRIPS = 4_000  # how good the champion is does not matter here
SAMPLES_A_SECOND = 250
PY_SPY = REPOSITORY / ".venv-tools" / "bin" / "py-spy"


def record(world: World, target: Path) -> None:
    """Run a worker below py-spy until everything is a row. Raises RuntimeError with py-spy's last words."""
    settings = world.environment(TRIPCAST_TOPIC_PREFIX=PREFIX, TRIPCAST_WORKER_PORT=str(free_ports(1)[0]))
    options = ("--gil", "--threads", "--rate", str(SAMPLES_A_SECOND), "--output", str(target))
    command = [str(PY_SPY), "record", *options, "--", sys.executable, "-m", "cli", "worker"]
    with (world.folder / "flame.log").open("w+") as said:
        spy = subprocess.Popen(command, env=settings, cwd=REPOSITORY, stdout=said, stderr=subprocess.STDOUT)
        try:
            asyncio.run(drained(world, PREFIX))
        finally:
            spy.send_signal(signal.SIGINT)  # it ends the worker and writes the graph
            spy.wait(30)
        if not target.exists():
            said.seek(0)
            raise RuntimeError(f"py-spy wrote nothing: {said.read()[-1000:]}")


def main() -> None:
    """Write the graph and say where."""
    parser = argparse.ArgumentParser(prog="flame", description=__doc__)
    parser.add_argument("target", type=Path)
    target = parser.parse_args().target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    say = Console(stderr=True).print
    with new_world() as world:
        champion(world, say, HISTORY_TRIPS)
        asyncio.run(_prepare(world))
        say("draining")
        record(world, target)
    Console().print(f"file://{target}")


async def _prepare(world: World) -> None:
    events = city_events(TRIPS, seed=2)
    await world.topics(PREFIX)
    await publish(world.kafka, f"{PREFIX}trip-events", events)
    await empty(world)


if __name__ == "__main__":
    main()
