"""Which units a local stack consists of: embedded parts where the settings give no address, and the roles."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapters.environment.origins import set_by_the_user
from adapters.environment.settings import PREFIX
from cli.embedded.bootstrap import embedded_kafka, embedded_postgres
from cli.embedded.kafka_jars import jars_present
from cli.embedded.mlflow import EmbeddedMlflow
from cli.embedded.part import Embedded, Part
from cli.embedded.ports import HOST, is_free
from cli.embedded.postgres import MLFLOW, OWNER, WORKER
from cli.settings import StackSettings
from cli.stack.addresses import Addresses, without_password
from cli.stack.folder import DataFolder
from cli.stack.leftovers import MARKER
from cli.stack.options import UpOptions
from cli.stack.role_units import KAFKA, POSTGRES, REGISTRY, RoleOptions, role_units
from cli.stack.roles import Roles
from cli.stack.units import Unit
from domain.errors import PortInUse
from schemas.topics import TRIP_EVENTS

PORT_NAMES = ("kafka", "kafka_controller", "database", "mlflow", "worker")


RoleUnits = Callable[[RoleOptions], list[Unit]]


@dataclass(frozen=True, slots=True)
class Plan:
    """The units in order of need, and the addresses that follow from them."""

    units: tuple[Unit, ...]
    addresses: Addresses
    roles: Roles
    notes: tuple[str, ...]


def make_plan(settings: StackSettings, folder: DataFolder, options: UpOptions, units_of: RoleUnits = role_units) -> Plan:
    """Decide what runs where; `units_of` makes our roles into units. Raises PortInUse for a taken port of the settings."""
    ports, notes = _ports(settings, folder)
    embedded = _Embedded(settings, folder, ports)
    addresses = embedded.addresses()
    roles = Roles(
        folder,
        environment={**addresses.environment(), f"{PREFIX}DATA": str(folder.path), MARKER: folder.marker},
        worker_environment={f"{PREFIX}DATABASE": addresses.worker_database},
        worker_port=ports["worker"],
    )
    units = (
        *embedded.units(),
        *units_of(RoleOptions(roles, folder, options, str(settings.first_share), without_password(addresses.database))),
    )
    return Plan(units, addresses, roles, notes)


class _Embedded:
    """The parts that nobody brings. MLflow keeps its own tables in the embedded PostgreSQL, whoever brings ours."""

    def __init__(self, settings: StackSettings, folder: DataFolder, ports: Mapping[str, int]) -> None:
        self._settings, self._folder = settings, folder
        self._worker_port = ports["worker"]
        path = folder.path
        self._kafka = embedded_kafka(path / "kafka", folder.log(KAFKA), ports["kafka"], ports["kafka_controller"])
        self._postgres = embedded_postgres(path / "postgres", folder.log(POSTGRES), ports["database"], folder.secrets)
        store = self._postgres.address(MLFLOW, MLFLOW)
        self._mlflow = EmbeddedMlflow(path / "mlflow", folder.log(REGISTRY), ports["mlflow"], store)

    def addresses(self) -> Addresses:
        given = self._settings.database.get_secret_value() if self._external("database") else None
        return Addresses(
            kafka=self._settings.kafka if self._external("kafka") else self._kafka.address,
            events_topic=f"{self._settings.topic_prefix}{TRIP_EVENTS.name}",
            database=given or self._postgres.address(OWNER, OWNER),
            worker_database=given or self._postgres.address(WORKER, OWNER),
            mlflow=self._settings.mlflow if self._external("mlflow") else self._mlflow.address,
            worker=f"http://{HOST}:{self._worker_port}",
        )

    def units(self) -> list[Unit]:
        found: list[Unit] = []
        if not self._external("kafka"):
            found.append(self._unit(self._kafka, doing="" if jars_present() else "downloading its jars, 45 MB, once"))
        if not (self._external("database") and self._external("mlflow")):
            found.append(self._unit(self._postgres))
        if not self._external("mlflow"):
            found.append(self._unit(self._mlflow, needs=(POSTGRES,)))
        return found

    def _unit(self, part: Embedded, needs: tuple[str, ...] = (), doing: str = "") -> Unit:
        return Unit(
            part.name,
            lambda: _marked(part.part(), self._folder),
            needs,
            prepare=part.prepare,
            complete=part.complete,
            doing=doing,
        )

    def _external(self, field: str) -> bool:
        return set_by_the_user(field, self._folder.path)


def _ports(settings: StackSettings, folder: DataFolder) -> tuple[dict[str, int], tuple[str, ...]]:
    """A port that the user has set must be free; a kept one that somebody took meanwhile is chosen anew, and said so."""
    ports, notes = {}, []
    for name in PORT_NAMES:
        wanted = getattr(settings, f"{name}_port") if set_by_the_user(f"{name}_port", folder.path) else None
        if wanted is not None and not is_free(wanted):
            raise PortInUse(f"{PREFIX}{name.upper()}_PORT={wanted}: another process holds that port")
        port = wanted or folder.port(name)
        if not is_free(port):
            notes.append(
                f"port {port} of {name} is taken by another process; using {folder.choose_port_anew(name)} from now on"
            )
        ports[name] = wanted or folder.port(name)
    return ports, tuple(notes)


def _marked(part: Part, folder: DataFolder) -> Part:
    """So that the next start recognises it should we be killed."""
    part.mark(MARKER, folder.marker)
    return part
