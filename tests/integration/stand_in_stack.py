"""`tripcast up` with real embedded parts and a stand-in for our roles: a file server in the worker's place."""

import sys
from pathlib import Path

from rich.console import Console

from cli.embedded.part import Part
from cli.settings import StackSettings
from cli.stack import session
from cli.stack.folder import DataFolder
from cli.stack.options import UpOptions
from cli.stack.role_units import KAFKA, POSTGRES, RoleOptions
from cli.stack.units import Unit
from domain.errors import TripcastError


def stand_ins(options: RoleOptions) -> list[Unit]:
    roles, folder = options.roles, options.folder

    def worker() -> Part:
        serve = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(roles.ports["worker"])]
        return Part("worker", serve, log=folder.log("worker"), ready=lambda: True, environment=roles.environment)

    return [Unit("worker", worker, (KAFKA, POSTGRES))]


if __name__ == "__main__":
    data = DataFolder(Path(sys.argv[1]))
    try:
        session.up(StackSettings.read(data=data.path), data, UpOptions(), Console(width=200), stand_ins)
    except TripcastError as error:
        sys.exit(f"{type(error).__name__}: {error}")
