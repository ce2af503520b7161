"""Our own roles as child processes: the same commands that one would start by hand."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cli.embedded.mlflow import http_ok
from cli.embedded.part import Part
from cli.embedded.ports import HOST
from cli.stack.folder import DataFolder

TRIPCAST = (sys.executable, "-P", "-m", "cli")  # -P: a folder named cli where the user stands must not be ours
WORKER_DEADLINE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Roles:
    """Describes the roles' processes; `environment` has the addresses and the marker."""

    folder: DataFolder
    environment: Mapping[str, str]
    worker_environment: Mapping[str, str]
    worker_port: int

    @property
    def worker_address(self) -> str:
        """Where the worker answers /livez, /readyz and /metrics."""
        return f"http://{HOST}:{self.worker_port}"

    def step(self, name: str, arguments: Sequence[str]) -> Part:
        """A command that ends by itself, or needs no more than to be alive."""
        return self._part(name, arguments, self.environment, ready=lambda: True)

    def worker(self) -> Part:
        """The stream worker, ready when it is alive by its own word. Its login may add rows, and change none."""
        return Part(
            "worker",
            [*TRIPCAST, "worker"],
            log=self.folder.log("worker"),
            ready=self.worker_is_alive,
            ports=(self.worker_port,),
            environment={**self.environment, **self.worker_environment},
            deadline_seconds=WORKER_DEADLINE_SECONDS,
        )

    def whole_environment(self) -> dict[str, str]:
        """Our environment with the stack's addresses in it."""
        return {**os.environ, **self.environment}

    def worker_is_alive(self) -> bool:
        """By its own word."""
        return http_ok(f"{self.worker_address}/livez")

    def worker_scores(self) -> bool:
        """Whether it has all that it needs to score: a champion, the database, the broker."""
        return http_ok(f"{self.worker_address}/readyz")

    def _part(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], ready: Callable[[], bool]) -> Part:
        return Part(name, [*TRIPCAST, *arguments], log=self.folder.log(name), ready=ready, environment=environment)
