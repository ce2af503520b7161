"""A Dask scheduler and its workers, as processes of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.embedded.ports import HOST, free_ports
from tests.running import REPOSITORY

SCHEDULER, WORKER = "distributed.cli.dask_scheduler", "distributed.cli.dask_worker"


@dataclass(frozen=True, slots=True)
class DaskCluster:
    """A scheduler; `folder` holds logs."""

    address: str
    folder: Path

    @contextmanager
    def worker(self, name: str, command: Sequence[str] = (sys.executable, "-m", WORKER), **settings: str) -> Iterator[None]:
        """A worker with one thread while the block runs; whoever needs it waits for it at the scheduler."""
        options = ["--host", HOST, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--name", name]
        options += ["--local-directory", str(self.folder), "--death-timeout", "60"]
        with _process([*command, self.address, *options], self.folder / f"{name}.log", **settings):
            yield

    @contextmanager
    def workers(self, count: int, **settings: str) -> Iterator[None]:
        """Several."""
        with ExitStack() as stack:
            for number in range(count):
                stack.enter_context(self.worker(f"worker-{number}", **settings))
            yield


@contextmanager
def dask_cluster(folder: Path) -> Iterator[DaskCluster]:
    """A scheduler without workers, while the block runs."""
    (port,) = free_ports(1)
    options = ["--host", HOST, "--port", str(port), "--dashboard-address", f"{HOST}:0"]
    with _process([sys.executable, "-m", SCHEDULER, *options], folder / "scheduler.log"):
        yield DaskCluster(f"tcp://{HOST}:{port}", folder)


@contextmanager
def _process(command: Sequence[str], log: Path, **settings: str) -> Iterator[None]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIPCAST_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command), env=inherited | settings, cwd=REPOSITORY, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
