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
from cli.embedded.postgres import API, BOARD, MLFLOW, OWNER, WORKER
from cli.settings import StackSettings
from cli.stack.addresses import Addresses, without_password
from cli.stack.bootstrap import keep_operator_key
from cli.stack.folder import DataFolder
from cli.stack.leftovers import MARKER
from cli.stack.options import UpOptions
from cli.stack.role_units import KAFKA, POSTGRES, REGISTRY, RoleOptions, role_units
from cli.stack.roles import Roles
from cli.stack.units import Unit
from domain.entities.api_keys import NewKey, hash_of, key_id_of, new_key
from domain.errors import InvalidInput, PortInUse
from schemas.topics import TRIP_EVENTS

# Where people look for it, unless somebody else is there already; None: any.
PORTS = {
    "kafka": None,
    "kafka_controller": None,
    "database": None,
    "mlflow": None,
    "worker": None,
    "trainer": None,
    "canary": None,
    "api": 8000,
    "board": 8050,
}
OPERATOR_KEY = f"{PREFIX}OPERATOR_KEY"

RoleUnits = Callable[[RoleOptions], list[Unit]]


@dataclass(frozen=True, slots=True)
class Plan:
    """The units in order of need, and the addresses that follow from them."""

    units: tuple[Unit, ...]
    addresses: Addresses
    roles: Roles
    notes: tuple[str, ...]
    operator_key: NewKey

    def published(self) -> dict[str, str]:
        """What other commands of the same user find this stack by."""
        return {**self.addresses.environment(), **({OPERATOR_KEY: self.operator_key.token} if self.addresses.api else {})}


def make_plan(settings: StackSettings, folder: DataFolder, options: UpOptions, units_of: RoleUnits = role_units) -> Plan:
    """Decide what runs where; `units_of` makes our roles into units.

    Raises PortInUse for a taken port of the settings, InvalidInput for an operator's key that is none.
    """
    ports, notes = _ports(settings, folder, options)
    embedded = _Embedded(settings, folder, ports)
    addresses = embedded.addresses(options)
    key = _operator_key(settings, folder)
    roles = Roles(
        folder,
        environment={**addresses.environment(), f"{PREFIX}DATA": str(folder.path), MARKER: folder.marker},
        worker_environment={f"{PREFIX}DATABASE": addresses.worker_database},
        api_environment={f"{PREFIX}DATABASE": addresses.api_database},
        canary_environment={f"{PREFIX}DATABASE": addresses.board_database},
        ports=ports,
    )
    role_options = RoleOptions(
        roles,
        folder,
        options,
        str(settings.first_share),
        without_password(addresses.database),
        canary=flies(settings, options),
        keep_operator_key=lambda: keep_operator_key(addresses, key),
    )
    return Plan((*embedded.units(), *units_of(role_options)), addresses, roles, notes, key)


def flies(settings: StackSettings, options: UpOptions) -> bool:
    """Whether there is a canary; none beside a run that ends by itself and counts what it did."""
    return settings.canary_interval_seconds > 0 and not options.once


class _Embedded:
    """The parts that nobody brings. MLflow keeps its own tables in the embedded PostgreSQL, whoever brings ours."""

    def __init__(self, settings: StackSettings, folder: DataFolder, ports: Mapping[str, int]) -> None:
        self._settings, self._folder = settings, folder
        self._ports = ports
        path = folder.path
        self._kafka = embedded_kafka(path / "kafka", folder.log(KAFKA), ports["kafka"], ports["kafka_controller"])
        self._postgres = embedded_postgres(path / "postgres", folder.log(POSTGRES), ports["database"], folder.secrets)
        store = self._postgres.address(MLFLOW, MLFLOW)
        self._mlflow = EmbeddedMlflow(path / "mlflow", folder.log(REGISTRY), ports["mlflow"], store)

    def addresses(self, options: UpOptions) -> Addresses:
        given = self._settings.dsn() if self._external("database") else None
        return Addresses(
            kafka=self._settings.kafka if self._external("kafka") else self._kafka.address,
            events_topic=f"{self._settings.topic_prefix}{TRIP_EVENTS.name}",
            database=given or self._postgres.address(OWNER, OWNER),
            worker_database=given or self._postgres.address(WORKER, OWNER),
            api_database=given or self._postgres.address(API, OWNER),
            board_database=given or self._postgres.address(BOARD, OWNER),
            mlflow=self._settings.mlflow if self._external("mlflow") else self._mlflow.address,
            worker=self._served("worker"),
            trainer=self._served("trainer"),
            canary=self._served("canary") if flies(self._settings, options) else None,
            api=self._served("api") if options.serves_api else None,
            board=self._served("board") if options.serves_board else None,
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

    def _served(self, role: str) -> str:
        return f"http://{HOST}:{self._ports[role]}"

    def _external(self, field: str) -> bool:
        return set_by_the_user(field, self._folder.path)


def _ports(settings: StackSettings, folder: DataFolder, options: UpOptions) -> tuple[dict[str, int], tuple[str, ...]]:
    """A port that the user has set must be free; a kept one that somebody took meanwhile is chosen anew, and said so."""
    ports, notes = {}, []
    served = {"api": options.serves_api, "board": options.serves_board, "canary": flies(settings, options)}
    unserved = {name for name, is_served in served.items() if not is_served}
    for name in (name for name in PORTS if name not in unserved):
        preferred = PORTS[name]
        wanted = getattr(settings, f"{name}_port") if set_by_the_user(f"{name}_port", folder.path) else None
        if wanted is not None and not is_free(wanted):
            raise PortInUse(f"{PREFIX}{name.upper()}_PORT={wanted}: another process holds that port")
        port = wanted or folder.port(name, preferred)
        if not is_free(port):
            anew = folder.choose_port_anew(name, preferred)
            notes.append(f"port {port} of {name} is taken by another process; using {anew} from now on")
            port = anew
        ports[name] = port
    return ports, tuple(notes)


def _operator_key(settings: StackSettings, folder: DataFolder) -> NewKey:
    """The user's own, else one that is made up once for each folder."""
    if settings.operator_key is not None and set_by_the_user("operator_key", folder.path):
        token = settings.operator_key.get_secret_value()
    else:
        token = folder.secrets.kept("operator-key", lambda: new_key().token)
    key_id = key_id_of(token)
    if key_id is None:
        raise InvalidInput(f"{OPERATOR_KEY} has not the form of a key: `tripcast keys create` makes one")
    return NewKey(key_id, token, hash_of(token))


def _marked(part: Part, folder: DataFolder) -> Part:
    """So that the next start recognises it should we be killed."""
    part.mark(MARKER, folder.marker)
    return part
