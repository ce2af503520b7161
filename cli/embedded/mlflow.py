"""A real MLflow server on the loopback address: runs and models in PostgreSQL, artifacts in a folder behind the server."""

import os
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from cli.embedded.part import Part
from cli.embedded.ports import HOST

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ALLOWED_HOSTS": f"{HOST}:*,localhost:*",  # a page of the web may call it by a name of its own
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves three processes that tripcast has no use for
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class EmbeddedMlflow:
    """One server with one worker process. `database` is the address of its backend store."""

    folder: Path
    log: Path
    port: int
    database: str
    name: str = "MLflow"

    @property
    def address(self) -> str:
        """Where its API and its pages are."""
        return f"http://{HOST}:{self.port}"

    def prepare(self) -> None:
        """The folder for artifacts."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def part(self) -> Part:
        """The server's process; ready when /health answers. The password goes by environment, never by command line."""
        bins = Path(sys.executable).parent  # the server calls uvicorn by name
        return Part(
            "MLflow",
            [sys.executable, "-m", "mlflow", "server", *self._options()],
            log=self.log,
            ready=lambda: http_ok(f"{self.address}/health"),
            ports=(self.port,),
            environment={
                **ENVIRONMENT,
                "MLFLOW_BACKEND_STORE_URI": self.database.replace("postgresql://", "postgresql+psycopg2://", 1),
                "PATH": f"{bins}{os.pathsep}{os.environ.get('PATH', '')}",
            },
            deadline_seconds=120.0,
        )

    def complete(self) -> None:
        """Nothing: the server creates its own tables."""

    def _options(self) -> list[str]:
        where = ["--host", HOST, "--port", str(self.port), "--workers", "1"]
        return [*where, "--serve-artifacts", "--artifacts-destination", self.folder.absolute().as_uri()]


def http_ok(url: str, seconds: float = 2.0) -> bool:
    """Whether a GET is answered with a 2xx within `seconds`."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:  # noqa: S310 - our own http address
            return 200 <= int(answer.status) < 300  # noqa: PLR2004 - the range of success
    except (urllib.error.URLError, OSError):
        return False
