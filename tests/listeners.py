"""Where a process and those below it listen."""

from contextlib import suppress

import psutil


def listening(pid: int) -> set[tuple[str, int]]:
    """Addresses and ports, as of now; a process that ends meanwhile listens nowhere."""
    found: set[tuple[str, int]] = set()
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                sockets = [each for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN]
                found |= {(each.laddr.ip.removeprefix("::ffff:"), each.laddr.port) for each in sockets}
    return found
