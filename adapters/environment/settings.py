"""The settings that processes share, in groups; each process combines the groups that it needs.

Every setting is an environment variable `TRIPCAST_<NAME>`. A running local stack leaves its addresses in `<data>/stack.env`, so
that commands in another terminal find it; the environment and a `.env` file win over that.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.errors import InvalidInput
from domain.features import DEFAULT_CITY_TIMEZONE, CityClock
from domain.quality import ServiceArea, TripRules

PREFIX = "TRIPCAST_"
DEFAULT_DATA = Path(".tripcast")
STACK_FILE = "stack.env"


def _known_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("not an IANA time zone name such as America/New_York") from error
    return name


class Settings(BaseSettings):
    """Base of all groups: reads `TRIPCAST_*`, then `.env`, then what a running local stack has left."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True)

    data: Path = Field(DEFAULT_DATA, description="Folder for everything that a local stack or worker keeps on disk.")
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
        try:
            return cls(_env_file=(data / STACK_FILE, ".env"), **overrides)  # type: ignore[arg-type]
        except ValidationError as error:
            lines = (f"{PREFIX}{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors())
            raise InvalidInput("; ".join(lines)) from error


class CitySettings(Settings):
    """The city: its clock and its borders."""

    timezone: Annotated[str, AfterValidator(_known_timezone)] = Field(
        DEFAULT_CITY_TIMEZONE, description="The city's time zone."
    )
    area_south: float = Field(40.5, ge=-90, le=90, description="Southern border of the service area, degrees.")
    area_north: float = Field(41.0, ge=-90, le=90, description="Northern border of the service area, degrees.")
    area_west: float = Field(-74.3, ge=-180, le=180, description="Western border of the service area, degrees.")
    area_east: float = Field(-73.7, ge=-180, le=180, description="Eastern border of the service area, degrees.")
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
    topic_prefix: str = Field("", pattern=r"^[A-Za-z0-9._-]*$", description="Put before every topic name.")
    partitions: int = Field(6, ge=1, le=1000, description="Partitions of trip-events and trip-predictions when created.")
    replication: int = Field(1, ge=1, le=9, description="Replication factor of topics when created.")


class PostgresSettings(Settings):
    """PostgreSQL. No wait is without an end: every deadline is a setting."""

    database: SecretStr = Field(
        SecretStr("postgresql://tripcast@127.0.0.1:5432/tripcast"),
        description="Address, as postgresql://user:password@host/db.",
    )
    database_connect_seconds: float = Field(5.0, gt=0, description="Deadline for opening a connection.")
    database_command_seconds: float = Field(30.0, gt=0, description="Deadline for one statement.")
    database_pool: int = Field(4, ge=1, le=100, description="Connections a process opens at most.")


class MlflowSettings(Settings):
    """The MLflow registry."""

    mlflow: str = Field("http://127.0.0.1:5000", description="Address of the MLflow server.")
    model: str = Field("trip-duration", pattern=r"^[A-Za-z0-9._-]+$", description="Name of the registered model.")
    mlflow_seconds: float = Field(10.0, gt=0, description="Deadline for one request to the registry.")


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
