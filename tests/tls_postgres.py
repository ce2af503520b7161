"""A real PostgreSQL that takes encrypted connections alone, with certificates of its own; the embedded one has no TLS."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import trustme

from cli.embedded.part import Part
from cli.embedded.ports import HOST, free_ports, is_open
from cli.embedded.system_user import as_unprivileged, give_to_unprivileged
from tests.programs import needed

NAME = "localhost"  # the one name that the server's certificate is for
PASSWORD = "ein p@ss/wort"
SETTINGS = {"ssl": "on", "fsync": "off", "unix_socket_directories": ""}


@dataclass(frozen=True, slots=True)
class TlsServer:
    """Where it is, and the certificates of the right authority and of another."""

    port: int
    authority: Path
    stranger: Path

    def address(self, *, host: str = NAME, mode: str = "verify-full", authority: Path | None = None) -> str:
        """The administrator's address, without the password."""
        root = f"&sslrootcert={authority or self.authority}" if mode.startswith("verify") else ""
        return f"postgresql://postgres@{host}:{self.port}/postgres?sslmode={mode}{root}"


@contextmanager
def tls_postgres(folder: Path) -> Iterator[TlsServer]:
    """Running while inside. Skips the test where the machine has no such PostgreSQL."""
    programs = _programs()
    needed(str(programs / "postgres"), package="postgresql")
    port, authority, stranger = free_ports(1)[0], trustme.CA(), trustme.CA()
    for name, each in (("authority.pem", authority), ("stranger.pem", stranger)):
        each.cert_pem.write_to_path(folder / name)
    cluster = _cluster(folder, programs, authority)
    files = {"ssl_cert_file": str(folder / "server.crt"), "ssl_key_file": str(folder / "server.key")}
    settings = [part for name, value in (SETTINGS | files).items() for part in ("-c", f"{name}={value}")]
    server = Part(
        "PostgreSQL with TLS",
        [str(programs / "postgres"), "-D", str(cluster), "-p", str(port), "-h", HOST, *settings],
        log=folder / "log",
        ready=lambda: is_open(port) and _answers(port),
        ports=(port,),
        unprivileged=True,
        stop_signal=signal.SIGINT,
    )
    with server:
        yield TlsServer(port, folder / "authority.pem", folder / "stranger.pem")


def _programs() -> Path:
    found = shutil.which("postgres")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return versions[-1] if versions else Path(found).parent if found else Path("/usr/lib/postgresql")


def _cluster(folder: Path, programs: Path, authority: trustme.CA) -> Path:
    give_to_unprivileged(folder)
    (folder / "password").write_text(PASSWORD)
    give_to_unprivileged(folder / "password")
    login = ["--username=postgres", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256", "--no-sync", "--locale=C"]
    command = [*as_unprivileged(), str(programs / "initdb"), "-D", str(folder / "cluster"), *login, "--encoding=UTF8"]
    subprocess.run(command, check=True, capture_output=True)
    certificate = authority.issue_cert(NAME)
    for name, pem in (("server.crt", certificate.cert_chain_pems[0]), ("server.key", certificate.private_key_pem)):
        pem.write_to_path(folder / name)
        (folder / name).chmod(0o600)
        give_to_unprivileged(folder / name)
    (folder / "cluster" / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    return folder / "cluster"


def _answers(port: int) -> bool:
    try:
        psycopg2.connect(host=HOST, port=port, user="postgres", password=PASSWORD, sslmode="require", dbname="postgres").close()
    except psycopg2.OperationalError:
        return False
    return True
