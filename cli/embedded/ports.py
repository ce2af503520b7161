"""Free and taken ports of this machine's loopback address."""

import random
import socket

HOST = "127.0.0.1"
# Below the range that systems use for outgoing connections: a port from there could be taken by anybody's connection between
# two starts, and a probe of one's own port could even be connected with itself.
RANGE = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Distinct ports that nobody listens on now."""
    shuffled = iter(random.sample(RANGE, len(RANGE)))
    return [next(port for port in shuffled if is_free(port)) for _ in range(count)]


def is_free(port: int) -> bool:
    """Whether we could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a connection in TIME_WAIT is no obstacle
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def is_open(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0
