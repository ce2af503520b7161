"""Our roles as units: in which order they start, and with which arguments."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cli.stack.folder import DataFolder
from cli.stack.options import FASTEST, UpOptions
from cli.stack.roles import Roles
from cli.stack.units import State, Unit

KAFKA, POSTGRES, REGISTRY = "Kafka", "PostgreSQL", "MLflow"
SIMULATED_HISTORY = 30_000  # trips to learn from where no file gives any: a good model within a minute on two cores
REPLAY_SPEED = "600"


@dataclass(frozen=True, slots=True)
class RoleOptions:
    """What decides about the roles. `database` is an address without password: history belongs to a database."""

    roles: Roles
    folder: DataFolder
    up: UpOptions
    first_share: str
    database: str
    canary: bool
    keep_operator_key: Callable[[], None]  # lets the key of this folder in; needs the migrated database


def role_units(options: RoleOptions) -> list[Unit]:
    """The worker needs no registry to start: after the first time it has a verified copy of its champion."""
    roles = options.roles
    return [
        Unit("migrate", lambda: roles.step("migrate", ["migrate"]), (KAFKA, POSTGRES), lasts=False),
        _history(options),
        Unit("worker", roles.worker, ("migrate",)),
        Unit("trainer", roles.trainer, ("history", REGISTRY)),
        *([Unit("canary", roles.canary, ("worker",), may_start=roles.worker_scores)] if options.canary else []),
        *_serving(options),
        *([_source(options)] if options.up.source else []),
    ]


def _serving(options: RoleOptions) -> list[Unit]:
    """Both are there before there is anything to see, and say what they wait for."""
    roles, up = options.roles, options.up
    api = Unit("api", roles.api, ("migrate",), prepare=options.keep_operator_key)
    board = Unit("board", roles.board, ("api",))
    return [*([api] if up.serves_api else []), *([board] if up.serves_board else [])]


def _history(options: RoleOptions) -> Unit:
    """Loaded once for each database and file, as it is now; loading is idempotent, this spares the time."""
    arguments = _history_arguments(options)
    unit = Unit("history", lambda: options.roles.step("history", arguments), ("migrate",), lasts=False, doing="loading trips")
    step = " ".join([*arguments, _identity(options.up.trips), options.database])
    if options.folder.is_done(step):
        return replace(unit, state=State.ENDED)
    return replace(unit, finished=lambda: options.folder.mark_done(step))


def _history_arguments(options: RoleOptions) -> list[str]:
    if options.up.trips is None:
        return ["simulate", "--history", str(SIMULATED_HISTORY)]
    return ["load", str(options.up.trips), "--first-share", options.first_share, *_zones(options.up.zones)]


def _source(options: RoleOptions) -> Unit:
    """Publishes once the worker can score; where it stopped is in a file of the data folder. A file comes to its end."""
    arguments = [*_source_arguments(options), *options.up.source_arguments]
    return Unit(
        "source",
        lambda: options.roles.step("source", arguments),
        ("worker",),
        lasts=options.up.trips is None,
        may_start=options.roles.worker_scores,
    )


def _source_arguments(options: RoleOptions) -> list[str]:
    up, data = options.up, options.folder.path
    if up.trips is None:
        speed = ["--speed", up.speed] if up.speed else []
        return ["simulate", *speed, "--state", str(data / "simulate.json")]
    speed = ["--speed", up.speed or (FASTEST if up.once else REPLAY_SPEED)]
    state = ["--state", str(data / "replay.json")]
    return ["replay", str(up.trips), "--after-share", options.first_share, *speed, *state, *_zones(up.zones)]


def _zones(zones: Path | None) -> list[str]:
    return ["--zones", str(zones)] if zones else []


def _identity(file: Path | None) -> str:
    """Changes when the file does."""
    if file is None or not file.exists():
        return ""
    status = file.stat()
    return f"{status.st_size}/{status.st_mtime_ns}"
