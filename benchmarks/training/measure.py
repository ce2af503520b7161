"""Run a process to its end and say what it took; its peak memory is the kernel's word."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from batch.catalogue import discover
from benchmarks.world import REPOSITORY, World

SIDES = ("plain", "ours")


@dataclass(frozen=True, slots=True)
class Fit:
    """`seconds`: of the training alone, or of the whole process; `peak_mb`: resident memory, imports and rows included."""

    seconds: float
    peak_mb: float
    rmse_minutes: float


def fit(world: World, side: str, name: str, rows: Path, threads: int) -> Fit:
    """One training of one candidate by either side."""
    (parameters,) = (json.dumps(dict(each.parameters)) for each in discover() if each.name == name)
    more = [parameters] if side == "plain" else []
    said, _, peak = finished(world, "-m", f"benchmarks.training.{side}", name, *more, str(rows), str(threads))
    found = json.loads(said)
    return Fit(found["seconds"], peak, found["rmse_minutes"])


def whole(world: World) -> Fit:
    """`tripcast train` as the trainer runs it: reading, every candidate, the refit, gates, graph, MLflow."""
    said, seconds, peak = finished(world, "-m", "cli", "train", "--no-promote", "--subject", f"bench {time.time()}", "--json")
    return Fit(seconds, peak, json.loads(said)["rmse_minutes"])


def finished(world: World, *arguments: str) -> tuple[str, float, float]:
    """What a Python process printed, how many seconds it took, and its peak resident memory in MB."""
    log = world.folder / "training.log"
    started = time.perf_counter()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments], env=world.environment(), cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=errors
        )
        assert process.stdout is not None
        said = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}: {log.read_text()[-2000:]}")
    return said, time.perf_counter() - started, usage.ru_maxrss / 1024
