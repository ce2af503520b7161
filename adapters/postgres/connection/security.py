"""What makes a connection safe: the checks of an address before it is used, and short-lived passwords."""

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from adapters.environment.settings import PostgresSettings
from domain.errors import InvalidInput

Password = Callable[[], str]  # asked for every new connection, in a thread; its own errors are ours
PORT = 5432
LOOPBACK = ("127.0.0.1", "::1", "localhost")
FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")

ADVICE = (
    (
        r"hostname mismatch|IP address mismatch|does not match host name",
        "use the host name that its certificate was issued for",
    ),
    (r"certificate verify failed", "name the certificate of its authority with sslrootcert=FILE in the address"),
    (r"rejected SSL upgrade|does not support SSL", "it offers no TLS: switch `ssl` on at the server"),
    (
        r"no pg_hba.conf entry.*(no encryption|SSL off)",
        "it takes encrypted connections alone: add sslmode=verify-full&sslrootcert=FILE to the address",
    ),
    (r"certificate required|valid client certificate", "it asks for a certificate of ours: sslcert=FILE&sslkey=FILE"),
    (r"PAM authentication failed", "has the login the role rds_iam, and may we rds-db:connect?"),
)


def with_advice(text: str) -> str:
    """The text of an error, with what to do about it where that is known."""
    advice = next((words for pattern, words in ADVICE if re.search(pattern, text, re.IGNORECASE)), None)
    return f"{text} ({advice})" if advice else text


def hosts_of(dsn: str) -> list[tuple[str, int]]:
    """The hosts of an address, in its order; none when it names them in another way."""
    places = urlsplit(dsn).netloc.rpartition("@")[2]
    return [_host(place) for place in places.split(",")] if places else []


def check_files(dsn: str) -> None:
    """The certificates that an address names are there. Raises InvalidInput: the driver would not say which one lacks."""
    query = parse_qs(urlsplit(dsn).query)
    for name in FILES:
        for path in query.get(name, []):
            if not Path(path).is_file():
                raise InvalidInput(f"the database's address names {name}={path}, and there is no such file")


def password_source(settings: PostgresSettings, dsn: str) -> Password | None:
    """Who signs the passwords for this address; None where it has its own. Raises InvalidInput."""
    if not settings.database_iam:
        return None
    parts, hosts = urlsplit(dsn), hosts_of(dsn)
    _check_iam(parts, len(hosts))
    [(host, port)] = hosts
    return _signer(host, port, _user(parts), settings.aws_region)


@cache
def _signer(host: str, port: int, user: str, region: str) -> Password:
    """One for all connections of a process: to make AWS' client is to read its description of the service."""
    from adapters.aws.database_tokens import DatabaseTokens  # noqa: PLC0415 - for those who use it

    tokens = DatabaseTokens(host, port, user, region)
    tokens.check()
    return tokens


def protection_of(dsn: str, version: str | None) -> tuple[str, bool]:
    """How a connection is protected, for people, and whether nobody on the way can read or answer instead of the server.

    `version` is TLS' as the server tells it; None where it says that nothing is encrypted.
    """
    mode = parse_qs(urlsplit(dsn).query).get("sslmode", [os.environ.get("PGSSLMODE", "prefer")])[-1]
    if version is None:
        return "not encrypted", False
    if mode == "verify-full":
        return f"{version}, certificate and name checked", True
    return f"{version}, {'certificate checked, its name not' if mode == 'verify-ca' else 'certificate not checked'}", False


def is_local(dsn: str) -> bool:
    """Whether the server is on this machine, where nobody is on the way."""
    return all(host in LOOPBACK or host.startswith("/") for host, _ in hosts_of(dsn))


def _check_iam(parts: SplitResult, hosts: int) -> None:
    if parse_qs(parts.query).get("sslmode", [""])[-1] != "verify-full":
        raise InvalidInput(
            "TRIPCAST_DATABASE_IAM sends a password for any server that asks: add sslmode=verify-full&sslrootcert=FILE to the "
            "address"
        )
    if hosts != 1:
        raise InvalidInput("TRIPCAST_DATABASE_IAM signs for one host: use the cluster's one name, which follows a failover")
    if not _user(parts):
        raise InvalidInput("TRIPCAST_DATABASE_IAM needs a user in the address: postgresql://user@host/db")
    if ":" in parts.netloc.rpartition("@")[0]:
        raise InvalidInput("TRIPCAST_DATABASE_IAM makes the password: take the one in the address, or in a setting, away")


def _user(parts: SplitResult) -> str:
    return unquote(parts.netloc.rpartition("@")[0].partition(":")[0])


def _host(place: str) -> tuple[str, int]:
    found = re.fullmatch(r"(?:\[(?P<v6>[^\]]+)\]|(?P<name>[^:]*))(?::(?P<port>\d+))?", place)
    if found is None:
        raise InvalidInput("the database's address names a host that is none")
    return unquote(found["v6"] or found["name"]), int(found["port"] or PORT)
