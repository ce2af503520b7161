"""What the API knows of itself, of what it needs, and of the other roles."""

from typing import Literal

from schemas.http.base import Answer, Instant


class Check(Answer, frozen=True):
    """One thing that is looked at all the time. `needed`: without it the API cannot serve and `/readyz` says 503."""

    name: str
    ok: bool
    needed: bool
    detail: str
    since: Instant
    checked_at: Instant


class Health(Answer, frozen=True):
    """`ok`: all is well. `degraded`: it serves, and something is missing. `down`: it cannot serve."""

    status: Literal["ok", "degraded", "down"]
    version: str
    started_at: Instant
    checks: list[Check]


class Alive(Answer, frozen=True):
    """The event loop turns."""

    alive: bool
    loop_lag_seconds: float


class Ready(Answer, frozen=True):
    """Everything that serving needs is there; `degraded` names what else is missing, and why."""

    ready: bool
    degraded: dict[str, str]


class Index(Answer, frozen=True):
    """What this is and where to go from here."""

    name: str
    version: str
    description: str
    links: dict[str, str]


class RoleStatus(Answer, frozen=True):
    """A role of the system as it tells of itself. `up` None: nobody has told us where to ask."""

    name: str
    address: str | None
    up: bool | None
    ready: bool | None
    detail: str
    version: str | None = None
    started_at: Instant | None = None
    cpu_percent: float | None = None
    memory_bytes: float | None = None
    loop_lag_seconds: float | None = None


class ApiTraffic(Answer, frozen=True):
    """What the API did in the last minute; all lists have one value a second, oldest first."""

    requests_per_second: float
    p50_seconds: float | None
    p99_seconds: float | None
    error_share: float
    requests: list[float]
    by_route: dict[str, int]


class Setting(Answer, frozen=True):
    """A setting in force; a secret is masked."""

    name: str
    value: str
    origin: str


class Build(Answer, frozen=True):
    """One run of the continuous integration."""

    name: str
    status: str
    conclusion: str | None
    branch: str
    commit: str
    at: Instant
    url: str


class Builds(Answer, frozen=True):
    """The latest builds; when there are none, `hint` says how to see them."""

    builds: list[Build]
    hint: str | None


class Pool(Answer, frozen=True):
    """Connections of one of the API's pools."""

    name: str
    size: int
    idle: int
    most: int


class System(Answer, frozen=True):
    """What the page System shows."""

    environment: str
    roles: list[RoleStatus]
    api: ApiTraffic
    pools: list[Pool]
    settings: list[Setting]
    builds: Builds
    machine_cpu_percent: float
    machine_memory_bytes: float
    machine_memory_used_bytes: float
    disk_bytes: float
    disk_used_bytes: float
    database_bytes: float | None
