"""The settings that processes share, in groups; each process combines the groups that it needs.

Every setting is an environment variable `TRIPCAST_<NAME>`, or a file `tripcast_<name>` in the folder of secrets. A running
local stack leaves its addresses in `<data>/stack.env`, so that commands in another terminal find it. The first of these that
has a setting wins: the environment, a `.env` file, the folder of secrets, `stack.env`.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from adapters.environment.database_addresses import with_password
from domain.errors import InvalidInput
from domain.features import DEFAULT_CITY_TIMEZONE, CityClock
from domain.quality import ServiceArea, TripRules

PREFIX = "TRIPCAST_"
DEFAULT_DATA = Path(".tripcast")
STACK_FILE = "stack.env"
DOTENV = Path(".env")
SECRETS = Path("/run/secrets")  # where containers get theirs


def _known_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("not an IANA time zone name such as America/New_York") from error
    return name


class SecretFiles(SecretsSettingsSource):
    """The files of the folder of secrets; spaces around a value are no part of it, and an empty file is no setting."""

    def __call__(self) -> dict[str, Any]:
        """What the files say."""
        return {name: value for name, value in super().__call__().items() if value != ""}


class Settings(BaseSettings):
    """Base of all groups: reads `TRIPCAST_*`, `.env`, the files of secrets, then what a running local stack has left."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    data: Path = Field(DEFAULT_DATA, description="Folder for everything that a local stack or worker keeps on disk.")
    secrets: Path | None = Field(
        None, description="Folder with secrets as files, named as settings in lower case; /run/secrets where there is one."
    )
    log_format: str = Field(
        "auto", pattern="^(auto|json|console)$", description="json, console, or auto: console on a terminal."
    )
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="Least severe log level that is written."
    )

    @classmethod
    def read(cls, **overrides: object) -> Self:
        """Read and validate. Raises InvalidInput naming every variable that is wrong."""
        data = Path(str(overrides.get("data") or os.environ.get(f"{PREFIX}DATA") or DEFAULT_DATA))
        files = (data / STACK_FILE, DOTENV)
        try:
            return cls(_env_file=files, _secrets_dir=secrets_folder(), **overrides)  # type: ignore[arg-type]
        except ValidationError as error:
            lines = (f"{PREFIX}{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors(include_input=False))
            raise InvalidInput("; ".join(lines)) from error
        except (OSError, UnicodeDecodeError, SettingsError) as error:
            raise InvalidInput(f"{PREFIX}SECRETS: a file cannot be read: {error}") from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order in which sources win."""
        stack, own = _dotenv_files(dotenv_settings)
        folder = getattr(file_secret_settings, "secrets_dir", None)
        return (
            init_settings,
            env_settings,
            DotEnvSettingsSource(settings_cls, env_file=own),
            SecretFiles(settings_cls, secrets_dir=folder),
            DotEnvSettingsSource(settings_cls, env_file=stack),
        )


def secrets_folder() -> Path | None:
    """The folder of secrets, if there is one. Raises InvalidInput when the one that was asked for is none."""
    name = f"{PREFIX}SECRETS"
    asked_for = os.environ.get(name) or (dotenv_values(DOTENV).get(name) if DOTENV.is_file() else None)
    if not asked_for:
        return SECRETS if os.access(SECRETS, os.R_OK | os.X_OK) and SECRETS.is_dir() else None
    folder = Path(asked_for).expanduser()
    if not folder.is_dir():
        raise InvalidInput(f"{name}: {folder} is no folder")
    return folder


def _dotenv_files(source: PydanticBaseSettingsSource) -> tuple[Path | None, Path | None]:
    """The two that `read` names; none for settings that a program makes itself."""
    files = getattr(source, "env_file", None)
    return files if isinstance(files, tuple) else (None, None)


class CitySettings(Settings):
    """The city: its clock, its borders, and what the columns of its own trip files mean."""

    timezone: Annotated[str, AfterValidator(_known_timezone)] = Field(
        DEFAULT_CITY_TIMEZONE, description="The city's time zone."
    )
    area_south: float = Field(40.5, ge=-90, le=90, description="Southern border of the service area, degrees.")
    area_north: float = Field(41.0, ge=-90, le=90, description="Northern border of the service area, degrees.")
    area_west: float = Field(-74.3, ge=-180, le=180, description="Western border of the service area, degrees.")
    area_east: float = Field(-73.7, ge=-180, le=180, description="Eastern border of the service area, degrees.")
    trip_columns: Path | None = Field(
        None,
        description="TOML file that says what the columns of your own trip files mean; without it three layouts are known.",
    )
    service_began: datetime = Field(datetime(2009, 1, 1, tzinfo=UTC), description="Earlier pickups are refused; RFC 3339.")

    def clock(self) -> CityClock:
        """The city's clock."""
        return CityClock(self.timezone)

    def rules(self) -> TripRules:
        """The rules that trips of this city must keep."""
        area = ServiceArea(self.area_south, self.area_north, self.area_west, self.area_east)
        return TripRules(area=area, service_began=self.service_began)


class KafkaSettings(Settings):
    """Kafka."""

    kafka: str = Field("127.0.0.1:9092", description="Bootstrap servers, host:port, comma-separated.")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="What the listener expects; SSL encrypts, SASL asks who we are."
    )
    kafka_ca: Path | None = Field(None, description="Certificates of the authority, PEM; without it the system's authorities.")
    kafka_certificate: Path | None = Field(None, description="Our own certificate, PEM, where Kafka asks for one.")
    kafka_key: Path | None = Field(None, description="Its private key, PEM, unless it is in the certificate's file.")
    kafka_sasl: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field("SCRAM-SHA-512", description="Mechanism of SASL.")
    kafka_user: str = Field("", description="User name of SASL.")
    kafka_password: SecretStr | None = Field(None, description="Password of SASL.")
    topic_prefix: str = Field("", pattern=r"^[A-Za-z0-9._-]*$", description="Put before every topic name.")
    partitions: int = Field(6, ge=1, le=1000, description="Partitions of trip-events and trip-predictions when created.")
    replication: int = Field(1, ge=1, le=9, description="Replication factor of topics when created.")


