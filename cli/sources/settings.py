"""The settings of the trip sources."""

from adapters.environment.settings import CitySettings, KafkaSettings, PostgresSettings


class SourceSettings(KafkaSettings, CitySettings):
    """What publishing trips needs."""


class HistorySettings(PostgresSettings, CitySettings):
    """What storing simulated history needs."""
