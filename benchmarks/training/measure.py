"""Run a process to its end and say what it took; its peak memory is the kernel's word."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from batch.catalogue import discover
from benchmarks.world import REPOSITORY, World

SIDES = ("plain", "ours")
POLL_SECONDS = 0.1  # the peak only grows, so that at most the last moment is missed


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
    log, said = world.folder / "training.log", world.folder / "training.out"
    started, peak = time.perf_counter(), 0.0
    with log.open("wb") as errors, said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], env=world.environment(), cwd=REPOSITORY, stdout=output, stderr=errors
        )
        while process.poll() is None:
            peak = max(peak, peak_mb(process.pid))
            time.sleep(POLL_SECONDS)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}: {log.read_text()[-2000:]}")
    return said.read_text(), time.perf_counter() - started, peak


def peak_mb(pid: int) -> float:
    """The most that a process has had resident so far, in MB; 0 when it has ended.

    Not what `wait4` says: that begins with the memory of whoever started the process, which is more than a small one ever has.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)
