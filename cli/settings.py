"""The settings of the local stack, and the list of all roles' settings."""

import importlib
import importlib.util
from pathlib import Path

from pydantic import Field, SecretStr
from rich.console import Console

from adapters.environment.origins import unknown_names
from adapters.environment.settings import (
    CitySettings,
    KafkaSettings,
    MlflowSettings,
    PolicySettings,
    PostgresSettings,
    Settings,
)
from cli.canary.settings import CanaryPace

Port = int | None
ROLES = {
    "worker": ("stream.settings", "WorkerSettings"),
    "trainer": ("batch.settings", "BatchSettings"),
    "api": ("api.settings", "ApiSettings"),
    "dashboard": ("dashboard.settings", "BoardSettings"),
    "canary": ("cli.canary.settings", "CanarySettings"),
    "prepare": ("cli.prepare.settings", "PrepareSettings"),
    "deploy": ("batch.settings", "DeploySettings"),
    "load": ("cli.sources.settings", "HistorySettings"),
    "replay": ("cli.sources.settings", "SourceSettings"),
}


class StackSettings(KafkaSettings, PostgresSettings, MlflowSettings, CitySettings, CanaryPace):
    """The local stack. A port that is not set is chosen once for each data folder."""

    kafka_port: Port = Field(None, ge=1, le=65535, description="Port of the embedded Kafka.")
    kafka_controller_port: Port = Field(None, ge=1, le=65535, description="Port of the embedded Kafka's controller.")
    database_port: Port = Field(None, ge=1, le=65535, description="Port of the embedded PostgreSQL.")
    mlflow_port: Port = Field(None, ge=1, le=65535, description="Port of the embedded MLflow.")
    worker_port: Port = Field(None, ge=1, le=65535, description="Port of the worker's health and metrics.")
    trainer_port: Port = Field(None, ge=1, le=65535, description="Port of the trainer's health and metrics.")
    canary_port: Port = Field(None, ge=1, le=65535, description="Port of the canary's health and metrics.")
    api_port: Port = Field(None, ge=1, le=65535, description="Port of the API; 8000 when it is free.")
    board_port: Port = Field(None, ge=1, le=65535, description="Port of the board; 8050 when it is free.")
    operator_key: SecretStr | None = Field(
        None, description="Key of the local stack's operator at its API; made up once for each data folder."
    )
    first_share: float = Field(0.8, gt=0, lt=1, description="Share of a trips file that becomes history; the rest is replayed.")


class OperatorSettings(KafkaSettings, PostgresSettings):
    """What the commands need that migrate, prove and repair."""


class QualitySettings(PostgresSettings, CitySettings, PolicySettings):
    """What the questions about quality need."""


def roles() -> dict[str, type[Settings]]:
    """The settings of every role that this installation has."""
    found: dict[str, type[Settings]] = {"up": StackSettings}
    for role, (module, name) in ROLES.items():
        if importlib.util.find_spec(module):
            found[role] = getattr(importlib.import_module(module), name)
    return found


def data_folder(given: Path | None) -> Path:
    """The data folder: the option, else the setting. Raises InvalidInput."""
    return given or Settings.read().data


def log_unknown_names() -> None:
    """The same for a process that writes a log. Call it after the log is configured."""
    import structlog  # noqa: PLC0415 - commands that only print must not pay for it

    for name, meant in unknown_names(roles().values()).items():
        structlog.get_logger("tripcast.settings").warning("unknown_setting", name=name, meant=meant)


def warn_of_unknown_names(console: Console) -> None:
    """Say which `TRIPCAST_*` names mean nothing, and what was perhaps meant."""
    for name, meant in unknown_names(roles().values()).items():
        hint = f"; did you mean {meant}?" if meant else ""
        console.print(f"{name} is no setting of tripcast and is ignored{hint}", style="yellow", markup=False, highlight=False)
