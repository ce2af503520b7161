"""Runs the bare loop as a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.world import PARTITIONS, REPOSITORY, World

DEADLINE_SECONDS = 120


def run(world: World, topic: str, model: Path) -> float:
    """Events per second. Its predictions go to a topic that nobody reads."""
    arguments = {"kafka": world.kafka, "database": world.database, "topic": topic, "model": str(model)}
    options = [part for name, value in arguments.items() for part in (f"--{name}", value)]
    command = [sys.executable, "-m", "benchmarks.stream.bare_loop", *options, "--partitions", str(PARTITIONS)]
    command += ["--output", topic.replace("trip-events", "quality-signals")]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    return float(json.loads(done.stdout)["events_per_second"])
