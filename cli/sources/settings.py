"""The settings of the trip sources."""

from pydantic import Field

from adapters.environment.settings import CitySettings, KafkaSettings, MlflowSettings, PolicySettings, PostgresSettings


class SourceSettings(KafkaSettings, CitySettings):
    """What publishing trips needs."""


class LockstepSettings(KafkaSettings, PostgresSettings, MlflowSettings, PolicySettings):
    """What a replay in lockstep looks at."""

    workers: str = Field(
        "http://127.0.0.1:8081", description="Addresses of all workers' metrics, separated by commas, for a replay in lockstep."
    )


class HistorySettings(PostgresSettings, CitySettings):
    """What storing simulated history needs."""
