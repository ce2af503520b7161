"""Write trainings and new model versions to MLflow.

Only the trainer imports this: `mlflow` itself costs 168 MB of memory and 3 s.
"""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.onnx
import numpy as np
import onnx
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from adapters.mlflow import tags
from adapters.onnx import package as files
from domain.entities.trainings import TrainedFrom
from domain.errors import RegistryUnreachable
from domain.packages import ModelPackage

MODEL_FOLDER = "model"
ALREADY_THERE = "RESOURCE_ALREADY_EXISTS"


@dataclass(frozen=True, slots=True)
class Copied:
    """Verified files of another registry's version, and where they come from, for the record."""

    folder: Path
    origin: Mapping[str, str]


@dataclass(slots=True)
class Experiments:
    """One MLflow experiment and one registered model, both of the name `model`. Raises RegistryUnreachable."""

    address: str
    model: str
    seconds: float
    _client: MlflowClient = field(init=False)

    def __post_init__(self) -> None:
        # MLflow takes its deadlines from the environment alone; by default it would try for many minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(max(1, round(self.seconds))))
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # standard output belongs to the command
        self._client = MlflowClient(tracking_uri=self.address, registry_uri=self.address)

    def record(
        self,
        name: str,
        trained_from: TrainedFrom | None,
        parameters: Mapping[str, float | str],
        metrics: Mapping[str, float],
        artifacts: Path | None,
        *,
        command: str = "tripcast train",
    ) -> str:
        """Write one finished run with the files of a folder; returns its id. `command`: which made it."""
        with self._translated():
            run = self._client.create_run(self._experiment(), run_name=name, tags={"mlflow.source.name": command})
            run_id: str = run.info.run_id
            now = run.info.start_time
            self._client.log_batch(
                run_id,
                metrics=[Metric(key, value, now, 0) for key, value in metrics.items()],
                params=[Param(key, str(value)) for key, value in {"candidate": name, **parameters}.items()],
            )
            if trained_from is not None:
                self._client.log_inputs(run_id, [DatasetInput(_dataset(trained_from))])
            if artifacts is not None:
                self._client.log_artifacts(run_id, str(artifacts))
            self._client.set_terminated(run_id)
        return run_id

    def register(self, run_id: str, package: ModelPackage, metrics: Mapping[str, float], copied: Copied | None = None) -> int:
        """Store the package as the run's ONNX model and make it a version, without an alias; returns its number.

        `copied`: the files are taken over byte for byte rather than written anew.
        """
        with TemporaryDirectory() as temporary, self._translated():
            folder = Path(temporary) / MODEL_FOLDER
            _save(package, folder)
            recorded = files.write(package, folder) if copied is None else files.copy(copied.folder, folder)
            self._client.log_artifacts(run_id, str(folder), MODEL_FOLDER)
            self._ensure_model()
            source = f"{self._client.get_run(run_id).info.artifact_uri}/{MODEL_FOLDER}"
            noted = tags.encode(package.kind, package.feature_schema, recorded, metrics)
            noted |= tags.origin(copied.origin if copied else {})
            version = self._client.create_model_version(self.model, source, run_id, tags=noted, await_creation_for=0)
        return int(version.version)

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(self.model)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(self._client.create_experiment(self.model))
        except MlflowException as error:
            if error.error_code != ALREADY_THERE:
                raise
            return str(self._client.get_experiment_by_name(self.model).experiment_id)

    def _ensure_model(self) -> None:
        try:
            self._client.create_registered_model(self.model)
        except MlflowException as error:
            if error.error_code != ALREADY_THERE:
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (MlflowException, OSError) as error:  # what its HTTP library raises is an OSError
            what = str(error).partition("\n")[0][:200]
            raise RegistryUnreachable(f"MLflow at {self.address} did not take the training: {what}") from error


def _save(package: ModelPackage, folder: Path) -> None:
    """MLflow's own layout around the graph, so that its pages and `mlflow models serve` understand it. No pickle in it."""
    inputs = Schema([TensorSpec(np.dtype(np.float32), (-1, len(package.features)), "features")])
    outputs = Schema([TensorSpec(np.dtype(np.float32), (-1,), "seconds")])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"mlflow\.")  # about MLflow's own code, not about ours
        mlflow.onnx.save_model(
            onnx.load_from_string(package.graph),
            str(folder),
            signature=ModelSignature(inputs=inputs, outputs=outputs),
            pip_requirements=["mlflow", "numpy", "onnx", "onnxruntime"],
            metadata={"features": list(package.features), "feature_schema": package.feature_schema},
            save_as_external_data=False,
        )


def _dataset(trained_from: TrainedFrom) -> Any:  # noqa: ANN401 - mlflow is untyped
    span = f"trips with pickups from {trained_from.data_from.isoformat()} to {trained_from.data_to.isoformat()}"
    profile = f'{{"rows": {trained_from.rows}}}'
    return Dataset("trips", trained_from.data_sha256[:36], "postgresql", f'{{"trips": "{span}"}}', profile=profile)
