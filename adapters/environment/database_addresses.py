"""Addresses of databases: the one place where an address and its password are put together, and taken apart for people."""

from urllib.parse import SplitResult, quote, urlsplit

from pydantic import SecretStr

from domain.errors import InvalidInput

SCHEMES = ("postgresql", "postgres")


def with_password(name: str, address: SecretStr, password: SecretStr | None) -> str:
    """The address of the setting `name`, with `password` in it unless it has one of its own.

    Raises InvalidInput when it is no address, in words that quote nothing of it: what looks like a port may be a password.
    """
    dsn = address.get_secret_value()
    user, own, hosts = _parts(name, dsn)
    if own or password is None:
        return dsn
    if not user:
        raise InvalidInput(f"{name} names no user: write postgresql://user@host/db beside {name}_PASSWORD")
    login = f"{user}:{quote(password.get_secret_value(), safe='')}"
    return urlsplit(dsn)._replace(netloc=f"{login}@{hosts}").geturl()


def _parts(name: str, dsn: str) -> tuple[str, str, str]:
    """User, password and hosts as they are written."""
    parts = _split(dsn)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    whole = "@" not in login and "@" not in parts.path + parts.query and all(map(_port_is_number, hosts.split(",")))
    if parts.scheme not in SCHEMES or not whole or parts.fragment:
        raise InvalidInput(
            f"{name} is not an address of a database: write postgresql://user@host:port/db, and the password into "
            f"{name}_PASSWORD (within the address, characters such as @ : / # must be percent-encoded)"
        )
    return user, password, hosts


def _split(dsn: str) -> SplitResult:
    try:
        return urlsplit(dsn)
    except ValueError:  # its message quotes the address
        return SplitResult("", "", "", "", "")


def _port_is_number(host: str) -> bool:
    port = host.rpartition("]")[2].partition(":")[2]
    return not port or port.isdigit()
