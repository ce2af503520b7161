"""Where the instances of a role are: a name may stand for several addresses, and for others as the role is scaled."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from domain.errors import Unreachable

LOOK_UP_SECONDS = 5.0
Resolve = Callable[[str], Awaitable[Sequence[str]]]


class Instances:
    """The addresses behind `names` (`http://host:port`), looked up anew every few seconds when it is asked.

    `resolve` gives a host's IP addresses and raises Unreachable. A host with one address keeps its name. A host that cannot be
    looked up keeps what it had, at first its name: then the question to it fails and says so. Names of TLS are left alone,
    since a certificate names a host.
    """

    def __init__(self, names: Sequence[str], resolve: Resolve, clock: Callable[[], float] = time.monotonic) -> None:
        self._found = {name: [name] for name in names}
        self._resolve, self._clock = resolve, clock
        self._looked: float | None = None

    async def __call__(self) -> Sequence[str]:
        """Every instance once, in the order of the names. Waits for the resolver at most; never raises."""
        if self._looked is None or self._clock() - self._looked >= LOOK_UP_SECONDS:
            await asyncio.gather(*map(self._look_up, filter(_has_host_name, self._found)))
            self._looked = self._clock()
        return list(dict.fromkeys(address for found in self._found.values() for address in found))

    async def _look_up(self, name: str) -> None:
        parts = urlsplit(name)
        try:
            addresses = sorted(await self._resolve(str(parts.hostname)))
        except Unreachable:
            return
        if len(addresses) > 1:
            port = f":{parts.port}" if parts.port else ""
            self._found[name] = [parts._replace(netloc=f"{_literal(each)}{port}").geturl() for each in addresses]
        else:
            self._found[name] = [name]


def _has_host_name(name: str) -> bool:
    try:
        parts = urlsplit(name)
        if parts.scheme != "http" or not parts.hostname or (parts.port or 0) < 0:
            return False
    except ValueError:  # a port that is no number: left to who asks there
        return False
    try:
        ip_address(parts.hostname)
    except ValueError:
        return True
    return False


def _literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address