class PostgresSettings(Settings):
    """PostgreSQL. No wait is without an end: every deadline is a setting."""

    database: SecretStr = Field(
        SecretStr("postgresql://tripcast@127.0.0.1:5432/tripcast"),
        description="Address, as postgresql://user@host/db; with its password, or with TRIPCAST_DATABASE_PASSWORD.",
    )
    database_password: SecretStr | None = Field(None, description="Password of an address that has none.")
    database_iam: bool = Field(False, description="Whether AWS signs a short-lived password for every new connection.")  # noqa: FBT003
    aws_region: str = Field(
        "", description="Region of the database, for TRIPCAST_DATABASE_IAM; empty: as AWS' own tools find it."
    )
    database_connect_seconds: float = Field(5.0, gt=0, description="Deadline for opening a connection.")
    database_command_seconds: float = Field(30.0, gt=0, description="Deadline for one statement.")
    database_pool: int = Field(4, ge=1, le=100, description="Connections a process opens at most.")

    def dsn(self) -> str:
        """The whole address, password included: for drivers, never for people. Raises InvalidInput when it is none."""
        return with_password(f"{PREFIX}DATABASE", self.database, self.database_password)


class MlflowSettings(Settings):
    """The MLflow registry."""

    mlflow: str = Field("http://127.0.0.1:5000", description="Address of the MLflow server.")
    model: str = Field("trip-duration", pattern=r"^[A-Za-z0-9._-]+$", description="Name of the registered model.")
    mlflow_seconds: float = Field(10.0, gt=0, description="Deadline for one request to the registry.")

    @property
    def mlflow_place(self) -> str:
        """Its address for people and browsers: without the user and password that it may carry."""
        scheme, _, rest = self.mlflow.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}".rstrip("/")


class TelemetrySettings(Settings):
    """Where spans go."""

    otlp: str | None = Field(
        default_factory=lambda: os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or None,
        description="Address of an OpenTelemetry collector (OTLP over HTTP, without a path) that gets spans of sampled traces; "
        "without it OTEL_EXPORTER_OTLP_ENDPOINT counts.",
    )


class PolicySettings(Settings):
    """The policy of the closed loop."""

    policy: Path | None = Field(None, description="Policy of the closed loop, a TOML file; without it the default policy.")
