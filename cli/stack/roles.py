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
SERVING_DEADLINE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Roles:
    """Describes the roles' processes; `environment` has the addresses and the marker."""

    folder: DataFolder
    environment: Mapping[str, str]
    worker_environment: Mapping[str, str]
    api_environment: Mapping[str, str]
    canary_environment: Mapping[str, str]
    ports: Mapping[str, int]

    @property
    def worker_address(self) -> str:
        """Where the worker answers /livez, /readyz and /metrics."""
        return self._address("worker")

    def step(self, name: str, arguments: Sequence[str]) -> Part:
        """A command that ends by itself, or needs no more than to be alive."""
        return self._part(name, arguments, self.environment, ready=lambda: True)

    def worker(self) -> Part:
        """The stream worker. Its login may add rows, and change none."""
        return self._serving("worker", "worker", self.worker_environment)

    def trainer(self) -> Part:
        """The trainer."""
        return self._serving("trainer", "trainer", {})

    def canary(self) -> Part:
        """The canary. Its login reads."""
        return self._serving("canary", "canary", self.canary_environment)

    def api(self) -> Part:
        """The API. Its login may add what it served and saw."""
        return self._serving("api", "api", self.api_environment)

    def board(self) -> Part:
        """The board, which has no login: it knows the system through the API."""
        return self._serving("board", "dashboard", {})

    def whole_environment(self) -> dict[str, str]:
        """Our environment with the stack's addresses in it."""
        return {**os.environ, **self.environment}

    def worker_scores(self) -> bool:
        """Whether it has all that it needs to score: a champion, the database, the broker."""
        return http_ok(f"{self.worker_address}/readyz")

    def _serving(self, name: str, command: str, environment: Mapping[str, str]) -> Part:
        """Ready when it is alive by its own word; what it lacks meanwhile comes later."""
        return Part(
            name,
            [*TRIPCAST, command],
            log=self.folder.log(name),
            ready=lambda: http_ok(f"{self._address(name)}/livez"),
            ports=(self.ports[name],),
            environment={**self.environment, **environment},
            deadline_seconds=SERVING_DEADLINE_SECONDS,
        )

    def _address(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"

    def _part(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], ready: Callable[[], bool]) -> Part:
        return Part(name, [*TRIPCAST, *arguments], log=self.folder.log(name), ready=ready, environment=environment)
