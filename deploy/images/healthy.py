#!/opt/tripcast/bin/python -IS
"""Whether the role of this container is alive, by its own word; exit code 0 or 1, for the container engine.

Only the standard library, and no site: it runs every few seconds. The role is the argument, else what process 1 runs.
"""

import http.client
import os
import sys

HOST = "127.0.0.1"
SECONDS = 2.0
ROUTES = {  # role: setting and default of its port, route
    "worker": ("TRIPCAST_WORKER_PORT", 8081, "/livez"),
    "trainer": ("TRIPCAST_TRAINER_PORT", 8082, "/livez"),
    "canary": ("TRIPCAST_CANARY_PORT", 8083, "/livez"),
    "api": ("TRIPCAST_API_PORT", 8000, "/livez"),
    "dashboard": ("TRIPCAST_BOARD_PORT", 8050, "/livez"),
    "mlflow": ("MLFLOW_PORT", 5000, "/health"),
}


def role(arguments: list[str]) -> str | None:
    """The first word that names a role that serves; None for a command that ends by itself."""
    return next((word for word in map(os.path.basename, arguments) if word in ROUTES), None)


def main_process() -> list[str]:
    """The words of process 1."""
    with open("/proc/1/cmdline", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib would double the time
        return file.read().split("\0")


def status(host: str, port: int, route: str) -> str:
    """What the role answers, or why it does not: `200` is well."""
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", route)
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({type(error).__name__})"
    finally:
        connection.close()


def main(arguments: list[str]) -> int:
    """Say what was found; engines keep the last answers."""
    found = role(arguments or main_process())
    if found is None:
        return 0  # a job, which is judged by how it ends
    setting, default, route = ROUTES[found]
    port = int(os.environ.get(setting) or default)
    answer = status(HOST, port, route)
    sys.stdout.write(f"{found} {route}: {answer}\n")
    return 0 if answer == "200" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
