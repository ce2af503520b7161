"""What MLflow remembers of a run, over its REST API."""

from datetime import datetime

import msgspec

from adapters.mlflow.rest import MlflowRest, Refused
from domain.entities.trainings import TrainedFrom

RUN = "/mlflow/runs/get"


class _Param(msgspec.Struct):
    key: str
    value: str = ""


class _Data(msgspec.Struct):
    params: list[_Param] = []


class _Run(msgspec.Struct):
    data: _Data


class _One(msgspec.Struct):
    run: _Run


def parameters_of(rest: MlflowRest, run_id: str) -> dict[str, str]:
    """The run's parameters; empty when there is no such run. Raises RegistryUnreachable."""
    try:
        return {param.key: param.value for param in rest.get(RUN, _One, run_id=run_id).run.data.params}
    except Refused:
        return {}


def trained_from(parameters: dict[str, str]) -> TrainedFrom | None:
    """The trips that a training noted in its run's parameters; None where it noted none."""
    try:
        first, last = (datetime.fromisoformat(parameters[name]) for name in ("data_from", "data_to"))
        return TrainedFrom(int(parameters["data_rows"]), first, last, parameters["data_sha256"])
    except (KeyError, ValueError):
        return None
