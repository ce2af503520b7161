"""The worker's settings."""

from pydantic import Field

from adapters.environment.settings import (
    CitySettings,
    KafkaSettings,
    MlflowSettings,
    PolicySettings,
    PostgresSettings,
    TelemetrySettings,
)


class WorkerSettings(KafkaSettings, PostgresSettings, MlflowSettings, CitySettings, PolicySettings, TelemetrySettings):
    """What the stream worker reads from its environment."""

    worker_host: str = Field("127.0.0.1", description="Address that /livez, /readyz and /metrics listen on.")
    worker_port: int = Field(8081, ge=0, le=65535, description="Port of /livez, /readyz and /metrics.")
    worker_group: str = Field(
        "tripcast-worker", pattern=r"^[A-Za-z0-9._-]+$", description="Kafka consumer group, after the prefix."
    )
    worker_batch: int = Field(8000, ge=1, le=100_000, description="Most events that one transaction writes.")
    champion_poll_seconds: float = Field(2.0, gt=0, description="How often the registry is asked for the champion.")


class RepairSettings(KafkaSettings, PostgresSettings, MlflowSettings, CitySettings):
    """What `tripcast audit` needs to ask the broker, and to decode and score again what is missing."""
