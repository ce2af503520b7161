"""Runs a rival as a process of its own, in the rivals' environment."""

import json
import subprocess
from pathlib import Path

from benchmarks.world import REPOSITORY, World

PYTHON = REPOSITORY / ".venv-rivals" / "bin" / "python"
DEADLINE_SECONDS = 90


def run(world: World, rival: str, topic: str, model: Path, events: int, batch: int) -> dict[str, float]:
    """What it says of itself: events, seconds, commits, events per second. Its predictions go to a topic that nobody reads.

    Raises RuntimeError with its last words, or with what to do when there is no environment.
    """
    if not PYTHON.exists():
        raise RuntimeError(f"{PYTHON} is missing: run `make rivals`, or `make bench`, which does")
    arguments = {"kafka": world.kafka, "database": world.database, "topic": topic, "model": str(model), "batch": str(batch)}
    arguments |= {"events": str(events), "output": topic.replace("trip-events", "quality-signals")}
    options = [part for name, value in arguments.items() for part in (f"--{name}", value)]
    command = [str(PYTHON), "-m", f"benchmarks.stream.rivals.{rival}", *options]
    done = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    if done.returncode:
        raise RuntimeError(f"{rival} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
