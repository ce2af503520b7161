"""Where everything of a local stack is."""

from dataclasses import dataclass

from adapters.environment.settings import PREFIX


@dataclass(frozen=True, slots=True)
class Addresses:
    """A role has a database login of its own, with no more rights than it needs. None: not served."""

    kafka: str
    events_topic: str
    database: str
    worker_database: str
    api_database: str
    board_database: str
    mlflow: str
    worker: str
    trainer: str
    canary: str | None
    api: str | None
    board: str | None

    def environment(self) -> dict[str, str]:
        """As settings, for children and for `stack.env`."""
        found = {
            "KAFKA": self.kafka,
            "DATABASE": self.database,
            "MLFLOW": self.mlflow,
            "WORKER_PORT": _port(self.worker),
            "TRAINER_PORT": _port(self.trainer),
            **({"CANARY_PORT": _port(self.canary)} if self.canary else {}),
            **self._served(),
        }
        return {f"{PREFIX}{name}": value for name, value in found.items()}

    def _served(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if self.api:
            found |= {"API": self.api, "API_PORT": _port(self.api), "BOARD_DATABASE": self.board_database}
            found |= {"API_WORKERS": self.worker, "API_TRAINER": self.trainer}
        if self.board:
            found |= {"BOARD_PORT": _port(self.board), "API_BOARD": self.board}
        return found


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def without_password(address: str) -> str:
    """The address with the user but not the password."""
    scheme, _, rest = address.partition("://")
    login, at, place = rest.rpartition("@")
    return f"{scheme}://{login.partition(':')[0]}{at}{place}"
