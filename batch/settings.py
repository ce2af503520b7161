"""The settings of training, and of everything else that happens to models beside the stream."""

import os

from pydantic import Field, SecretStr

from adapters.environment.settings import CitySettings, KafkaSettings, MlflowSettings, PolicySettings, PostgresSettings


class BatchSettings(KafkaSettings, PostgresSettings, MlflowSettings, CitySettings, PolicySettings):
    """What train, trainer, models, promote, rollback and verify read from their environment."""

    train_threads: int = Field(
        default_factory=lambda: min(os.cpu_count() or 1, 8), ge=1, le=256, description="Threads that training may use."
    )
    train_candidates: str = Field(
        "all",
        description="What trainings try, separated by commas: names of candidates, all, a file my_model.py, or a module. "
        "xgboost-quick is the fastest of ours.",
    )
    train_least_trips: int = Field(
        5000, ge=500, description="Completed trips that the trainer waits for before the first model."
    )
    trainer_poll_seconds: float = Field(2.0, gt=0, description="How often the trainer looks for something to do.")
    trainer_host: str = Field("127.0.0.1", description="Address that the trainer's /livez, /readyz and /metrics listen on.")
    trainer_port: int = Field(8082, ge=0, le=65535, description="Port of the trainer's /livez, /readyz and /metrics.")
    webhook: SecretStr | None = Field(
        None, description="Incoming webhook, as Slack has them, for what people should know of; without it nobody is told."
    )


class DeploySettings(BatchSettings):
    """What `tripcast deploy` needs beside the settings of the environment that it deploys to."""

    source_mlflow: str = Field(
        "http://127.0.0.1:5000", description="Address of the MLflow server that a deployment copies from."
    )
    source_model: str = Field(
        "trip-duration", pattern=r"^[A-Za-z0-9._-]+$", description="Name of the registered model that a deployment copies from."
    )
    deploy_api: str = Field("", description="Addresses of the APIs that a deployment watches, comma-separated.")
    deploy_workers: str = Field("", description="Addresses of the workers' metrics that a deployment watches, comma-separated.")
    deploy_key: SecretStr | None = Field(None, description="Key for those APIs, where they ask for one; a reader's is enough.")
