"""Put a deployment between two environments together: it loads MLflow, whose import costs seconds and memory."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from adapters.mlflow.experiments import Copied, Experiments
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from adapters.mlflow.runs import parameters_of, trained_from
from adapters.onnx import package
from adapters.onnx.local_models import LocalModels
from adapters.postgres.connection.locks import alone
from adapters.postgres.connection.pool import Pool
from adapters.postgres.loop.training_records import TrainingRecords
from adapters.web.reader import WebReader
from batch import bootstrap
from batch.deploy import Deployed, DeployVersion
from batch.looks import LookAtApi, LookAtWorker
from batch.settings import DeploySettings
from batch.watch_health import Look, WatchHealth
from domain.entities.models import ModelVersion
from domain.entities.trainings import TrainedFrom, TrainingRun
from domain.errors import InvalidInput
from domain.evaluation import Split
from domain.features import feature_schema

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """What was asked for. `version`: of the source; None: its champion. `gate`: what the model gate found, for the record."""

    reason: str
    version: int | None = None
    within_seconds: float = 60.0
    watch_seconds: float = 60.0
    gate: Mapping[str, str] = field(default_factory=dict)


async def deploy(settings: DeploySettings, options: DeployOptions, progress: Progress) -> Deployed:
    """Copy, promote, watch, roll back. See `batch.deploy`."""
    source = _source_of(settings)
    target = bootstrap.registry_of(settings)
    addresses = (settings.source_mlflow, settings.source_model)
    if addresses == (settings.mlflow, settings.model):
        raise InvalidInput("source and target are the same registry and model; `tripcast promote` makes a version champion")
    async with bootstrap.database(settings) as pool, WebReader() as web:

        async def promote(version: int, reason: str) -> object:
            progress(f"making version {version} champion")
            async with alone(pool, bootstrap.ROLE_CHANGES):
                promoted = await bootstrap.promotion(settings, pool)(version, bootstrap.operator(), reason)
            progress(f"watching the service with version {version}")
            return promoted

        async def roll_back(reason: str) -> object:
            progress("rolling back")
            async with alone(pool, bootstrap.ROLE_CHANGES):
                return await bootstrap.rolling_back(settings, pool)(bootstrap.operator(), reason)

        async def copy(version: ModelVersion) -> int:
            progress(f"copying version {version.version} of {_name(settings)}")
            return await _copy(settings, source, version, pool, options)

        watch = WatchHealth(_looks(settings, web), options.within_seconds, options.watch_seconds)
        deployment = DeployVersion(source, target, _name(settings), copy, promote, roll_back, watch)
        return await deployment(options.version, options.reason)


def _source_of(settings: DeploySettings) -> Registry:
    return Registry(MlflowRest(settings.source_mlflow, settings.mlflow_seconds), settings.source_model)


def _name(settings: DeploySettings) -> str:
    """Of the source, without a password."""
    return f"{settings.source_model} at {urlsplit(settings.source_mlflow).netloc.rpartition('@')[2]}"


def _looks(settings: DeploySettings, web: WebReader) -> Sequence[Look]:
    """Raises InvalidInput when nobody can be asked: an unwatched deployment would not be rolled back."""
    apis, workers = _addresses(settings.deploy_api), _addresses(settings.deploy_workers)
    key = settings.deploy_key.get_secret_value() if settings.deploy_key else None
    looks: list[Look] = [LookAtApi(each, web.get, key) for each in apis]
    looks += [LookAtWorker(each, web.get) for each in workers]
    if not looks:
        raise InvalidInput("name the service to watch: TRIPCAST_DEPLOY_API or --api, TRIPCAST_DEPLOY_WORKERS or --worker")
    return looks


def _addresses(text: str) -> list[str]:
    return [address.strip().rstrip("/") for address in text.split(",") if address.strip()]


async def _copy(settings: DeploySettings, source: Registry, version: ModelVersion, pool: Pool, options: DeployOptions) -> int:
    """Register the version's verified files here, with where they come from."""
    parameters = await asyncio.to_thread(parameters_of, source.rest, version.run_id)
    origin = {
        "registry": _name(settings),
        "version": str(version.version),
        "run_id": version.run_id,
        **{f"gate_{name}": value for name, value in options.gate.items()},
    }
    run_id, number = await asyncio.to_thread(_register, settings, source, version, parameters, origin)
    if (identity := trained_from(parameters)) is not None:
        run = _training_run(run_id, version, identity, number, f"{options.reason} ({_name(settings)})")
        await TrainingRecords(pool).add(run)
    return number


def _register(
    settings: DeploySettings, source: Registry, version: ModelVersion, parameters: Mapping[str, str], origin: Mapping[str, str]
) -> tuple[str, int]:
    """Check as a worker would before anything is written here. Raises ModelRefused."""
    experiments = Experiments(settings.mlflow, settings.model, settings.mlflow_seconds)
    noted = {**{key: value for key, value in parameters.items() if key != "candidate"}, **_parameters(origin)}
    with TemporaryDirectory() as temporary:
        library = LocalModels(Path(temporary), feature_schema(settings.clock()))
        library.admit(version, source.download)
        folder = Path(temporary) / str(version.version)
        content = package.read(version, folder)
        identity = trained_from(dict(parameters))
        run_id = experiments.record(version.kind, identity, noted, version.metrics, None, command="tripcast deploy")
        return run_id, experiments.register(run_id, content, version.metrics, Copied(folder, origin))


def _parameters(origin: Mapping[str, str]) -> dict[str, str]:
    return {f"origin_{name}": value for name, value in origin.items()}


def _training_run(run_id: str, version: ModelVersion, identity: TrainedFrom, number: int, reason: str) -> TrainingRun:
    """So that later trainings here know up to when this model has learnt, and the board where it comes from."""
    metrics = version.metrics
    return TrainingRun(
        mlflow_run_id=run_id,
        candidate=version.kind,
        split=Split.TIME,
        started_at=version.created_at,
        seconds=metrics.get("training_seconds", 0.0),
        rows=identity.rows,
        data_from=identity.data_from,
        data_to=identity.data_to,
        data_sha256=identity.data_sha256,
        rmse_minutes=metrics.get("rmse_minutes", float("nan")),
        mae_minutes=metrics.get("mae_minutes", float("nan")),
        r2=metrics.get("r2", float("nan")),
        model_version=number,
        reason=reason,
    )
