"""The IP addresses behind a host name, as the machine's resolver gives them."""

import asyncio
import socket
from collections.abc import Sequence

from domain.errors import Unreachable


async def addresses_of(host: str) -> Sequence[str]:
    """All of one family, IPv4 where there is any: a host's two families are one and the same process. Raises Unreachable."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"no address of {host} is known") from error
    of_family = {family: {str(place[0]) for each, _, _, _, place in found if each is family} for family, *_ in found}
    return sorted(of_family.get(socket.AF_INET) or of_family.get(socket.AF_INET6) or ())
