"""Where everything of a local stack is."""

from dataclasses import dataclass

from adapters.environment.settings import PREFIX


@dataclass(frozen=True, slots=True)
class Addresses:
    """The worker's database login differs from the owner's: it may add rows, and change none."""

    kafka: str
    events_topic: str
    database: str
    worker_database: str
    mlflow: str
    worker: str

    def environment(self) -> dict[str, str]:
        """As settings, for children and for `stack.env`."""
        return {
            f"{PREFIX}KAFKA": self.kafka,
            f"{PREFIX}DATABASE": self.database,
            f"{PREFIX}MLFLOW": self.mlflow,
            f"{PREFIX}WORKER_PORT": self.worker.rpartition(":")[2],
        }


def without_password(address: str) -> str:
    """The address with the user but not the password."""
    scheme, _, rest = address.partition("://")
    login, at, place = rest.rpartition("@")
    return f"{scheme}://{login.partition(':')[0]}{at}{place}"
