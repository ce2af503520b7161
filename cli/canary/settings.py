"""The canary's settings."""

from pydantic import Field

from adapters.environment.settings import CitySettings, KafkaSettings, PostgresSettings, Settings


class CanaryPace(Settings):
    """What the stack decides by whether it starts a canary."""

    canary_interval_seconds: float = Field(
        10.0, ge=0, le=3600, description="How often a canary trip is sent; 0: none is, and a local stack starts no canary."
    )


class CanarySettings(KafkaSettings, PostgresSettings, CitySettings, CanaryPace):
    """What the canary reads from its environment; of the database it reads, and needs a login that may do no more."""

    canary_host: str = Field("127.0.0.1", description="Address that the canary's /livez, /readyz and /metrics listen on.")
    canary_port: int = Field(8083, ge=0, le=65535, description="Port of the canary's /livez, /readyz and /metrics.")
    canary_deadline_seconds: float = Field(60.0, gt=0, le=3600, description="After so long a canary trip counts as lost.")
