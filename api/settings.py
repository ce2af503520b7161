"""The API's settings."""

from typing import Literal

from pydantic import Field, SecretStr

from adapters.environment.database_addresses import with_password
from adapters.environment.settings import CitySettings, KafkaSettings, MlflowSettings, PolicySettings, PostgresSettings

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ApiSettings(KafkaSettings, PostgresSettings, MlflowSettings, CitySettings, PolicySettings):
    """What the API reads from its environment."""

    api_host: str = Field("127.0.0.1", description="Address that the API listens on.")
    api_port: int = Field(8000, ge=0, le=65535, description="Port of the API.")
    api_environment: str = Field("local", max_length=40, description="Name of this environment, shown on the board.")
    api_keys: Literal["auto", "always", "never"] = Field(
        "auto", description="Whether callers need a key; auto: unless the API listens on loopback."
    )
    api_rate: int = Field(100_000, ge=1, description="Requests a minute that one key, or one address without a key, may make.")
    api_body_bytes: int = Field(4 * 1024 * 1024, ge=1024, description="Largest request body.")
    api_batch: int = Field(10_000, ge=1, le=10_000, description="Most trips in one batch request.")
    api_deadline_seconds: float = Field(5.0, gt=0, description="Longest that a request may take; then 503.")
    api_concurrency: int = Field(512, ge=1, description="Requests that may be answered at once; more get 503.")
    api_log_queue: int = Field(50_000, ge=1, description="Predictions that may wait to be logged; when full, 503.")
    api_workers: str = Field(
        "",
        description="Addresses of the workers' metrics, http://host:port, comma-separated; a name means all its addresses.",
    )
    api_trainer: str = Field("", description="Address of the trainer's metrics, http://host:port.")
    api_board: str = Field("", description="Address of the board, http://host:port; for the page System.")
    board_database: SecretStr | None = Field(
        None, description="Address with a login that may only read, for all reading routes; without it TRIPCAST_DATABASE."
    )
    board_database_password: SecretStr | None = Field(None, description="Password of a TRIPCAST_BOARD_DATABASE that has none.")
    mlflow_public: str = Field("", description="Address of MLflow for people's browsers, for links; empty: TRIPCAST_MLFLOW.")
    ci_repository: str = Field(
        "", pattern=r"^([\w.-]+/[\w.-]+)?$", description="owner/name of the repository whose builds are shown."
    )
    ci_token: SecretStr | None = Field(None, description="Token that may read the repository's builds.")
    ci_address: str = Field("", description="Base address of the forge's REST API that tells of builds.")

    def reader_dsn(self) -> str:
        """The address for the reading routes, password included. Raises InvalidInput when it is none."""
        if self.board_database is None:
            return self.dsn()
        return with_password("TRIPCAST_BOARD_DATABASE", self.board_database, self.board_database_password)

    @property
    def open_to_all(self) -> bool:
        """Whether callers need no key."""
        return self.api_keys == "never" or (self.api_keys == "auto" and self.api_host in LOOPBACK)
